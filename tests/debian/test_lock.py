"""Locks: what they are matched by, and how they read."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline import config
from pipeline.debian import lock
from pipeline.debian.lock import Intent, Lock
from tests.fixtures.checkout import EPOCH, SNAPSHOT, lock_of

INTENT = Intent("Tools.", ("gcc", "make"), {"usr/bin/cc": "gcc"}, ("usr/share/x/*",))
LOCK = lock_of("toy", INTENT)


def test_a_lock_is_read_as_it_was_written_one_package_a_line(tmp_path: Path) -> None:
    path = tmp_path / "toy.lock.json"
    lock.write(LOCK, path)
    mistakes: list[str] = []
    assert config.read(Lock, path, "toy", mistakes) == LOCK
    assert mistakes == []
    lines = path.read_text().splitlines()
    assert [json.loads(line.strip().rstrip(","))["name"] for line in lines[-4:-2]] == ["gcc", "make"]
    assert lines[-2:] == ["  ]", "}"]
    assert [each.name for each in tmp_path.iterdir()] == ["toy.lock.json"]


def test_dates_of_indices_are_kept(tmp_path: Path) -> None:
    dated = replace(LOCK, indices={"debian/trixie": SNAPSHOT})
    lock.write(dated, tmp_path / "toy.lock.json")
    assert config.read(Lock, tmp_path / "toy.lock.json", "toy", []) == dated


def test_a_lock_for_another_architecture_says_so(tmp_path: Path) -> None:
    other = replace(LOCK, architecture="arm64")
    assert (lock.path_of(LOCK.name), lock.path_of(other.name)) == (
        "manifests/toy.lock.json",
        "manifests/toy.arm64.lock.json",
    )
    assert [lock.meant_by(each.name) for each in (LOCK, other)] == [("toy", "amd64"), ("toy", "arm64")]
    lock.write(other, tmp_path / "toy.arm64.lock.json")
    assert config.read(Lock, tmp_path / "toy.arm64.lock.json", "toy", []) == other
    assert '\n  "architecture": "arm64",\n' in lock.text_of(other)
    assert "architecture" not in lock.text_of(LOCK)


def test_epoch_and_tag() -> None:
    assert (LOCK.epoch, LOCK.tag) == (EPOCH, "installer-iso/toy:3333333333333333")


@pytest.mark.parametrize(
    "changed",
    [
        replace(INTENT, packages=("gcc",)),
        replace(INTENT, links={"usr/bin/cc": "clang"}),
        replace(INTENT, without=()),
    ],
)
def test_what_an_intent_s_digest_sees(changed: Intent) -> None:
    assert lock.mismatches(LOCK, "toy", changed, SNAPSHOT) == [
        "manifests/toy.lock.json: was made from another containers/toy.toml"
    ]


@pytest.mark.parametrize(
    "same",
    [
        INTENT,
        replace(INTENT, summary="Other."),
        replace(INTENT, packages=("make", "gcc")),
        replace(INTENT, architectures=("amd64", "arm64")),
    ],
)
def test_what_it_does_not(same: Intent) -> None:
    assert lock.mismatches(LOCK, "toy", same, SNAPSHOT) == []


def test_a_lock_of_another_container_or_snapshot() -> None:
    assert lock.mismatches(LOCK, "kernel", INTENT, "20270101T000000Z") == [
        "manifests/kernel.lock.json: container: 'toy' is not 'kernel'",
        "manifests/kernel.lock.json: is of the snapshot 20261121T000000Z,"
        " the manifest wants 20270101T000000Z",
    ]


def test_a_lock_for_another_architecture_in_its_place() -> None:
    there = "manifests/toy.lock.json"
    assert lock.mismatches(replace(LOCK, architecture="arm64"), "toy", INTENT, SNAPSHOT) == [
        f"{there}: container: 'toy.arm64' is not 'toy'",
        f"{there}: packages: 'gcc' is for amd64, not for arm64",
        f"{there}: packages: 'make' is for amd64, not for arm64",
    ]
    arm64 = tuple(replace(each, path=each.path.replace("_amd64", "_arm64")) for each in LOCK.packages)
    assert lock.mismatches(replace(LOCK, packages=arm64), "toy", INTENT, SNAPSHOT) == [
        f"{there}: packages: 'gcc' is for arm64, not for amd64",
        f"{there}: packages: 'make' is for arm64, not for amd64",
    ]
    whole = replace(LOCK, packages=arm64, architecture="arm64")
    assert lock.mismatches(whole, "toy.arm64", INTENT, SNAPSHOT) == []
