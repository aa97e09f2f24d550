"""What an installation leaves on a disk, made with the real tools and judged by other ones."""

import json
import re
import struct
import uuid
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.steps import installed
from pipeline.steps.ext4_size import LARGE_JOURNAL
from pipeline.steps.installed import DATA, NO_SETTINGS, SYSTEM, Facts
from tests.conftest import ROOT
from tests.fixtures.disk_tools import install_there
from tests.fixtures.workshop import Workshop

SEED = "0a5f8f0e-3a6b-5f43-9c0d-5d7b2f6d1c42"
FACTS = Facts("ACME Store", "1.2.3", "acme", "ACME", "ACME_DATA", 288, 192, SEED)
UKI = bytes(range(256)) * 4000
PLAIN = installed.programs(FACTS, {installed.UKI: UKI})
SHIM = {installed.SHIM: b"shim" * 999, installed.MOK_MANAGER: b"menu" * 999}
RUST = ROOT / "programs/installer/src/install"
EFI_GUID, DATA_GUID = "fc7bd00e-77c7-5489-aac4-108e6bded0fa", "e6d5fd24-ed27-5800-a6d9-065ac82b6f19"


def test_where_the_partitions_lie() -> None:
    assert installed.definitions(FACTS) == {
        "10-efi.conf": f"[Partition]\nType=esp\nLabel=EFI\nUUID={EFI_GUID}\nCopyBlocks=/efi.fat\n",
        "20-data.conf": "[Partition]\nType=linux-generic\nLabel=ACME_DATA\n"
        f"UUID={DATA_GUID}\nCopyBlocks=/data.ext4\n",
    }


def test_the_receipt_is_one_of_the_installer() -> None:
    """Its keys are the fields that the installer reads and writes, in their order, and no other."""
    text = json.loads(installed.receipt(FACTS, PLAIN, verified=True))
    source = (RUST / "receipt.rs").read_text()
    structs = {
        name: re.findall(r"^    (?:pub\(super\) )?(\w+):", fields, re.MULTILINE)
        for name, fields in re.findall(r"struct (\w+) \{\n(.*?)^\}", source, re.MULTILINE | re.DOTALL)
    }
    assert [*text] == [name for name in structs["Receipt"] if name != "node"]
    assert [*text["disk"]] == structs["DiskFacts"]
    assert [*text["partitions"][0]] == structs["PartitionFacts"]
    assert [*text["files"][0]] == structs["FileFacts"]
    sizes = [(one["start_bytes"], one["bytes"]) for one in text["partitions"]]
    assert sizes == [(1 << 20, 288 << 20), (289 << 20, 192 << 20)]
    assert text["disk"]["bytes"] == 482 << 20


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("layout.rs", 'SYSTEM: &str = "EFI"'),
        ("system.rs", "CLUSTER: u32 = 4096"),
        ("system.rs", f'FALLBACK: &str = "{installed.FALLBACK}"'),
        ("data.rs", "FOLDERS: [&str; 3] = [" + ", ".join(f'"{one}"' for one in installed.FOLDERS) + "]"),
        ("data.rs", f'RECEIPT: &str = "metadata/{installed.RECEIPT}"'),
        ("data.rs", f"JOURNAL: u64 = {LARGE_JOURNAL >> 20} << 20"),
        ("data.rs", f"OWNER: u32 = {installed.OWNER}"),
        ("../../../common/src/settings.rs", f"SIZE: usize = {len(NO_SETTINGS)}"),
        ("../../../common/src/settings.rs", f'format!("{{}}/{installed.SETTINGS}", product().disk.folder)'),
    ],
)
def test_what_the_installer_says_as_well(file: str, line: str) -> None:
    assert line in (RUST / file).read_text()


@pytest.mark.parametrize("shim", [False, True])
def test_what_starts_lies_where_the_installer_puts_it(*, shim: bool) -> None:
    """Paths, their order and what lies there are those that the installer's own test expects."""
    source = (RUST / "payload.rs").read_text()
    test = source.split("fn shim_lies_before_the_system_wherever_firmware_looks", 1)[1]
    plain, both = re.findall(r"&\[\n?\s*\((.*?)\]", test, re.DOTALL)
    rows = re.findall(r'("[^"]+"|FALLBACK), (\d)\)', both if shim else plain)
    expected = {installed.FALLBACK if path == "FALLBACK" else path.strip('"'): kind for path, kind in rows}
    facts = replace(FACTS, folder="Example", id="example", version="1.0")
    inputs = {installed.UKI: b"1"}
    inputs |= {installed.SHIM: b"2", installed.MOK_MANAGER: b"3"} if shim else {}
    found = {path: data.decode() for path, data in installed.programs(facts, inputs).items()}
    assert list(found.items()) == list(expected.items())


def test_a_system_that_has_no_room_twice() -> None:
    small = replace(FACTS, efi_mib=288)

    def shape(size: int) -> None:
        files = installed.system_files(small, installed.programs(small, {installed.UKI: bytes(size)}))
        installed.system_shape(small, files, "acme.efi")

    with pytest.raises(PipelineError) as caught:
        shape(144 << 20)
    assert str(caught.value) == (
        "acme.efi has 150994944 bytes, and lies twice in the EFI partition, which has 288 MiB\n"
        "  hint: give it 297 MiB, by disk.efi_mib in product.toml"
    )
    shape(143 << 20)


def questions() -> dict[str, list[str]]:
    asked = {folder: ["debugfs", "-R", f"ls -p {folder}", "{data}"] for folder in ("/", "/metadata")}
    return {
        **asked,
        "fsck.fat": ["fsck.fat", "-n", "{efi}"],
        "e2fsck": ["e2fsck", "-f", "-n", "{data}"],
        "super": ["dumpe2fs", "-h", "{data}"],
        "label": ["mlabel", "-s", "-i", "{efi}", "::"],
        "files": ["mdir", "-/", "-b", "-i", "{efi}", "::"],
        "settings": ["mtype", "-i", "{efi}", "::ACME/settings"],
        "table": ["sfdisk", "--verify", "{disk}"],
    }


def make(workshop: Workshop, *, elsewhere: bool = False, shim: bool = False) -> Path:
    params = {**asdict(FACTS), "uki": "acme.efi", "elsewhere": elsewhere, "questions": questions()}
    out, said = workshop.run("disk", install_there, {"uki": UKI, **(SHIM if shim else {})}, **params)
    assert (out / "digests").is_file(), said
    return out


@pytest.mark.container
@pytest.mark.parametrize(
    ("shim", "programs"),
    [
        (False, ["EFI/ACME/acme-1.2.3.efi", "EFI/BOOT/BOOTX64.EFI"]),
        (
            True,
            [
                "EFI/ACME/grubx64.efi",
                "EFI/ACME/mmx64.efi",
                "EFI/ACME/shimx64.efi",
                "EFI/BOOT/BOOTX64.EFI",
                "EFI/BOOT/grubx64.efi",
                "EFI/BOOT/mmx64.efi",
            ],
        ),
    ],
)
def test_what_an_installation_leaves_behind(workshop: Workshop, *, shim: bool, programs: list[str]) -> None:
    out = make(workshop, shim=shim)
    said = json.loads((out / "answers").read_text())
    assert not [text for text in said.values() if text.startswith("FAILED")]
    lines = [line for folder in ("/", "/metadata") for line in said[folder].splitlines()]
    rows = [line.split("/") for line in lines if line.startswith("/")]
    found = {name: (mode, user, group) for _, _, mode, user, group, name, *_ in rows}
    assert found == {
        ".": ("040755", "1000", "1000"),
        "..": ("040755", "1000", "1000"),
        "lost+found": ("040700", "0", "0"),
        **dict.fromkeys(installed.FOLDERS, ("040755", "1000", "1000")),
        installed.RECEIPT: ("100644", "1000", "1000"),
    }
    assert sorted(line.removeprefix("::/") for line in said["files"].split() if not line.endswith("/")) == [
        "ACME/install-receipt.json",
        "ACME/settings",
        *programs,
    ]
    assert (said["settings"], said["label"].split()[-1]) == (NO_SETTINGS.decode(), "EFI")
    facts = dict(line.split(":", 1) for line in said["super"].splitlines() if ":" in line)
    assert set(installed.FEATURES.split(",")) < set(facts["Filesystem features"].split())
    wanted = {
        "Filesystem UUID": DATA_GUID,
        "Block count": str(192 << 8),
        "Inodes per group": str(installed.FILES_A_GROUP),
        "Reserved block count": "0",
        "Reserved GDT blocks": "127",
        "Total journal size": "64M",
    }
    assert {key: facts[key].strip() for key in wanted} == wanted
    assert "No errors detected" in said["table"]
    head = (out / "head").read_bytes()
    disk_guid = uuid.UUID(bytes_le=struct.unpack_from("16s", head, 512 + 56)[0])
    assert (
        str(disk_guid)
        == FACTS.disk_guid
        == json.loads(installed.receipt(FACTS, PLAIN, verified=True))["disk"]["guid"]
    )


@pytest.mark.container
def test_it_is_the_same_everywhere(workshop: Workshop) -> None:
    one, other = (
        (make(workshop, elsewhere=elsewhere) / "digests").read_text() for elsewhere in (False, True)
    )
    assert one == other
    assert {SYSTEM, DATA, "disk.raw"} < json.loads(one).keys()
