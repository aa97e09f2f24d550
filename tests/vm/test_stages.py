import pytest

from pipeline.vm.serial_terminal import Terminal
from pipeline.vm.stages import SIGNS, TITLES, Stage, plain
from pipeline.vm.watch import Watch
from tests.vm import excerpts

KERNEL = "[    0.000000] Linux version 6.12.48\r\n"
INIT = "init started: BusyBox v1.37.0\r\n"
WHOLE = excerpts.LOADED + KERNEL + INIT + excerpts.GREETING
FROM_SERIAL = {Stage.FIRMWARE, *(stage for stage, _ in SIGNS), Stage.SERIAL}


def seen(*reads: bytes) -> set[Stage]:
    watch = Watch(welcome="Welcome")
    for data in reads:
        watch.hear(data)
    return set(watch.times) - {Stage.POWER}


def test_each_sign_is_seen_in_turn() -> None:
    watch = Watch(welcome="Welcome")
    stages = []
    for step in (excerpts.CLEAR, excerpts.LOADED, KERNEL, INIT, excerpts.GREETING):
        watch.hear(step.encode())
        stages.append(watch.stage)
    assert stages == sorted(FROM_SERIAL)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
def test_reads_may_end_anywhere(size: int) -> None:
    data = WHOLE.encode()
    assert seen(*(data[at : at + size] for at in range(0, len(data), size))) == FROM_SERIAL


@pytest.mark.parametrize("text", [excerpts.NOT_FOUND + excerpts.TO_SHELL, "Wel\r\ncome", "Linux", "init"])
@pytest.mark.parametrize("size", [1, 1000])
def test_the_shell_and_fragments_are_no_sign(text: str, size: int) -> None:
    data = text.encode()
    assert seen(*(data[at : at + size] for at in range(0, len(data), size))) == {Stage.FIRMWARE}


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        ("\x1b[1;32mgreen\x1b[0m word", "green word"),
        ("a\x1b[07;01Hb", "a\nb"),
        ("\x1b[2J\x1b[Htop", "top"),
        ("title\x1b]0;window\x07 x\x1b]2;other\x1b\\y", "title xy"),
        ("\x1b(Bset\x1b7\x1b8\x1b=", "set"),
        ("one\r\n\r\n  two  \r\n", "one\n  two"),
        ("cut\x1b[3", "cut"),
        ("\x1b[?25lhidden\x1b[?25h", "hidden"),
    ],
)
def test_plain(raw: str, read: str) -> None:
    assert plain(raw) == read


def test_text_keeps_the_end_and_survives_split_and_bad_utf8() -> None:
    terminal = Terminal()
    for byte in "naïve".encode() + b"\xff!":
        terminal.feed(bytes([byte]))
    assert terminal.said() == "naïve�!"
    assert terminal.said(last=2) == "�!"


def test_every_stage_has_a_title() -> None:
    assert list(TITLES) == sorted(Stage)
    assert str(Stage.SERIAL) == "greeting on serial"
