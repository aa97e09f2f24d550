import asyncio
import re
import threading
from collections.abc import Awaitable, Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from pipeline.vm.machine import Machine
from pipeline.vm.session import NotSeenError, Session
from tests.fixtures.stand_ins import MakeGuest
from tests.vm import excerpts


def played(guest: Machine, folder: Path, scene: Callable[[Session], Awaitable[object]]) -> None:
    async def whole() -> None:
        async with Session(guest, folder / "run").running() as vm:
            await scene(vm)

    asyncio.run(whole())


def commands(folder: Path) -> list[str]:
    return (folder / "commands").read_text().splitlines()


def test_what_is_waited_for_must_stand_there_at_once(make_guest: MakeGuest, tmp_path: Path) -> None:
    async def scene(vm: Session) -> None:
        await vm.see("Welcome", "Install", timeout=10)
        await vm.see("Welcome", "nowhere", timeout=0.1)

    with pytest.raises(NotSeenError) as caught:
        played(make_guest(serial=["gone\x1b[2J\x1b[H  Welcome\r\n[Enter] Install"]), tmp_path, scene)
    assert re.sub(r"after .* s, then", "after 0.0 s, then", str(caught.value)) == (
        "run: reached 'firmware' after 0.0 s, then failed: "
        "'Welcome' and 'nowhere' did not come within 0 s\n"
        "the serial console shows (serial.log has all of it):\n      Welcome\n    [Enter] Install"
    )
    assert b"Welcome" in (tmp_path / "run/serial.log").read_bytes()


def test_history_keeps_what_is_gone_and_can_be_cut(make_guest: MakeGuest, tmp_path: Path) -> None:
    async def scene(vm: Session) -> None:
        await vm.hear("once", timeout=10)
        await vm.see("now")
        assert "once" not in vm.terminal.text()
        with pytest.raises(NotSeenError, match="'once' did not come"):
            await vm.hear("once", timeout=0.1, since=len(vm.terminal.history))

    played(make_guest(serial=["once\x1b[2J\x1b[Hnow"]), tmp_path, scene)


def test_a_screen_that_goes_away_by_itself_is_seen_whoever_looks_late(
    make_guest: MakeGuest, tmp_path: Path
) -> None:
    clear = "\x1b[2J\x1b[H"
    said = f"{clear}Wrong{clear}[\x1b[1mR\x1b[0m] Reboot\r\nDone{clear}Power down"

    async def scene(vm: Session) -> None:
        await vm.press("q")
        await vm.is_off()
        assert await vm.passes("Done", lambda shown: "[R] Reboot" in shown, 0) == "[R] Reboot\nDone"
        for since, word in ((None, "Done"), (0, "Reboot\nDone\nPower")):
            with pytest.raises(NotSeenError, match="the machine ended while waiting for"):
                await vm.passes(word, lambda shown: word in shown, since)  # noqa: B023

    played(make_guest(serial=[said], off_after="q"), tmp_path, scene)


def test_keys_go_to_the_console_that_they_are_pressed_on(make_guest: MakeGuest, tmp_path: Path) -> None:
    async def scene(vm: Session) -> None:
        await vm.press("down")
        await vm.type("A-1")
        await vm.see("typed", timeout=10)
        await vm.press("enter", on_screen=True)
        await vm.type("Q-", on_screen=True)

    played(make_guest(replies=[["\x1b[Ba-1", "typed"]]), tmp_path, scene)
    keys = [line for line in commands(tmp_path) if line.startswith("send-key")]
    assert [line.split('"')[-2] for line in keys] == ["ret", "q", "minus"]


def test_the_screen_is_read_until_all_words_are_on_it(make_guest: MakeGuest, tmp_path: Path) -> None:
    async def scene(vm: Session) -> None:
        await vm.shows("good", "Welcome", "TruthDB")
        with pytest.raises(NotSeenError, match=r"the screen \(bad\.png\) lacks 'Done'"):
            await vm.shows("bad", "Welcome", "Done", timeout=0.05)

    played(make_guest(screen="TruthDB\nWe1come\n"), tmp_path, scene)
    assert (tmp_path / "run/good.png").read_text() == "TruthDB\nWe1come\n"


def test_a_machine_that_ends_is_waited_for_no_longer(make_guest: MakeGuest, tmp_path: Path) -> None:
    async def scene(vm: Session) -> None:
        await vm.press("q")
        with pytest.raises(NotSeenError, match="the machine ended while waiting for 'Welcome'"):
            await vm.see("Welcome", timeout=60)
        await vm.is_off()

    played(make_guest(off_after="q"), tmp_path, scene)


def test_a_machine_that_does_not_switch_itself_off(make_guest: MakeGuest, tmp_path: Path) -> None:
    async def scene(vm: Session) -> None:
        with pytest.raises(NotSeenError, match="did not switch itself off within 0 s"):
            await vm.is_off(timeout=0.05)
        await vm.cut_power()
        await vm.is_off()

    played(make_guest(), tmp_path, scene)


def test_a_reset_is_noticed(make_guest: MakeGuest, tmp_path: Path) -> None:
    async def scene(vm: Session) -> None:
        with pytest.raises(NotSeenError, match="a reset did not come"):
            await vm.resets(timeout=0.05)
        await vm.press("r", on_screen=True)
        await vm.resets(timeout=10)

    played(make_guest(resets_on="send-key"), tmp_path, scene)


def test_what_failed_is_photographed_and_says_where_it_was(make_guest: MakeGuest, tmp_path: Path) -> None:
    async def scene(vm: Session) -> None:
        await vm.see("Welcome", timeout=0.05)

    registers = "RIP=ffffffff81a3c0de RFL=00000246 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=1"
    with pytest.raises(NotSeenError, match=r"\nprocessors: 0 at ffffffff81a3c0de \(ring 0, halted\)$"):
        played(make_guest(screen="black", registers=registers), tmp_path, scene)
    assert (tmp_path / "run/failure.png").read_text() == "black"


def test_what_a_quiet_kernel_logged_is_found_in_its_memory(make_guest: MakeGuest, tmp_path: Path) -> None:
    lines = ["Linux version 6.12.1", "smp: Bringing up CPUs ...", "Initramfs unpacking failed", "…"]
    guest = make_guest(memory=(bytes(4096) + excerpts.kernel_log(*lines)).hex())
    words = r"\nLinux logged last .*:\n    \[    0.000000\] Linux version 6.12.1\n    \[    1.500000\] smp"
    with pytest.raises(NotSeenError, match=words) as caught:
        played(guest, tmp_path, lambda vm: vm.see("Welcome", timeout=0.05))
    assert caught.value.cause
    assert caught.value.cause.sentence.startswith("Linux could not unpack the initramfs")
    assert (tmp_path / "run/kernel.log").read_text().splitlines()[-1] == "[    4.500000] …"
    assert not (tmp_path / "run/memory").exists()


def test_after_a_reset_no_log_of_the_boot_before_it_is_told(make_guest: MakeGuest, tmp_path: Path) -> None:
    async def scene(vm: Session) -> None:
        await vm.press("r", on_screen=True)
        await vm.resets(timeout=10)
        await vm.see("Welcome", timeout=0.05)

    log = excerpts.kernel_log("Linux version 6.12.1", "smp: Bringing up CPUs ...", "Kernel panic", "…")
    with pytest.raises(NotSeenError) as caught:
        played(make_guest(memory=(bytes(4096) + log).hex(), resets_on="send-key"), tmp_path, scene)
    assert caught.value.cause is None
    assert not (tmp_path / "run/kernel.log").exists()


def test_a_symptom_says_why(make_guest: MakeGuest, tmp_path: Path) -> None:
    guest = make_guest(serial=[excerpts.LOADED, excerpts.NO_ROOT], registers="RIP=ffffffff81a3c0de")
    with pytest.raises(
        NotSeenError,
        match=r"failed: Linux panicked while waiting for 'Welcome'\nLinux looked for .*\(put ",
    ) as caught:
        played(guest, tmp_path, lambda vm: vm.see("Welcome"))
    assert caught.value.cause
    assert caught.value.cause.sentence.startswith("Linux looked for a root file system")


def test_a_panic_that_a_story_makes_ends_no_waiting(make_guest: MakeGuest, tmp_path: Path) -> None:
    async def scene(vm: Session) -> None:
        vm.may_panic = True
        await vm.see("Welcome")

    played(make_guest(serial=[excerpts.NO_ROOT, "Welcome"]), tmp_path, scene)


def test_when_time_is_over_it_says_where_it_was(make_guest: MakeGuest, tmp_path: Path) -> None:
    async def whole() -> None:
        async with asyncio.timeout(1), Session(guest, tmp_path / "run").running() as vm:
            await vm.see("Welcome", timeout=10)
            await vm.see("Done")

    guest = make_guest(serial=["Welcome"], screen="blue")
    with pytest.raises(TimeoutError) as caught:
        asyncio.run(whole())
    assert caught.value.__cause__
    [note] = caught.value.__cause__.__notes__
    assert re.search(r"then failed: it was stopped\nthe screen reads:\n +blue\n(?s:.*):\n +Welcome", note)
    assert (tmp_path / "run/failure.png").read_text() == "blue"


def test_a_machine_that_is_not_even_built_says_what_qemu_says(make_guest: MakeGuest, tmp_path: Path) -> None:
    complaint = "qemu: Could not set up host forwarding rule"
    guest = make_guest(complains_under="tcg,thread=single", complaint=complaint)
    with pytest.raises(
        NotSeenError, match=rf"^run: reached(?s:.*)QEMU does not answer(?s:.*)\nQEMU says:\n +{complaint}\n"
    ):
        played(guest, tmp_path, lambda vm: vm.see("Welcome"))
    assert complaint in (tmp_path / "run/qemu.log").read_text()


def test_a_machine_that_breaks_down_says_what_it_showed(make_guest: MakeGuest, tmp_path: Path) -> None:
    async def scene(vm: Session) -> None:
        await vm.see("Welcome", timeout=10)
        await vm.photograph("welcome")

    with pytest.raises(NotSeenError, match=r"failed: QEMU's monitor refused 'screendump'(?s:.*)Welcome"):
        played(make_guest(serial=["Welcome"], ends_on="screendump"), tmp_path, scene)


class Appliance(BaseHTTPRequestHandler):
    """Answers as the service does."""

    def do_GET(self) -> None:
        status, body = {"/status": (200, b'{"log": {"boots": 2}}')}.get(self.path, (503, b"disk full"))
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is its parent's
        """Say nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    """The port of an appliance that answers."""
    with HTTPServer(("127.0.0.1", 0), Appliance) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_the_appliance_answers(make_guest: MakeGuest, tmp_path: Path, port: int) -> None:
    async def scene(vm: Session) -> None:
        assert await vm.get("/status") == (200, {"log": {"boots": 2}})
        assert await vm.get("/healthz") == (503, "disk full")

    played(make_guest(port=port), tmp_path, scene)


def test_the_appliance_does_not(make_guest: MakeGuest, tmp_path: Path) -> None:
    async def scene(vm: Session) -> None:
        with pytest.raises(NotSeenError, match="GET /healthz: no answer within 0 s"):
            await vm.get("/healthz", timeout=0.05)

    played(make_guest(port=1), tmp_path, scene)
