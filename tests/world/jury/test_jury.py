"""The jury's table and its page belong together, and a sample of the table is tried."""

import json
import os
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.build.session import Session
from pipeline.formats.bzimage import read_bzimage
from pipeline.formats.elf import read_elf
from pipeline.formats.initramfs import read_initramfs
from pipeline.formats.pe import EFI_APPLICATION, machine_name, read_pe
from pipeline.sandbox.docker import Engine
from tests.conftest import ROOT
from tests.fixtures.specimens import unpack
from tests.fixtures.workshop import Workshop
from tests.world.jury import agreement, loaded, measured, programs, tpm, trials, unlocking
from tests.world.jury.layouts import drawn
from tests.world.jury.machines import WAYS as MACHINES
from tests.world.jury.machines import by_bios, by_linux, by_uefi
from tests.world.jury.programs import WORD
from tests.world.jury.row import STORED, TITLES, WAYS, Row
from tests.world.jury.table import GROUPS, KERNEL, MBR_CODE, SPECIMENS, TABLE
from tests.world.jury.verdict import Agreement, Trial, compare

SAMPLE = 20
SEED = int(os.environ.get("JURY_SEED", "10"))
PATIENCE = int(os.environ.get("JURY_PATIENCE", "1"))


def test_programs_are_what_they_say() -> None:
    pe = read_pe(programs.efi())
    assert (machine_name(pe.machine), pe.subsystem) == ("x86-64", EFI_APPLICATION)
    assert read_pe(programs.efi(machine=programs.I386)).machine == programs.I386
    assert read_elf(programs.init(interpreter="/lib/ld.so")).interpreter == "/lib/ld.so"
    assert len(programs.bios_code()) <= MBR_CODE
    assert programs.bios_code(64)[64:69] == bytes.fromhex("ea457c0000")
    assert read_pe(measured.PROGRAM).section(".text") is not None


def test_the_kernel_for_boot_loaders_is_one_by_all_of_its_headers() -> None:
    header, pe = read_bzimage(loaded.kernel()), read_pe(loaded.kernel())
    assert (header.protocol, header.version, header.relocatable) == ((2, 12), "6.0.0-jury", True)
    assert (machine_name(pe.machine), pe.subsystem) == ("x86-64", EFI_APPLICATION)
    assert len(read_initramfs(loaded.INITRD)) == 1


def test_layouts_are_the_same_for_a_seed() -> None:
    rows = drawn(12, 3)
    assert rows == drawn(12, 3)
    assert len(rows) == 12
    assert all(row.recipe and row.ways for row in rows.values())


BOOT = 'BdsDxe: {} Boot000{} "UEFI QEMU HARDDISK JURY{} " from PciRoot(0x0)'


def test_every_row_has_a_name_of_its_own_and_a_way() -> None:
    assert len(TABLE) == sum(map(len, GROUPS.values()))
    assert len(TABLE) >= 150
    assert set(WAYS) == set(TITLES) == set(MACHINES)
    for name, row in TABLE.items():
        assert row.ways, name
        assert set(row.differs) <= set(row.ways) <= set(WAYS), name


def test_the_page_is_of_this_table() -> None:
    seen = json.loads((ROOT / agreement.SEEN).read_text())
    stale = [key for key in agreement.every_trial() if seen.get(key, {}).get("recipe") != _digest(key)]
    assert stale == [], f"`python -m tests.world.jury {stale[0].partition(':')[0]}` tries it"
    assert list(seen) == agreement.every_trial()
    assert (ROOT / agreement.PAGE).read_text().splitlines() == agreement.write(seen).splitlines()


def _digest(key: str) -> str:
    return agreement.digest(TABLE[key.partition(":")[0]])


def test_nothing_disagrees_on_the_page() -> None:
    seen = json.loads((ROOT / agreement.SEEN).read_text())
    assert [key for key, one in seen.items() if one["agreement"] == "disagreed"] == []


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("", {}),
        (BOOT.format("loading", 1, 0), {}),
        (f"{BOOT.format('failed to load', 1, 0)}: Not Found\r\n", {0: False}),
        (f"{BOOT.format('starting', 1, 0)}\r\n", {}),
        (f"{BOOT.format('starting', 1, 0)}\r\n{WORD}\r\n", {0: True}),
        (f"{BOOT.format('starting', 1, 0)}\r\n{BOOT.format('loading', 2, 1)}", {0: False}),
        (
            f"{BOOT.format('starting', 2, 1)}\r\n{WORD}\r\n{BOOT.format('failed to load', 1, 0)}",
            {0: False, 1: True},
        ),
        (
            f"{BOOT.format('starting', 2, 1)}\r\n\x1b[2J{WORD}\r\nNo bootable option or device",
            {0: False, 1: True},
        ),
        (f"{BOOT.format('starting', 7, 5)}\r\n{WORD}\r\n", {}),
        (f"{BOOT.format('failed to load', 1, 0)}: Access Denied\r\n\r\n{WORD}\r\n", {0: False}),
    ],
)
def test_what_the_boot_manager_says_is_read(said: str, found: dict[int, bool]) -> None:
    assert by_uefi(said, 2, WORD) == found


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("SeaBIOS\nBooting from DVD/CD...\n", {}),
        (f"Booting from DVD/CD...\nBooting from 0000:7c00\n{WORD}\n", {0: False, 1: True}),
        ("Booting from DVD/CD...\nBoot failed: Could not read from CDROM (code 0003)\n", {0: False}),
        ("Booting from Hard Disk...\nNo bootable device.\n", {0: False, 1: False}),
    ],
)
def test_what_seabios_says_is_read(said: str, found: dict[int, bool]) -> None:
    assert by_bios(said, 2, WORD) == found


@pytest.mark.parametrize(
    ("said", "found"),
    [("", {}), (f"\r\n{WORD}\r\n", {0: True}), ("Kernel panic - not syncing: No working init", {0: False})],
)
def test_what_linux_says_is_read(said: str, found: dict[int, bool]) -> None:
    assert by_linux(said, 1, WORD) == found


def _answer(verdict: str, **conditions: str) -> dict[str, object]:
    found = [{"what": what, "value": value} for what, value in conditions.items()]
    return {"verdict": verdict, "conditions": found, "because": ""}


@pytest.mark.parametrize(
    ("answer", "way", "started", "differs", "agreement"),
    [
        (_answer("yes"), "uefi_512", True, {}, "agreed"),
        (_answer("yes"), "uefi_512", False, {}, "disagreed"),
        (_answer("no"), "uefi_512", True, {}, "disagreed"),
        (_answer("no"), "uefi_4096", False, {}, "agreed"),
        (_answer("unknown"), "uefi_512", False, {}, "not said"),
        (_answer("not applicable"), "uefi_512", False, {}, "agreed"),
        (_answer("yes"), "uefi_4096", True, {}, "agreed"),
        (_answer("yes", block_size="4096"), "uefi_4096", True, {}, "agreed"),
        (_answer("yes", block_size="4096"), "uefi_512", True, {}, "disagreed"),
        (_answer("yes", block_size="512"), "uefi_4096", False, {}, "agreed"),
        (_answer("yes", firmware="EDK II"), "uefi_512", True, {}, "agreed"),
        (_answer("yes", firmware_bits="32"), "uefi_512", False, {}, "agreed"),
        (_answer("yes", sbat_level="2024010900"), "uefi_512", True, {}, "agreed"),
        (_answer("yes"), "uefi_512", False, {"uefi_512": "a reason"}, "known"),
        (_answer("yes"), "uefi_512", True, {"uefi_512": "a reason that holds no more"}, "disagreed"),
    ],
)
def test_an_answer_is_compared_with_what_was_seen(
    answer: dict[str, object], way: str, started: bool, differs: dict[str, str], agreement: Agreement
) -> None:
    row = Row("", "", (way,), None, differs)
    assert compare("x", row, way, {"uefi_disk": answer}, started=started).agreement == agreement


@pytest.mark.parametrize(
    ("answer", "because", "stopped", "agreement"),
    [
        (_answer("no"), "whom nothing in db vouches for", "denied", "agreed"),
        (_answer("no"), "whom nothing in db vouches for", "no", "disagreed"),
        (_answer("no"), "whom nothing in db vouches for", "signer in dbx", "disagreed"),
        (_answer("no"), "it is signed by Jury revoked, which is in dbx", "signer in dbx", "agreed"),
        (_answer("no"), "it is signed by Jury revoked, which is in dbx", "denied", "disagreed"),
        (_answer("no"), "the digest of it (sha256 1234…) is in dbx", "digest in dbx", "agreed"),
        (_answer("no"), "the digest of it (sha256 1234…) is in dbx", "signer in dbx", "disagreed"),
        (_answer("yes"), "", "", "agreed"),
        (_answer("yes", signature="ECDSA"), "", "denied", "agreed"),
        (_answer("unknown"), "", "denied", "not said"),
    ],
)
def test_what_stops_a_program_is_compared(
    answer: dict[str, object], because: str, stopped: str, agreement: Agreement
) -> None:
    answers: dict[str, dict[str, object]] = {
        "uefi": _answer("yes"),
        "architecture": {"value": "x86-64"},
        "secure_boot": answer | {"because": because},
    }
    way, row = STORED[0], Row("", "", STORED)
    assert compare("x", row, way, answers, started=not stopped, stopped=stopped).agreement == agreement
    assert compare("x", row, way, {}, started=False, stopped="no").agreement == "agreed"


def _answers(*, refused: int = -1) -> str:
    """What the program says where the TPM's answer to its n-th command ends in 32 times n."""
    letters = str.maketrans("0123456789abcdef", "abcdefghijklmnop")
    said = ""
    for number, _ in enumerate(tpm.commands()):
        status = (0x101 if number == refused else 0).to_bytes(4, "big")
        said += f"{(b'......' + status + bytes([number]) * 32).hex().translate(letters)}\r\n"
    return f"BdsDxe: starting Boot0001\r\n{said}\r\n{WORD}\r\n"


def test_what_a_tpm_says_is_read() -> None:
    assert tpm.heard(_answers()) == tuple(
        bytes([number] * 32).hex() for number in (0, 3, 7, 11, 15, 19, 23, 27)
    )


def test_what_linux_says_of_a_tpm_is_read() -> None:
    assert tpm.heard(f"[    0.01] tpm\r\n{'0A' * 32}\r\n\r\n{WORD}\r\n") == ("0a" * 32,)


@pytest.mark.parametrize("said", ["", _answers(refused=5), _answers()[:2000]])
def test_a_tpm_that_refuses_has_said_nothing(said: str) -> None:
    assert tpm.heard(said) == ()


VALUE, POLICY, OTHER = (digit * 64 for digit in "abc")


@pytest.mark.parametrize(
    ("value", "policies", "fits", "found", "started", "differs", "agreement"),
    [
        (VALUE, (), True, (VALUE, POLICY), True, False, "agreed"),
        (VALUE, (), True, (OTHER, POLICY), True, False, "disagreed"),
        (VALUE, (), True, (), True, False, "disagreed"),
        (VALUE, (), True, (VALUE, POLICY), False, False, "disagreed"),
        ("", (), True, (VALUE, POLICY), True, False, "not said"),
        (VALUE, (POLICY,), True, (VALUE, OTHER, POLICY), True, False, "agreed"),
        (VALUE, (POLICY,), False, (VALUE, OTHER, POLICY), True, False, "disagreed"),
        (VALUE, (POLICY,), True, (VALUE, OTHER), True, False, "disagreed"),
        (VALUE, (POLICY,), False, (VALUE, OTHER), True, False, "agreed"),
        (VALUE, (), True, (OTHER, POLICY), True, True, "known"),
        (VALUE, (), True, (VALUE, POLICY), True, True, "disagreed"),
    ],
)
def test_pcr_11_is_compared_with_a_tpm(
    value: str,
    policies: tuple[str, ...],
    fits: bool,
    found: tuple[str, ...],
    started: bool,
    differs: bool,
    agreement: Agreement,
) -> None:
    row = Row("", "", ("pcr",), None, {"pcr": "a reason"} if differs else {})
    trial = Trial("x", "pcr", "", expected=True, started=started, agreement="agreed")
    claim = unlocking.Claim(value, policies, fits)
    assert unlocking.compare(trial, row, claim, found).agreement == agreement


@dataclass(frozen=True)
class Images:
    """Images of the table, and what else is needed to start them."""

    run: trials.Run
    kernel: Path
    paths: Mapping[str, Path]
    stores: Mapping[str, Path]


@pytest.fixture(scope="module")
def images(session: Session, engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Images:
    return made(session, tmp_path_factory.mktemp("jury"), TABLE)


def made(session: Session, folder: Path, rows: Mapping[str, Row]) -> Images:
    """Return the images of rows."""
    for name in ("real", "changed", "workshop"):
        (folder / name).mkdir()
    real = unpack(session, folder / "real", *SPECIMENS)
    run = trials.InContainers(Workshop(session, folder / "workshop"))
    paths = trials.make(run, rows, real, folder / "changed")
    return Images(run, real[KERNEL], paths, trials.fill(run))


@pytest.mark.container
def test_what_inspect_says_is_what_was_seen(images: Images) -> None:
    seen = json.loads((ROOT / agreement.SEEN).read_text())
    assert trials.judge(TABLE, trials.ask_all(TABLE, images.paths, images.stores), seen).reports == ()


@pytest.mark.boot
def test_a_sample_of_the_table_agrees(images: Images) -> None:
    """JURY_SEED chooses another one."""
    names = random.Random(SEED).sample(sorted(TABLE), SAMPLE)  # noqa: S311
    rows = {name: row for name, row in TABLE.items() if name in names}
    paths = {name: images.paths[name] for name in rows}
    ways = [way for way in WAYS if way not in STORED]
    seen = trials.start(images.run, rows, paths, images.kernel, {}, ways, 0)
    found = trials.judge(rows, trials.ask_all(rows, paths, {}), seen)
    assert found.reports == ()
    assert len(found.trials) == sum(way in ways for row in rows.values() for way in row.ways)


@pytest.mark.boot
@pytest.mark.nightly
def test_all_programs_agree_on_all_stores(session: Session, engine: Engine, tmp_path: Path) -> None:
    rows = {name: row for name, row in TABLE.items() if set(row.ways) & set(STORED)}
    assert len(rows) >= 30
    images = made(session, tmp_path, rows)
    seen = trials.start(images.run, rows, images.paths, images.kernel, images.stores, STORED, 0, PATIENCE)
    found = trials.judge(rows, trials.ask_all(rows, images.paths, images.stores), seen)
    assert found.reports == ()
    assert not [trial for trial in found.trials if trial.agreement == "not said"]
