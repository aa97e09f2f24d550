import json
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from acceptance import STORIES
from pipeline.boot.stories import INITRAMFS, VMLINUZ
from pipeline.build.session import Session
from pipeline.cli import boot_inputs, boot_test
from pipeline.config import validate
from pipeline.errors import ConfigError, PipelineError
from pipeline.plan.step import Output, Source, Step
from pipeline.project import proof
from pipeline.project.acceptance import Acceptance
from pipeline.project.checkout import load
from pipeline.report import Line, Report
from pipeline.sandbox.run import StepError
from pipeline.vm.machine import BY_BIOS, WAYS
from tests.conftest import ROOT
from tests.fixtures import checkout as toy
from tests.plan.test_systems import without_iso

RESULTS: list[tuple[str, dict[str, object]]] = [
    ("usb", {"way": "usb", "passed": True, "seconds": {"power on": 0.0, "firmware": 1.25, "rebooted": 9.0}}),
    ("cd", {"way": "cd", "passed": False, "seconds": {"power on": 0.0}}),
    ("install/nvme", {"story": "nvme", "seconds": 40.0, "times": {"to Done": 22.0}, "failure": ""}),
    ("install/ahci", {"story": "ahci", "seconds": 3.0, "times": {}, "failure": "the machine ended"}),
]


def test_one_row_a_boot_and_a_story_in_their_order(tmp_path: Path) -> None:
    for number, (name, result) in enumerate(RESULTS):
        path = tmp_path / "boot-test" / name / "result.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(result))
        os.utime(path, (number, number))
    assert boot_test.rows(tmp_path) == [
        ("usb", "ok", "9.0", "firmware 1.2 s, rebooted 9.0 s"),
        ("cd", "FAILED", "0.0", ""),
        ("nvme", "ok", "40.0", "to Done 22.0 s"),
        ("ahci", "FAILED", "3.0", ""),
    ]


def test_where_nothing_ran_there_is_nothing_to_say(tmp_path: Path) -> None:
    assert boot_test.rows(tmp_path) == []


TOLD = load(ROOT).recipes["truthdb-installer"].acceptance
LONG = TOLD.long if TOLD else ()
"""Stories that are told where they are named."""


@pytest.mark.parametrize(
    ("only", "ways", "stories"),
    [
        ([], list(WAYS), [name for name in STORIES if name not in LONG]),
        (["usb"], ["usb"], []),
        (["nvme", "serial"], [], ["serial", "nvme"]),
        (["keyboard", "cd"], ["cd"], ["keyboard"]),
    ],
)
def test_what_is_run(session: Session, only: list[str], ways: list[str], stories: list[str]) -> None:
    assert boot_test.chosen(session, "truthdb-installer", only) == (ways, stories)


ACCEPTANCE = """
[acceptance]
welcome = "login:"
long = ["whole-night"]

[acceptance.play.short]
way = "nvme"
rows = [{ sees = "login:" }]

[acceptance.play.whole-night]
way = "virtio-blk"
rows = [{ sees = "login:" }]
"""


@pytest.fixture
def system(tmp_path: Path) -> Session:
    """A session whose recipe is a whole system, with stories and no ISO."""
    return Session(without_iso(tmp_path, ACCEPTANCE), Report())


@pytest.mark.parametrize(
    ("only", "everything", "chosen"),
    [
        ([], False, (["virtio-blk"], ["short"])),
        ([], True, (["virtio-blk"], ["short", "whole-night"])),
        (["whole-night"], False, ([], ["whole-night"])),
        (["virtio-blk", "cd"], True, (["virtio-blk"], [])),
    ],
)
def test_what_is_run_of_a_whole_system(
    system: Session, only: list[str], *, everything: bool, chosen: tuple[list[str], list[str]]
) -> None:
    assert boot_test.chosen(system, "toy", only, everything=everything) == chosen


def test_a_release_waits_for_no_long_story(system: Session) -> None:
    assert boot_test.unproved(system, "toy") == ["virtio-blk", "short"]


def test_what_a_system_s_stories_are_given(system: Session) -> None:
    made = {
        name: (source.step.name, source.name)
        for name, source in boot_inputs.inputs(system, "toy").items()
        if isinstance(source, Output)
    }
    assert made == {
        "uki": ("uki:toy", "Toy.efi"),
        "disk": ("disk:toy", "toy.raw"),
        "vhd": ("disk:toy:vhd", "toy.vhd"),
        "ova": ("disk:toy:ova", "toy.ova"),
    }


def test_an_image_has_the_disks_of_what_it_carries(system: Session) -> None:
    recipes, steps = system.project.recipes, system.images["toy"]
    image = replace(recipes["toy"].image, carries="toy")
    around = replace(recipes["toy"], image=image, disk=None, acceptance=None)
    vars(system)["project"] = replace(system.project, recipes={**recipes, "around": around})
    vars(system)["plans"] = {"toy": steps, "around": steps}
    assert boot_inputs.disks(system, "around") == boot_inputs.disks(system, "toy") != {}
    assert system.proved == ["toy"]
    for image_name, said in (
        ("nothing", "'nothing' is no image with anything to prove\n  hint: choose from toy"),
        ("around", "'around' is no image with anything to prove\n  hint: choose from toy"),
    ):
        with pytest.raises(PipelineError) as caught:
            boot_test.judge(system, "", image_name, "auto")
        assert str(caught.value) == said


def test_only_what_is_named_is_tested(
    system: Session, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tested: list[tuple[object, ...]] = []
    made: list[object] = []
    monkeypatch.setattr(boot_test, "test", lambda _, image, *__, **___: tested.append((image, *made)))
    monkeypatch.setattr("pipeline.cli.realise.realise", lambda _, steps: made.append(steps))
    boot_test.boot_test(system, "cd", "", False, "tcg", 0)
    assert tested == []
    boot_test.boot_test(system, "short", "", False, "tcg", 0)
    assert tested == [("toy",)]
    boot_test.boot_test(system, "", "toy", False, "tcg", 0)
    assert tested[1:] == [("toy", system.images["toy"])]


ISO_ALONE = "starts an ISO, and there is no [iso]; a disk is on virtio-blk, virtio-scsi, ahci, nvme"


@pytest.mark.parametrize(
    ("old", "other", "said"),
    [
        ('way = "nvme"\n', "", f": acceptance.play.short.way: 'cd' {ISO_ALONE}"),
        ('"nvme"', '"usb"', f": acceptance.play.short.way: 'usb' {ISO_ALONE}"),
        (
            '[disk]\nsize = "1G"\nformats = ["vhd", "ova"]\n',
            "",
            ": acceptance.play.short.way: 'nvme' starts a whole system, and there is no [disk]",
        ),
        (
            '"nvme"',
            '"isa"',
            ": acceptance.play.short.way: 'isa' is not 'cd', 'usb', 'disk', 'cd-bios', 'usb-bios', "
            "'virtio-blk', 'virtio-scsi', 'ahci' or 'nvme'",
        ),
    ],
)
def test_a_way_that_the_image_cannot_be_started_by(system: Session, old: str, other: str, said: str) -> None:
    recipe = system.root / "recipes/toy/recipe.toml"
    text = recipe.read_text()
    assert old in text
    recipe.write_text(text.replace(old, other))
    with pytest.raises(ConfigError) as caught:
        load(system.root)
    assert caught.value.mistakes == [f"recipes/toy/recipe.toml{said}"]


def test_a_name_that_is_neither(session: Session) -> None:
    boot_test.judge(session, "usb,nvme", "", "tcg")
    with pytest.raises(PipelineError) as caught:
        boot_test.judge(session, "usb,floppy", "", "auto")
    known = ", ".join((*WAYS, *STORIES))
    assert str(caught.value) == (
        f"'floppy' is neither a way of booting nor an installation\n  hint: choose from {known}"
    )


def test_rows_and_package_are_both_played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session(toy.write(tmp_path), Report())
    played: list[tuple[str, Path]] = []

    def unused(_ctx: object) -> None: ...

    def fail(step: Step, _builder: object, _out: Path, log: Path, *_: object, **__: object) -> None:
        played.append((step.name, log))
        raise StepError(f"{step.name} failed", f"its log: {log.name}")

    proofs = [Acceptance(name, (name,), unused) for name in ("play-test", "install-test")]
    monkeypatch.setattr("pipeline.project.acceptance.of", lambda *_: proofs)
    monkeypatch.setattr(boot_test, "accelerator", lambda *_: "tcg")
    monkeypatch.setattr(boot_test, "run_uncached", fail)
    assert session.images
    monkeypatch.setattr(boot_test, "container", lambda _: None)
    with pytest.raises(StepError) as caught:
        boot_test.test(
            session, "toy", ["play-test", "install-test"], "auto", 1, Line.silent(), everything=False
        )
    tested = session.folder("toy") / "boot-test" / boot_test.TESTED
    assert json.loads(tested.read_text()) == {"iso": None, "uki": None}  # which nobody has made
    logs = session.folder("toy") / "logs"
    assert played == [(name, logs / f"{name}.log") for name in ("play-test", "install-test")]
    assert str(caught.value) == (
        "play-test failed\ninstall-test failed\n  hint: its log: play-test.log; its log: install-test.log"
    )


@pytest.fixture
def locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    """A session whose container for machines is the imager, locked for arm64, too."""
    monkeypatch.setattr(boot_test, "CONTAINER", "imager")
    return Session(toy.for_arm64(toy.write(tmp_path), "imager"), Report())


def on(session: Session, architecture: str) -> Session:
    vars(session)["containers"] = SimpleNamespace(engine=SimpleNamespace(architecture=architecture))
    return session


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_machines_run_in_a_container_of_the_engine_s_own_architecture(
    locked: Session, architecture: str
) -> None:
    assert boot_test.container(on(locked, architecture)).architecture == architecture
    step = boot_test._step(locked, "boot-test", lambda _: None, {}, {})
    assert step.container == locked.project.lock_of("imager", architecture)
    assert {each.container.architecture for each in locked.images["toy"] if each.container} == {"amd64"}


def test_an_engine_for_whose_architecture_there_is_no_such_container(locked: Session) -> None:
    with pytest.raises(PipelineError, match=r"'riscv64', the container engine's, is none of amd64, arm64\n"):
        boot_test.container(on(locked, "riscv64"))


def test_no_machine_runs_on_the_kvm_of_another_architecture(
    locked: Session, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(boot_test, "run_uncached", lambda *_, **__: pytest.fail("KVM was tried"))
    session, line = on(locked, "arm64"), Line("boot", locked.report)
    assert [boot_test.accelerator(session, "toy", each, line) for each in ("tcg", "auto")] == ["tcg", "tcg"]
    assert "without KVM: /dev/kvm is arm64's, and runs no x86-64 machine" in capsys.readouterr().out
    with pytest.raises(PipelineError) as caught:
        boot_test.accelerator(session, "toy", "kvm", line)
    assert str(caught.value) == (
        "/dev/kvm is arm64's, and runs no x86-64 machine\n"
        "  hint: leave it to `--accel auto`, or do without: `--accel tcg`"
    )


@pytest.mark.parametrize(("key", "good"), [("meta_l", True), ("ret", True), ("a-b", False), ("F2", False)])
def test_keys_are_called_as_qemu_has_them(key: str, *, good: bool) -> None:
    told: dict[str, object] = {
        "welcome": "Hello",
        "leave": key,
        "play": {"x": {"rows": [{"presses": [key]}]}},
    }
    mistakes: list[str] = []
    validate(proof.Acceptance, told, "x", mistakes)
    assert len(mistakes) == (0 if good else 2), mistakes


def test_no_row_is_told_under_the_name_of_a_way() -> None:
    told: dict[str, object] = {"play": {name: {"rows": []} for name in (*WAYS, *BY_BIOS, "usb-2", "nvme")}}
    mistakes: list[str] = []
    validate(proof.Acceptance, told, "x", mistakes)
    assert len(mistakes) == len(WAYS) + len(BY_BIOS), mistakes


def test_no_story_has_the_name_of_a_way() -> None:
    assert not set(WAYS) & set(STORIES)


def test_an_installation_has_the_program_and_what_it_installs(session: Session) -> None:
    parts = {
        name: source
        for name, source in boot_inputs.inputs(session, "truthdb-installer").items()
        if name not in ("iso", "uki") and not name.startswith("netboot/")
    }
    made = {name: source.step.name for name, source in parts.items() if isinstance(source, Output)}
    assert made == {
        "firmware.initramfs": "initramfs:truthdb-probe",
        "firmware.vmlinuz": "kernel:runtime",
        "installer": "installer:truthdb-installer",
        "payload": "uki:truthdb-runtime",
        "qcow2": "disk:truthdb-runtime:qcow2",
        "vhd": "disk:truthdb-runtime:vhd",
    }
    without = boot_inputs.inputs(session, "truthdb-installer", disks=False)
    assert made.keys() - without.keys() == {"qcow2", "vhd"}
    assert parts["product"] == Source(ROOT / "recipes/truthdb-installer/product.toml")


def test_stories_have_a_kernel_and_an_initramfs_in_place_of_firmware(session: Session) -> None:
    recipes = session.project.recipes
    named = {name: recipe.acceptance.firmware for name, recipe in recipes.items() if recipe.acceptance}
    (image, firmware), *_ = ((image, name) for image, name in named.items() if name)
    given = boot_inputs.inputs(session, image)
    made = {name: source.step.name for name, source in given.items() if isinstance(source, Output)}
    assert made[INITRAMFS] == f"initramfs:{firmware}"
    assert made[VMLINUZ].startswith("kernel:")
    assert {made[INITRAMFS], made[VMLINUZ]} < {
        step.name for step in boot_inputs.firmware_steps(session, image)
    }
    (without, *_) = (image for image, name in named.items() if not name)
    assert boot_inputs.firmware_steps(session, without) == ()
    assert not {INITRAMFS, VMLINUZ} & boot_inputs.inputs(session, without).keys()


def test_what_a_server_offers_lies_in_one_folder(session: Session) -> None:
    given = boot_inputs.inputs(session, "truthdb-installer")
    offered = {name: source for name, source in given.items() if name.startswith("netboot/")}
    made = {name: source for name, source in offered.items() if isinstance(source, Output)}
    assert [name for name, source in made.items() if source.name not in source.step.published] == []
    assert {name: source.step.name for name, source in made.items()} == {
        "netboot/TruthDBInstaller.efi": "uki:truthdb-installer",
        "netboot/vmlinuz": "kernel:installer",
        "netboot/initramfs.cpio.zst": "initramfs:truthdb-installer",
        "netboot/boot.ipxe": "netboot:truthdb-installer",
        "netboot/cmdline.txt": "uki:truthdb-installer",
    }
