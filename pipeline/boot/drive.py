"""The way through one boot: what is waited for, what is pressed, when the screen is looked at."""

import asyncio
from collections.abc import Sequence

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


async def drive(vm: Session, words: Sequence[str], timeout: float) -> None:
    """Wait for the greeting, find `words` on the screen, press Q, see the reboot.

    Raises NotSeenError as soon as that cannot succeed any more, at the latest after `timeout` seconds.
    """
    lacking: list[str] = []
    try:
        async with asyncio.timeout(timeout):
            await _greeting_on_serial(vm)
            await _greeting_on_screen(vm, words, lacking)
            await _leave(vm)
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
        for symptom in vm.watch.showing():
            if symptom.final:
                raise stopped(symptom.cause)


async def _greeting_on_serial(vm: Session) -> None:
    watch = vm.watch
    looked = 0.0
    photographed = False
    while Stage.SERIAL not in watch.times:
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


async def _leave(vm: Session) -> None:
    pressed = -PRESS_EVERY
    while Stage.REBOOT not in vm.watch.times:
        if vm.now > pressed + PRESS_EVERY:
            # A keyboard may come later than the greeting, so one key press may go nowhere.
            await vm.monitor.press("q")
            pressed = vm.now
            vm.watch.note("pressed Q")
        await asyncio.sleep(TICK)
        judge(vm, rebooting=True)
