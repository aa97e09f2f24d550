"""A guest that ends at once, on QEMUs that stand in for those that there are, and on a real one."""

import itertools
from pathlib import Path

import pytest

from pipeline.boot import probe
from pipeline.steps.runner import Context
from pipeline.vm import machine
from tests.fixtures.stand_ins import install
from tests.fixtures.workshop import Workshop


@pytest.mark.parametrize(
    ("qemu", "found"),
    [
        (f"exit {probe.ENDED}\n", ""),
        ("exit 0\n", "opens, but no guest runs on it: QEMU ended with status 0"),
        (
            "echo 'KVM internal error. Suberror: 1' >&2\necho 'failed: Invalid argument' >&2\nexit 1\n",
            "opens, but no guest runs on it: failed: Invalid argument",
        ),
        ("exec sleep 60\n", "opens, but a guest did not run on it in 0.5 seconds"),
    ],
)
def test_what_is_found(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qemu: str, found: str
) -> None:
    install(programs, "qemu-system-x86_64", qemu)
    monkeypatch.setattr(probe, "SECONDS", 0.5)
    assert probe.fault(tmp_path, "kvm") == found


@pytest.mark.parametrize("opens", [True, False])
def test_a_device_that_cannot_be_opened_needs_no_guest(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opens: bool
) -> None:
    install(programs, "qemu-system-x86_64", f"exit {probe.ENDED}\n")
    monkeypatch.setattr(machine, "can_open_kvm", lambda: opens)
    probe.run(Context({}, {"accel": "kvm"}, tmp_path, tmp_path))
    found = (tmp_path / probe.FAULT).read_text()
    assert found == ("" if opens else "cannot be opened for reading and writing")


def test_the_guest_lies_where_a_processor_begins() -> None:
    image = probe.firmware()
    assert len(image) == 0x10000
    assert image[-16:] == bytes.fromhex("e90dff") + bytes(13)
    parts = sorted((place, place + len(content)) for place, content in probe.GUEST.items())
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(parts))


@pytest.mark.boot
def test_a_real_machine_is_ended_by_it(workshop: Workshop) -> None:
    out, said = workshop.run("boot", probe.run, {}, accel="tcg")
    assert (out / probe.FAULT).read_text() == "", said
