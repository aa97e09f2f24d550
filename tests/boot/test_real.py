"""Real virtual machines that must not boot: each ends soon, with the cause in one sentence."""

import importlib
from pathlib import Path

import pytest

import acceptance
from pipeline.boot import boot_test as scenario
from pipeline.build.session import Session
from pipeline.steps import efi_image, iso, uki
from pipeline.vm import machine
from tests.conftest import lacking
from tests.fixtures.workshop import Workshop

pytestmark = pytest.mark.boot

A_STORY = """\
from pipeline.boot import stories


async def never_greets(lab):
    async with lab.start(lab.machine(lab.medium("usb"), network=True)) as vm:
        await vm.see("Welcome", timeout=45)


def run(ctx):
    stories.run(ctx, {"never-greets": never_greets})
"""

TIMEOUT = 100  # seconds, of which a symptom must leave most: then the machine was ended at once
RECIPE = "truthdb-installer"


def boot(workshop: Workshop, medium: Path, way: str, timeout: float = TIMEOUT) -> tuple[Path, str]:
    params = {
        "ways": [way],
        "accel": "auto",
        "timeout": timeout,
        "welcome": "Welcome",
        "words": ["TruthDB", "0.1.0"],
        "leave": "q",
        "folder": "boot-test",
    }
    return workshop.run("boot", scenario.run, {machine.way(way).of: medium}, **params)


def made(session: Session, name: str) -> Path:
    """Return an artifact of the last build: of the image itself, not of one that it carries."""
    results = [session.builder.result(step) for step in session.images[RECIPE]]
    blobs = [result.outputs[name] for result in results if result and name in result.outputs]
    path = session.store.find(blobs[-1]) if blobs else None
    if path is None:
        lacking(f"there is no {name}: run `./doit iso` first")
    return path


def iso_with(workshop: Workshop, cmdline: str) -> Path:
    session, image = workshop.session, "TruthDBInstaller.efi"
    inputs = {
        "vmlinuz": made(session, "vmlinuz"),
        "initramfs.cpio.zst": made(session, "initramfs.cpio.zst"),
        "splash.bmp": session.root / "recipes" / RECIPE / "splash.bmp",
    }
    names = {"volume_id": "X", "publisher": "X", "application": "X"}
    said = {"os_release": "ID=test\n", "sbat": "test,1,Test,test,1,-\n"}
    uki_made = workshop.make(uki.build, image, inputs, output=image, cmdline=cmdline, **said)
    fat = workshop.make(efi_image.build, "efi.img", {"BOOTX64.EFI": uki_made})
    out, _ = workshop.run("imager", iso.build, {"efi.img": fat}, output="x.iso", readme="", **names)
    return out / "x.iso"


def test_an_empty_medium(workshop: Workshop, tmp_path: Path) -> None:
    medium = tmp_path / "empty"
    medium.write_bytes(bytes(16 << 20))
    out, said = boot(workshop, medium, "usb")
    assert "usb: reached 'firmware' after" in said
    assert "The firmware sees the medium but no FAT file system on it" in said
    assert "logs and screenshots: boot-test/usb" in said
    assert (out / "usb/failure.png").read_bytes().startswith(b"\x89PNG")


def test_a_story_of_any_product_says_why_its_machine_failed(
    workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "toy_acceptance").mkdir()
    (tmp_path / "toy_acceptance/__init__.py").write_text(A_STORY)
    monkeypatch.syspath_prepend(tmp_path)
    params = {"stories": ["never-greets"], "accel": "auto", "version": "1", "seed": 1, "folder": "boot-test"}
    run = importlib.import_module("toy_acceptance").run
    out, said = workshop.run("boot", run, {"iso": bytes(16 << 20)}, **params)
    assert "never-greets: install: reached 'firmware' after " in said
    assert "then failed: 'Welcome' did not come within 45 s" in said
    assert "The firmware sees the medium but no FAT file system on it" in said
    assert "\nprocessors: 0 at " in said
    files = {path.name for path in (out / "never-greets/install").iterdir()}
    assert files == {"serial.log", "qemu.log", "failure.png"}


@pytest.mark.parametrize(
    ("cmdline", "timeout", "cause"),
    [
        ("console=ttyS0 rdinit=/nowhere", TIMEOUT, "Linux looked for a root file system on a disk"),
        ("console=ttyS0 rdinit=/bin/mount", TIMEOUT, "PID 1 ended, and Linux cannot live without it"),
        # It waits for a disk without a word, which only the clock can tell.
        (
            "rdinit=/nowhere root=/dev/nowhere rootwait quiet",
            20,
            "neither init nor the installer reached the serial console",
        ),
    ],
)
def test_a_command_line_that_does_not_boot(
    workshop: Workshop, cmdline: str, timeout: float, cause: str
) -> None:
    _, said = boot(workshop, iso_with(workshop, cmdline), "cd", timeout)
    assert cause in said


def test_a_kernel_that_is_not_quiet_is_seen_on_the_screen(workshop: Workshop) -> None:
    """The test of the tester: the film of a quiet boot is only worth what it finds in a loud one."""
    loud = iso_with(workshop, "console=ttyS0,115200 console=tty0 rdinit=/sbin/init loglevel=7")
    inputs = {
        "iso": loud,
        "installer": made(workshop.session, "installer"),
        "payload": made(workshop.session, "vmlinuz"),
    }
    params = {"stories": ["quiet"], "accel": "auto", "version": "0.1.0", "seed": 1, "folder": "boot-test"}
    _, said = workshop.run("boot", acceptance.run, inputs, **params)
    assert said.startswith("quiet: install: reached ")
    assert "the screen shows kernel text: " in said


@pytest.mark.parametrize("way", machine.WAYS)
def test_qemu_takes_the_command_line_of_each_way(workshop: Workshop, tmp_path: Path, way: str) -> None:
    medium = tmp_path / "empty"
    medium.write_bytes(bytes(1 << 20))
    _, said = boot(workshop, medium, way)
    assert f"{way}: reached 'firmware'" in said
    assert "QEMU says" not in said
