"""Gates in the order in which a build applies them, to artifacts that lie in one another."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.checks import gate, kind
from pipeline.checks.gate import Gate
from tests.fixtures.fat import fat
from tests.fixtures.initramfs import changed
from tests.fixtures.uki import uki

CHAIN = {
    "initramfs": changed(),
    "uki": uki(),
    "fat": fat({"EFI/BOOT/BOOTX64.EFI": uki()}, clusters=400),
}


@pytest.fixture
def taken_apart(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Names of the kinds that were taken apart, in a process that has judged nothing yet."""
    found: list[str] = []
    original = kind._taken_apart

    def noted(member: Any, its: Any, *others: Any) -> Any:
        found.append(its.name)
        return original(member, its, *others)

    monkeypatch.setattr(kind, "_taken_apart", noted)
    gate._judged.cache_clear()
    yield found
    gate._judged.cache_clear()


def judged(tmp_path: Path, name: str, check: Gate) -> list[tuple[str, str]]:
    path = tmp_path / name
    path.write_bytes(CHAIN[name])
    return [(finding.code, finding.message) for finding in check(path)]


def test_what_was_judged_is_not_judged_again_in_what_it_lies_in(
    tmp_path: Path, taken_apart: list[str]
) -> None:
    alone = {}
    for name in CHAIN:
        gate._judged.cache_clear()
        alone[name] = judged(tmp_path, name, Gate(name))
    assert (taken_apart.count("initramfs"), taken_apart.count("uki")) == (3, 2)
    taken_apart.clear()
    gate._judged.cache_clear()
    assert {name: judged(tmp_path, name, Gate(name)) for name in CHAIN} == alone
    assert (taken_apart.count("initramfs"), taken_apart.count("uki"), taken_apart.count("fat")) == (1, 1, 1)


def test_other_bytes_of_the_same_size_are_judged(tmp_path: Path, taken_apart: list[str]) -> None:
    judged(tmp_path, "initramfs", Gate("initramfs"))
    path = tmp_path / "other.efi"
    path.write_bytes(uki({".initrd": changed()[:-8] + bytes(8)}))
    assert any(".initrd" in finding.message for finding in Gate("uki")(path))
    assert taken_apart.count("initramfs") == 2


def test_another_gate_judges_for_itself(tmp_path: Path, taken_apart: list[str]) -> None:
    judged(tmp_path, "initramfs", Gate("initramfs"))
    for other in (Gate("uki", policies=()), Gate("uki", programs=("/bin/other",))):
        found = judged(tmp_path, "uki", other)
        assert any("/bin/other" in message for _, message in found) is bool(other.programs)
    assert taken_apart.count("initramfs") == 3


def test_a_fault_is_found_again_in_what_it_lies_in(tmp_path: Path, taken_apart: list[str]) -> None:
    check = {name: Gate(name, programs=("/bin/missing",)) for name in CHAIN}
    found = {name: judged(tmp_path, name, check[name]) for name in ("initramfs", "uki")}
    inside = [(code, f".initrd: {message}") for code, message in found["initramfs"]]
    assert inside
    assert set(inside) <= set(found["uki"])
    assert taken_apart.count("initramfs") == 1
