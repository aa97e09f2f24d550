"""What is fuzzed: each reader and rule, given any bytes, answers or raises FormatError."""

import bz2
import gzip
import lzma
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from uuid import UUID

import zstandard

from pipeline.checks.catalog import take_apart
from pipeline.checks.finding import POLICIES
from pipeline.compare.difference import first_difference
from pipeline.errors import FormatError, PipelineError
from pipeline.formats import (
    authenticode,
    bls,
    bzimage,
    compression,
    cpio_reader,
    devicetree,
    efi_auth,
    efi_signature_list,
    elf,
    eltorito,
    erofs,
    ext4,
    fat,
    fat_directory,
    gpt,
    grub_commands,
    grub_config,
    grub_image,
    heads,
    hwids,
    ikconfig,
    initramfs,
    iso9660,
    iso9660_directory,
    ovf,
    pcr,
    pe,
    qcow2,
    sbat,
    signatures_file,
    signed_boot,
    squashfs,
    syslinux,
    syslinux_config,
    tar,
    tar_tree,
    tcg_events,
    tcg_log,
    verity,
    vhd,
    vmdk,
)
from pipeline.formats.boot_files import of_bytes
from pipeline.formats.budget import Spent, for_file
from pipeline.formats.discoverable import ROOT, ROOT_VERITY, VAR
from pipeline.formats.fields import Image, charged, chunks
from pipeline.formats.filesystem import FileSystem
from pipeline.formats.grub_machine import System
from pipeline.formats.magic import describe
from pipeline.release.audit import read_audit
from pipeline.release.diff.changes import compare
from pipeline.release.diff.image_parts import image_side
from pipeline.release.diff.wording import markdown
from tests.fixtures import boot_loaders, boot_tree, disk_images
from tests.fixtures.bzimage import bzimage as make_bzimage
from tests.fixtures.bzimage import vmlinux
from tests.fixtures.devicetree import dtb
from tests.fixtures.devicetree import hwids as make_hwids
from tests.fixtures.disk import Part
from tests.fixtures.disk import disk as make_disk
from tests.fixtures.elf import elf as make_elf
from tests.fixtures.erofs import erofs as make_erofs
from tests.fixtures.ext4 import ext4 as make_ext4
from tests.fixtures.fat import fat as make_fat
from tests.fixtures.gpt import with_gpt
from tests.fixtures.initramfs import INITTAB, changed, members
from tests.fixtures.iso import iso
from tests.fixtures.newc import newc
from tests.fixtures.packed import lz4_legacy
from tests.fixtures.partition_sets import partition_set
from tests.fixtures.pcrsig import EC_KEY, pcrsig, public
from tests.fixtures.root import root
from tests.fixtures.signable import listed
from tests.fixtures.signed import EC, RSA, signed
from tests.fixtures.squashfs import squashfs as make_squashfs
from tests.fixtures.tcg_log import END, file_node, image_load, variable_data
from tests.fixtures.tcg_log import tcg_log as make_tcg_log
from tests.fixtures.uki import CMDLINE, SBAT, uki
from tests.fixtures.verity import DATA as VERIFIED
from tests.fixtures.verity import verity as make_verity
from tests.fixtures.versions import PROGRAM, new
from tests.fuzz.oracle import looked_at

REGRESSIONS = Path(__file__).parent / "regressions"
"""Inputs that once broke a target, one folder a target."""


@dataclass(frozen=True)
class Target:
    """Something that takes bytes, and what it is first tried on."""

    read: Callable[[bytes], object]
    make_seeds: Callable[[], list[bytes]]

    def answer(self, data: bytes) -> None:
        """Give it bytes; FormatError is an answer, any other exception a defect."""
        with suppress(FormatError):
            self.read(data)

    def seeds(self) -> list[bytes]:
        """Return good inputs, of which mutations are made."""
        return self.make_seeds()


def _read_cpio(data: bytes) -> None:
    for entry in cpio_reader.read_run(data, 0, 1000).entries:
        bytes(entry.data)


ISO_LOADER = boot_loaders.isolinux(1)
GRUB = boot_loaders.grub_kernel("/boot/grub", "search --label BOOT")
MENU = b"set default=1\nsearch --label --set=root A\nmenuentry 'One' --id one { linux /a quiet\ninitrd /a }\n"
SYSLINUX_CONFIG = b"UI menu.c32\nDEFAULT one\nLABEL one\nLINUX /a\nAPPEND initrd=/a quiet\n"


def _read_grub_disk(data: bytes) -> None:
    block = grub_image.core_block(data[:512])
    if block is not None:
        grub_image.read_core(grub_image.from_disk(data, block), for_file(len(data)))


def _read_grub_cd(data: bytes) -> None:
    grub_image.read_core(grub_image.from_cd(data, data.ljust(2048, b"\0")), for_file(len(data)))


def _run_grub(data: bytes) -> None:
    files = of_bytes({"a": b"", "grub/grub.cfg": data})
    variables = {"root": "hd0", "prefix": "(hd0)/grub"}
    modules = ("normal", "linux", "search", "configfile", "test")
    grub_commands.start({"hd0": System("A", "1", files)}, modules, variables, "", for_file(len(data)))


def _read_isolinux(data: bytes) -> None:
    syslinux.check_isolinux(bytes(2048) + data, 1)  # it says that it lies in sector 1


def _read_config(data: bytes) -> None:
    text = data.decode(errors="surrogateescape")
    config = syslinux_config.read_config(text, lambda _: text)
    assert config.chosen is None or isinstance(config.chosen.files, tuple)


def _read_fat(data: bytes) -> None:
    volume = fat.read_volume(data)
    table = fat.read_table(volume)
    for entry in fat_directory.walk(volume, table):
        if not entry.is_directory:
            for _ in chunks(fat_directory.read_file(volume, table, entry)):
                pass


def _read_gpt(data: bytes) -> None:
    with suppress(FormatError):
        gpt.read_mbr(data)
    gpt.read_table(data, 1)


def _inspected(kind: str) -> Callable[[bytes], object]:
    return lambda data: take_apart(data, "input", kind, tuple(POLICIES)).all_findings()


def _make_fats() -> list[bytes]:
    files = {"EFI/BOOT/BOOTX64.EFI": b"MZ" + bytes(3000), "a long name.txt": b"x"}
    return [make_fat(files), make_fat(files, kind="FAT32", clusters=100)]


def _unpacked(data: bytes) -> None:
    contents, _ = compression.decompress(data, 1 << 22)
    for _ in chunks(contents):
        pass


def _read_iso(data: bytes) -> None:
    found = iso9660.read_iso9660(data)
    for member in found.members[:100]:
        iso9660_directory.contents(data, member)
    iso9660.has_udf(data)


def _read_verity(data: bytes) -> None:
    """A tree in front of the data that it may be of."""
    found = verity.read_verity(data)
    rest = data[min(found.size, len(data)) :]
    verity.root_hash(found, data, rest)
    list(verity.tree_faults(found, data))
    verity.data_fault(found, data, rest)


def _verified_disk() -> bytes:
    tree, root = make_verity()
    first, last = UUID(bytes=root[:16]), UUID(bytes=root[-16:])
    return make_disk(
        [Part(VERIFIED, ROOT, guid=first), Part(tree, ROOT_VERITY, guid=last), Part(make_ext4(TREE), VAR)]
    )


def _files_read(read: Callable[[bytes], FileSystem]) -> Callable[[bytes], None]:
    """Read a file system, and what is in its files, each as far as it can be."""

    def files(data: bytes) -> None:
        for file in read(data).files[:100]:
            with suppress(FormatError):
                for chunk in islice(chunks(file.inode.data), 8):
                    assert chunk

    return files


def _read_signatures(data: bytes) -> None:
    authenticode.read_signatures(pe.read_pe(data))


def _read_tcg_log(data: bytes) -> None:
    """A log of which every event is said; and its PCRs."""
    events = tcg_log.read_log(data)
    for event in events:
        assert tcg_events.said(event)
    tcg_log.replay(events, "sha256")


def _tcg_logs() -> list[bytes]:
    program, variable = image_load(file_node("\\a.efi"), END), variable_data("db", b"x")
    events = [
        (4, 0x80000003, program),
        (7, 0x80000001, variable),
        (0, 3, b"StartupLocality\0\3"),
        (11, 13, b".a\0"),
    ]
    return [make_tcg_log(*events), make_tcg_log(*events, banks=["sha256"])]


def _compared(data: bytes) -> None:
    """Half of the input against the other half."""
    first_difference(data[: len(data) // 2], data[len(data) // 2 :])


def _packed() -> list[bytes]:
    data = b"what is packed " * 50
    return [
        gzip.compress(data, mtime=0),
        bz2.compress(data),
        lzma.compress(data),
        lzma.compress(data, lzma.FORMAT_ALONE),
        zstandard.compress(data),
        lz4_legacy(data),
    ]


def _archives() -> list[bytes]:
    plain = newc(members().values())
    return [plain, changed(), plain + gzip.compress(plain, mtime=0)]


TREE = {"boot/": b"", "boot/vmlinuz": b"kernel %d\n" * 2000, "motd": b"hello", "link->motd": b""}
HWIDS = make_hwids((1, "da1da34f-f6b1-5b0f-9c4d-6f7a7a0f7f0a", "Board", "acme,board"))
MORE = [
    (".dtbauto", dtb("Board", ["acme,board"])),
    (".hwids", HWIDS),
    (".pcrpkey", public(EC_KEY)),
    (".profile", b"ID=main"),
    (".profile", b"ID=other"),
    (".cmdline", CMDLINE),
    (".pcrsig", pcrsig([bytes(32)])),
]


def _told(image: bytes) -> None:
    """Tell what an image is made of, and that it is what it is."""
    with suppress(Spent, PipelineError):
        side = image_side(image, "x")
        markdown(compare(None, side))
        assert compare(side, side).same


def _whole(image: Image) -> None:
    """Read a disk from its start, as far as a budget of the input's size goes."""
    with suppress(Spent):
        for _ in chunks(image[: 1 << 22]):
            pass


def _read_menu(data: bytes) -> None:
    """A grub.cfg, which may go on with another file."""
    text = data.decode(errors="surrogateescape")
    with suppress(Spent):
        config = grub_config.read_config(
            text, lambda _: "f $x\nmenuentry m { x }", budget=for_file(len(data))
        )
        assert config.default is None or config.default in config.entries


def _read_bls(data: bytes) -> None:
    """Two entries, one of which is the half of the other."""
    paths = {"loader/entries/a.conf": data, "loader/entries/b.conf": data[: len(data) // 2]}
    files = of_bytes(paths)
    assert bls.in_order([bls.read_entry(files, path) for path in bls.entry_paths(files)])


def _read_boot(data: bytes) -> None:
    """A /boot whose configuration and lists are all of them the input."""
    names = ("grub/grub.cfg", "syslinux.cfg", "loader/entries/a.conf", heads.HASHES, heads.TREE)
    there = {"vmlinuz": b"k", "initrd.img": b"i"}
    heads.would_start(of_bytes({**dict.fromkeys(names[:3], data), **there}))
    heads.would_start(of_bytes({**dict.fromkeys(names, data), **there, "grub/grub.cfg": boot_tree.MENU}))
    for read in (heads.read_hashes, heads.read_tree):
        with suppress(FormatError):
            read(data)


def _read_qcow2(data: bytes) -> None:
    _whole(qcow2.open_disk(qcow2.read_qcow2(charged(data, for_file(len(data))))))


def _read_vhd(data: bytes) -> None:
    _whole(vhd.open_disk(vhd.read_vhd(charged(data, for_file(len(data))))))


def _read_vmdk(data: bytes) -> None:
    _whole(vmdk.open_disk(vmdk.read_vmdk(charged(data, for_file(len(data))))))


def _read_tar(data: bytes) -> None:
    with suppress(Spent):
        for member in tar.read_tar(charged(data, for_file(len(data)))):
            if member.image is not None:
                _whole(member.image)


def _qcow2s() -> list[bytes]:
    small = DISK[: 1 << 16]
    packed = [disk_images.qcow2(small, pack=method) for method in ("deflate", "zstd")]
    return [disk_images.qcow2(small), disk_images.qcow2(small, version=2), *packed]


def _tars() -> list[bytes]:
    parts = {0: b"a" * 512, 8192: b"b" * 512}
    sparse = disk_images.sparse_tar("disk.raw", 1 << 16, parts)
    return [sparse, disk_images.pax_sparse_tar("disk.raw", 1 << 16, parts), disk_images.tar_of([("x", b"y")])]


ENTRY = efi_signature_list.Entry(efi_signature_list.X509, UUID(int=1), b"certificate")
ESL = efi_signature_list.signature_lists([ENTRY, ENTRY])
AUTH = efi_auth.authenticated(datetime(2026, 11, 28, tzinfo=UTC), b"\x30\0", ESL)
SIGNATURES = signatures_file.signatures_file({"a.efi": signatures_file.Signed("ab" * 32, "{}", (b"\x30\0",))})
DISK = disk_images.whole_disk()
OVA = disk_images.ova_files(DISK)

TARGETS = {
    "magic": Target(describe, lambda: [make_elf(), uki(), iso(), changed()]),
    "compression": Target(_unpacked, _packed),
    "cpio": Target(_read_cpio, lambda: [newc(members().values())]),
    "initramfs": Target(partial(initramfs.read_initramfs, limit=1 << 26), _archives),
    "tar": Target(tar_tree.read, lambda: [root(), *_tars()]),
    "root rules": Target(_inspected("root"), lambda: [root()]),
    "partition set": Target(_inspected("partition-set"), lambda: [partition_set()]),
    "fat": Target(_read_fat, _make_fats),
    "gpt": Target(_read_gpt, lambda: [with_gpt(bytes(100 * 512), 40, 50)]),
    "verity": Target(
        _read_verity, lambda: [make_verity()[0] + VERIFIED, make_verity(VERIFIED[:4096])[0] + VERIFIED[:4096]]
    ),
    "grub disk": Target(_read_grub_disk, lambda: [boot_loaders.grub_disk()]),
    "grub cd": Target(_read_grub_cd, lambda: [boot_loaders.grub_cd(boot_loaders.grub_loaded(GRUB), 0)]),
    "grub commands": Target(_run_grub, lambda: [MENU]),
    "syslinux": Target(syslinux.from_disk, lambda: [boot_loaders.with_ldlinux(bytes(4096))]),
    "isolinux": Target(_read_isolinux, lambda: [ISO_LOADER]),
    "syslinux config": Target(_read_config, lambda: [SYSLINUX_CONFIG]),
    "eltorito": Target(eltorito.read_catalog, lambda: [iso()]),
    "iso9660": Target(_read_iso, lambda: [iso(), iso(rock_ridge=False), iso(joliet=False)]),
    "ext4": Target(_files_read(ext4.read_ext4), lambda: [make_ext4(TREE), make_ext4(TREE, incompat=0x8042)]),
    "signed boot": Target(signed_boot.boot_in, lambda: [make_ext4(listed())]),
    "erofs": Target(
        _files_read(erofs.read_erofs), lambda: [make_erofs(TREE), make_erofs(TREE, is_packed=False)]
    ),
    "squashfs": Target(_files_read(squashfs.read_squashfs), lambda: [make_squashfs(TREE)]),
    "pe": Target(pe.read_pe, lambda: [uki(), make_bzimage()]),
    "authenticode": Target(_read_signatures, lambda: [signed(RSA), signed(RSA, EC)]),
    "devicetree": Target(devicetree.read_devicetree, lambda: [dtb("Board", ["acme,board"])]),
    "hwids": Target(hwids.read_hwids, lambda: [HWIDS]),
    "pcrsig": Target(pcr.read_policies, lambda: [pcrsig([bytes(32)])]),
    "esl": Target(lambda data: list(efi_signature_list.read_signature_lists(data)), lambda: [ESL]),
    "auth": Target(efi_auth.read_authenticated, lambda: [AUTH]),
    "signatures-file": Target(
        lambda data: signatures_file.read_signatures_file(bytes(data)), lambda: [SIGNATURES]
    ),
    "event log": Target(_read_tcg_log, _tcg_logs),
    "sbat": Target(sbat.read_sbat, lambda: [SBAT]),
    "bzimage": Target(bzimage.read_bzimage, lambda: [make_bzimage()]),
    "ikconfig": Target(ikconfig.read_config, lambda: [vmlinux()]),
    "elf": Target(elf.read_elf, lambda: [make_elf(), make_elf(interpreter="/ld.so", needed=("c.so",))]),
    "inittab": Target(_inspected("inittab"), lambda: [INITTAB.encode()]),
    "cmdline": Target(_inspected("cmdline"), lambda: [CMDLINE]),
    "efi rules": Target(_inspected("efi"), lambda: [signed(RSA)]),
    "uki rules": Target(_inspected("uki"), lambda: [uki(), uki(more=MORE)]),
    "iso rules": Target(_inspected("iso"), lambda: [iso()]),
    "disk rules": Target(_inspected("disk"), lambda: [with_gpt(bytes(100 * 512), 40, 50), _verified_disk()]),
    "compare": Target(_compared, lambda: [2 * uki(), 2 * newc(members().values()), 2 * make_elf()]),
    "audit": Target(read_audit, lambda: [PROGRAM]),
    "diff": Target(_told, lambda: [new(), uki(), changed()]),
    "qcow2": Target(_read_qcow2, _qcow2s),
    "vhd": Target(_read_vhd, lambda: [disk_images.dynamic_vhd(DISK[: 1 << 16])]),
    "vmdk": Target(
        _read_vmdk,
        lambda: [disk_images.sparse_vmdk(DISK[: 1 << 16]), disk_images.stream_vmdk(DISK[: 1 << 16])],
    ),
    "tar of a disk": Target(_read_tar, _tars),
    "ovf": Target(ovf.read_ovf, lambda: [OVA["toy.ovf"]]),
    "ovf manifest": Target(ovf.read_manifest, lambda: [OVA["toy.mf"]]),
    "qcow2 rules": Target(_inspected("qcow2"), _qcow2s),
    "vhd rules": Target(_inspected("vhd"), lambda: [disk_images.dynamic_vhd(DISK[: 1 << 16])]),
    "vmdk rules": Target(_inspected("vmdk"), lambda: [disk_images.stream_vmdk(DISK[: 1 << 16])]),
    "ova rules": Target(_inspected("ova"), lambda: [disk_images.ova(DISK)]),
    "gce rules": Target(_inspected("gce"), _tars),
    "verity rules": Target(_inspected("verity"), lambda: [make_verity()[0]]),
    "grub.cfg": Target(_read_menu, lambda: [boot_tree.FILES["grub/grub.cfg"], boot_tree.CONDITIONS]),
    "bls": Target(_read_bls, lambda: [boot_tree.FILES["loader/entries/toy-0.conf"] * 2]),
    "heads": Target(
        _read_boot,
        lambda: [boot_tree.MENU, boot_tree.SYSLINUX, *boot_tree.listed({"vmlinuz": b"k"}).values()],
    ),
    "boot tree rules": Target(_inspected("boot-tree"), lambda: [boot_tree.boot_tree()]),
    "ext rules": Target(
        _inspected("ext"), lambda: [make_ext4(TREE), boot_tree.on_ext({"grub/grub.cfg": boot_tree.MENU})]
    ),
    "inspect": Target(looked_at, lambda: [iso(), uki(), changed(), make_elf()]),
}


def inputs(name: str) -> Iterator[bytes]:
    """Yield a target's seeds, and what once broke it."""
    yield from TARGETS[name].seeds()
    for path in sorted((REGRESSIONS / name).glob("*")):
        yield path.read_bytes()
