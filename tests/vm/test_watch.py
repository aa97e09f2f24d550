from pipeline.vm.stages import Stage
from pipeline.vm.symptoms import Cause
from pipeline.vm.watch import Watch
from tests.vm import excerpts

OTHERWISE = Cause("It is not known.", "look")

LAST_WORDS = """\
reached 'firmware' after 1.2 s, then failed: it stopped
It is not known. (look)
QEMU says:
    register 0
    register 1
    register 2
    register 3
    register 4
    register 5
    register 6
    register 7
the screen reads:
    a word
    another
the serial console shows (serial.log has all of it):
    last words
processors: 0 at 7e5d3b2a (ring 0)"""


def test_serial_output_moves_the_stages() -> None:
    told: list[Stage] = []
    watch = Watch(lambda stage, _: told.append(stage), "Welcome")
    watch.hear((excerpts.LOADED + excerpts.GREETING).encode())
    assert told == [Stage.FIRMWARE, Stage.LOADER, Stage.SERIAL]
    assert watch.stage is Stage.SERIAL
    assert [event for _, event in watch.timeline] == ["firmware", "EFI program", "greeting on serial"]
    assert watch.showing() == []


def test_a_stage_is_reached_once() -> None:
    watch = Watch()
    watch.reach(Stage.KERNEL, 1.5)
    watch.reach(Stage.KERNEL, 2.5)
    assert watch.times[Stage.KERNEL] == 1.5
    assert watch.timeline == [(1.5, "kernel")]


def test_a_symptom_shows_wherever_it_is() -> None:
    on_serial, on_screen, in_messages = (Watch() for _ in range(3))
    on_serial.hear(excerpts.NO_ROOT.encode())
    on_screen.see(excerpts.NO_ROOT_BY_OCR)
    in_messages.overhear("gtk initialization failed\n")
    for watch in (on_serial, on_screen, in_messages):
        assert watch.is_news
        assert watch.showing()


def test_what_firmware_said_explains_nothing_once_a_kernel_runs() -> None:
    watch = Watch()
    assert watch.diagnose(OTHERWISE) == OTHERWISE
    watch.hear(excerpts.NOT_FOUND.encode())
    found = watch.diagnose(OTHERWISE)
    assert found
    assert found.sentence.startswith("The firmware found no EFI/BOOT/BOOTX64.EFI")
    watch.reach(Stage.KERNEL)
    assert watch.diagnose(OTHERWISE) == OTHERWISE


def test_last_words() -> None:
    watch = Watch()
    assert watch.last_words("it stopped", None) == (
        "reached 'power on' after 0.0 s, then failed: it stopped\nthe serial console said nothing"
    )
    watch.reach(Stage.FIRMWARE, 1.2)
    watch.hear(b"\x1b[2J\r\nlast words")
    watch.see("a word\n\nanother\n")
    watch.processors = "0 at 7e5d3b2a (ring 0)"
    for number in range(20):
        watch.overhear(f"register {number}\n")
    assert watch.last_words("it stopped", OTHERWISE) == LAST_WORDS
    assert watch.last_words("It is not known. Really.", OTHERWISE).splitlines()[1] == "QEMU says:"
