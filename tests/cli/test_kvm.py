"""What is known of KVM: asked once a boot, believed for that boot and that QEMU alone."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli import kvm
from pipeline.errors import PipelineError
from pipeline.store.cache import Store
from tests.fixtures.toy_step import LOCK

FAULT = "opens, but a guest did not run on it in 5 seconds"


@dataclass(frozen=True)
class Engine:
    address: str = "unix:///x"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    (tmp_path / "boot_id").write_text("one\n")
    monkeypatch.setattr(kvm, "BOOT_ID", tmp_path / "boot_id")
    (tmp_path / "cache").mkdir()
    return Store(tmp_path / "cache")


def known(store: Store, engine: Any = Engine(), lock: Any = LOCK) -> str | None:
    return kvm.remembered(store, engine, lock)


@pytest.mark.parametrize("fault", ["", FAULT])
def test_it_is_remembered_until_something_changes(store: Store, tmp_path: Path, fault: str) -> None:
    engine: Any = Engine()
    assert known(store) is None
    kvm.remember(store, engine, LOCK, fault)
    assert known(store) == fault
    assert known(store, Engine("tcp://other")) is None
    assert known(store, lock=replace(LOCK, layer="3" * 64)) is None
    (tmp_path / "boot_id").write_text("two\n")
    assert known(store) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"where": 1, "fault": 2}', "\udcff"])
def test_a_damaged_memory_is_none(store: Store, text: str) -> None:
    (store.root / "kvm.json").write_bytes(text.encode(errors="surrogateescape"))
    assert known(store) is None


def test_where_boots_look_alike_nothing_is_remembered(store: Store, tmp_path: Path) -> None:
    (tmp_path / "boot_id").unlink()
    engine: Any = Engine()
    kvm.remember(store, engine, LOCK, "")
    assert known(store) is None


@pytest.mark.parametrize(
    ("wanted", "fault", "given", "notes"),
    [
        ("auto", "", "auto", []),
        ("auto", FAULT, "tcg", [f"without KVM: /dev/kvm {FAULT}"]),
        ("kvm", "", "kvm", []),
        ("tcg", FAULT, "tcg", []),
    ],
)
def test_the_accelerator_that_is_asked_for(wanted: str, fault: str, given: str, notes: list[str]) -> None:
    said: list[str] = []
    assert kvm.settled(wanted, lambda: fault, said.append) == given
    assert said == notes


def test_kvm_that_is_demanded_and_does_not_work() -> None:
    with pytest.raises(PipelineError) as caught:
        kvm.settled("kvm", lambda: FAULT, print)
    assert caught.value.message == f"/dev/kvm {FAULT}"


def test_nothing_is_tried_for_an_unknown_accelerator() -> None:
    with pytest.raises(PipelineError) as caught:
        kvm.settled("xen", lambda: pytest.fail("tried"), print)
    assert caught.value.message == "'xen' is an unknown accelerator"
