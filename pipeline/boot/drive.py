"""The way through one boot: what is waited for, what is pressed, when the screen is looked at."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.vm import symptoms
from pipeline.vm.session import TICK, NotSeenError, Session
from pipeline.vm.stages import Stage
from pipeline.vm.symptoms import Cause

SPLASH_AFTER = 0.5  # seconds from the start of the EFI program to the screenshot of the splash
LOOK_AFTER = 5.0  # seconds of silence on serial after which the screen may tell more
PRESS_EVERY = 1.0


def stopped(cause: Cause, more: str = "") -> NotSeenError:
    """Return the error of a boot that cannot succeed any more."""
    return NotSeenError(cause.sentence + more, cause)


@dataclass(frozen=True)
class Greeting:
    """How a program says that it is ready: `welcome` on the serial line, `words` on the screen.

    The key `leave` has it reboot then. All are empty where nothing is known of the program.
    """

    welcome: str = ""
    words: tuple[str, ...] = ()
    leave: str = ""


async def drive(vm: Session, greeting: Greeting, timeout: float) -> None:
    """Wait for the greeting, find its words on the screen, press the key, see the reboot.

    Where there is no greeting, wait until the kernel runs.

    Raises NotSeenError as soon as that cannot succeed any more, at the latest after `timeout` seconds.
    """
    lacking: list[str] = []
    try:
        async with asyncio.timeout(timeout):
            await _reach(vm, Stage.SERIAL if greeting.welcome else Stage.KERNEL)
            if greeting.words:
                await _greeting_on_screen(vm, greeting.words, lacking)
            if greeting.leave:
                await _leave(vm, greeting.leave)
    except TimeoutError:
        missing = f" Missing on the screen: {', '.join(map(repr, lacking))}." if lacking else ""
        raise stopped(symptoms.STUCK[vm.watch.stage], missing) from None


def judge(vm: Session, *, rebooting: bool = False) -> None:
    """Take in what happened; raise NotSeenError when an event, or any output, shows that it is over."""
    for event in vm.monitor.events():
        match event["event"]:
            case "RESET" if rebooting:
                vm.watch.reach(Stage.REBOOT)
            case "RESET":
                raise stopped(symptoms.RESET)
            case "STOP" if vm.machine.accel == "kvm":
                raise stopped(symptoms.KVM_BROKEN)
            case "SHUTDOWN":
                raise stopped(symptoms.OFF)
    if vm.watch.is_news:
        vm.watch.is_news = False
        for cause in vm.watch.showing():
            if cause.final:
                raise stopped(cause)


async def _reach(vm: Session, stage: Stage) -> None:
    """Wait for a stage that shows on the serial line, or in the processor."""
    watch = vm.watch
    looked = 0.0
    photographed = False
    while watch.stage < stage:
        await asyncio.sleep(TICK)
        judge(vm)
        started = watch.times.get(Stage.LOADER)
        if started is not None and not photographed and watch.now > started + SPLASH_AFTER:
            await vm.photograph("splash")
            photographed = True
        # A quiet kernel says nothing: that it runs shows in the processor alone.
        if started is not None and Stage.KERNEL not in watch.times and await vm.monitor.in_kernel():
            watch.reach(Stage.KERNEL)
        if watch.now > max(looked, watch.quiet_since) + LOOK_AFTER:
            await vm.lacks("silence", ())
            looked = watch.now


async def _greeting_on_screen(vm: Session, words: Sequence[str], lacking: list[str]) -> None:
    """Look at the screen until all words are there; `lacking` holds those that are not yet."""
    while True:
        await asyncio.sleep(TICK)
        judge(vm)
        taken = vm.now
        lacking[:] = await vm.lacks("welcome", words)
        if not lacking:
            vm.watch.reach(Stage.SCREEN, taken)
            return


async def _leave(vm: Session, key: str) -> None:
    pressed = -PRESS_EVERY
    while Stage.REBOOT not in vm.watch.times:
        if vm.now > pressed + PRESS_EVERY:
            # A keyboard may come later than the greeting, so one key press may go nowhere.
            await vm.monitor.press(key)
            pressed = vm.now
            vm.watch.note(f"pressed {key}")
        await asyncio.sleep(TICK)
        judge(vm, rebooting=True)
