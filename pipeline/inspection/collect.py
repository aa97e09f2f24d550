"""Finding the facts of an artifact that was taken apart."""

from collections.abc import Callable, Mapping
from typing import Any

from pipeline.checks.cmdline import Cmdline
from pipeline.checks.compressed import Packed
from pipeline.checks.disk_formats.gce import Archive
from pipeline.checks.disk_formats.ova import Ova
from pipeline.checks.elf import Program
from pipeline.checks.fat.volume import EfiImage
from pipeline.checks.initramfs.read import Initramfs
from pipeline.checks.inittab import Inittab
from pipeline.checks.kernel import Kernel
from pipeline.checks.kind import Node
from pipeline.checks.medium.iso import Iso
from pipeline.checks.medium.partitions import Partitions
from pipeline.checks.pe.uki_parts import Description, Policies
from pipeline.checks.pe.uki_pcr import expected
from pipeline.checks.pe.uki_profiles import Profile, profiles
from pipeline.checks.quoting import escaped, sentence, shown
from pipeline.checks.verity import HashTree
from pipeline.errors import FormatError
from pipeline.formats import qcow2, vhd, vmdk
from pipeline.formats.authenticode import read_signatures
from pipeline.formats.budget import Spent
from pipeline.formats.devicetree import Devicetree
from pipeline.formats.eltorito import platform_name
from pipeline.formats.fat import free_clusters
from pipeline.formats.filesystem import FileSystem
from pipeline.formats.hwids import Hwids
from pipeline.formats.pe import Pe, machine_name
from pipeline.formats.qcow2 import Qcow2
from pipeline.formats.sbat import read_sbat
from pipeline.formats.udf import Udf
from pipeline.formats.vhd import Vhd
from pipeline.formats.virtual_disk import SECTOR
from pipeline.formats.vmdk import Vmdk
from pipeline.inspection import facts


def facts_of(node: Node) -> facts.Facts | None:
    """Return the facts of an artifact, or None if there are none, or they stand elsewhere."""
    find = FINDERS.get(type(node.artifact)) if node.same_as is None else None
    try:
        return find(node.artifact) if find else None
    except (Spent, FormatError):
        return None


def _iso(iso: Iso) -> facts.IsoFacts:
    files = iso.files
    return facts.IsoFacts(
        "iso",
        None
        if isinstance(files, FormatError)
        else facts.Volume(
            shown(files.label),
            files.size,
            files.has_rock_ridge,
            files.has_joliet,
            files.created,
            files.modified,
        ),
        []
        if isinstance(iso.catalog, FormatError)
        else [
            facts.BootEntry(platform_name(one.platform), one.bootable, one.media, one.offset, one.size)
            for one in iso.catalog
        ],
        _disk_guid(iso.partitions),
        _partitions(iso.partitions),
        shown(iso.udf.label) if isinstance(iso.udf, Udf) else None,
    )


def _disk(disk: Partitions) -> facts.DiskFacts:
    return facts.DiskFacts("disk", disk.sector_size, _disk_guid(disk), _partitions(disk))


def _disk_guid(disk: Partitions) -> str | None:
    return None if isinstance(disk.table, FormatError) else str(disk.table.disk_guid)


def _partitions(disk: Partitions) -> list[facts.Partition]:
    return [
        facts.Partition(
            "GPT" if place.facts["table"] == "GPT" else "MBR",
            int(place.facts["partition"]),
            str(place.facts["type"]),
            shown(str(place.facts.get("label", ""))),
            place.offset,
            place.size,
            active=bool(place.facts.get("active")),
        )
        for place in disk.places
    ]


def _fat(efi: EfiImage) -> facts.FatFacts:
    volume = efi.volume
    return facts.FatFacts(
        "fat",
        volume.variant,
        shown(volume.label),
        f"{volume.serial >> 16:04X}-{volume.serial & 0xFFFF:04X}",
        volume.size,
        free_clusters(efi.table) * volume.cluster_size,
        volume.cluster_size,
        volume.sector_size,
    )


def _filesystem(system: FileSystem) -> facts.FilesystemFacts:
    block = system.superblock
    return facts.FilesystemFacts(
        "filesystem",
        block.variant,
        shown(block.label),
        block.uuid or None,
        block.size,
        block.block_size,
        block.created,
        block.written,
        list(block.features),
        list(block.compression),
        len(system.files),
    )


def _pe(pe: Pe) -> facts.PeFacts:
    sections = [
        facts.PeSection(shown(one.name), one.raw_offset, one.raw_size, one.virtual_address, one.virtual_size)
        for one in pe.sections
    ]
    return facts.PeFacts(
        "pe",
        machine_name(pe.machine),
        pe.subsystem,
        pe.is_nx_compatible,
        pe.timestamp,
        sections,
        _signatures(pe),
        _sbat(pe),
        [_profile(pe, one) for one in profiles(pe)] if pe.section(".linux") else [],
    )


def _profile(pe: Pe, profile: Profile) -> facts.UkiProfile:
    """Return a profile; without PCR 11 where a section lies outside the file."""
    takes = {name: [shown(own) for _, own in many] for name, many in profile.takes.items()}
    try:
        values = {"sha256": expected(pe, profile)}
    except FormatError:
        values = {}
    return facts.UkiProfile(profile.number, shown(profile.id), shown(profile.title), takes, values)


def _sbat(pe: Pe) -> dict[str, int]:
    try:
        return {shown(one.name): one.generation for one in read_sbat(pe.contents(".sbat"))}
    except FormatError:
        return {}


def _signatures(pe: Pe) -> list[facts.PeSignature]:
    """Return what could be read of the signatures: why not more is for findings and answers to say."""
    try:
        found = read_signatures(pe)
    except FormatError:
        return []
    return [
        facts.PeSignature(
            shown(each.subject),
            shown(each.issuer),
            each.digest,
            each.covers_file,
            each.is_valid,
            each.fault,
            each.not_before,
            each.not_after,
        )
        for each in found
    ]


def _kernel(kernel: Kernel) -> facts.KernelFacts:
    header = kernel.header
    return facts.KernelFacts(
        kind="kernel",
        version=shown(header.version) or None if header else None,
        protocol=f"{header.protocol[0]}.{header.protocol[1]:02}" if header else None,
        relocatable=header.relocatable if header else None,
        is_64_bit=header.is_64_bit if header else None,
        compression=header.compression or None if header else None,
        banner=shown(header.banner) or None if header else None,
        config_embedded=isinstance(kernel.config, Mapping),
        efi_stub=kernel.pe is not None,
        signatures=_signatures(kernel.pe) if kernel.pe else [],
    )


def _cmdline(cmdline: Cmdline) -> facts.CmdlineFacts:
    pairs = [(shown(key), shown(value)) for key, value in cmdline.parameters]
    return facts.CmdlineFacts("cmdline", escaped(cmdline.raw.decode(errors="surrogateescape")), pairs)


def _initramfs(initramfs: Initramfs) -> facts.InitramfsFacts:
    archives = [
        facts.Archive(
            offset=segment.offset,
            size=segment.size,
            compression=segment.compression,
            unpacked_size=len(segment.archive),
            members=len(segment.entries),
            early=segment.is_early,
        )
        for segment in initramfs.segments
    ]
    return facts.InitramfsFacts("initramfs", len(initramfs.entries), archives)


def _packed(packed: Packed) -> facts.PackedFacts:
    return facts.PackedFacts("packed", packed.compression, packed.size, len(packed.contents), packed.rest)


def _qcow2(found: Qcow2) -> facts.VirtualDiskFacts:
    variant, missing = f"version {found.version}", qcow2.why_elsewhere(found)
    return facts.VirtualDiskFacts("qcow2", variant, found.size, found.cluster_size, "", _said(missing))


def _vhd(found: Vhd) -> facts.VirtualDiskFacts:
    footer, block_size = found.footer, found.table.block_size if found.table else 0
    missing = _said(vhd.why_elsewhere(found))
    identifier = str(footer.identifier)
    return facts.VirtualDiskFacts("vhd", found.kind, footer.current_size, block_size, identifier, missing)


def _vmdk(found: Vmdk) -> facts.VirtualDiskFacts:
    block_size = found.header.grain_size * SECTOR if found.header else 0
    cid, missing = shown(found.fields.get("cid", "")), _said(vmdk.why_elsewhere(found))
    return facts.VirtualDiskFacts("vmdk", shown(found.kind), found.size, block_size, cid, missing)


def _said(error: FormatError | None) -> str:
    return sentence(error.message) if error else ""


def _ova(ova: Ova) -> facts.OvaFacts:
    return facts.OvaFacts(
        "ova",
        [shown(one) for one in ova.ovf.systems],
        [shown(name) for name in ova.disks],
        ova.manifest is not None,
    )


def _gce(archive: Archive) -> facts.GceFacts:
    return facts.GceFacts("gce", [shown(file.name) for file in archive.files])


def _verity(tree: HashTree) -> facts.VerityFacts:
    found = tree.superblock
    return facts.VerityFacts(
        "verity",
        str(found.uuid),
        found.algorithm,
        found.data_block_size,
        found.hash_block_size,
        found.data_blocks,
        found.salt.hex(),
        tree.root_hash,
    )


def _inittab(inittab: Inittab) -> facts.InittabFacts:
    lines = [facts.InittabLine(one.number, shown(one.action), shown(one.command)) for one in inittab.lines]
    return facts.InittabFacts("inittab", lines)


def _elf(program: Program) -> facts.ElfFacts | None:
    elf = program.elf
    if elf is None:
        return None
    return facts.ElfFacts(
        "elf",
        shown(elf.machine),
        elf.bits,
        elf.kind,
        elf.is_static,
        elf.stripped,
        shown(elf.interpreter) or None,
        [shown(name) for name in elf.needed],
    )


def _devicetree(tree: Devicetree) -> facts.DevicetreeFacts:
    return facts.DevicetreeFacts("devicetree", shown(tree.model), [shown(name) for name in tree.compatible])


def _hwids(hwids: Hwids) -> facts.HwidsFacts:
    devices = [
        facts.HwidsDevice(one.type, one.chid, shown(one.name), shown(one.chooses)) for one in hwids.devices
    ]
    return facts.HwidsFacts("hwids", devices)


def _pcrsig(policies: Policies) -> facts.PcrsigFacts:
    return facts.PcrsigFacts(
        "pcrsig",
        [
            facts.PcrPolicy(shown(one.bank), list(one.pcrs), shown(one.key), one.digest.hex())
            for one in policies.signed
        ],
    )


def _description(profile: Description) -> facts.ProfileFacts:
    return facts.ProfileFacts("profile", shown(profile.id), shown(profile.title))


FINDERS: Mapping[type[Any], Callable[[Any], facts.Facts | None]] = {
    Iso: _iso,
    Partitions: _disk,
    EfiImage: _fat,
    FileSystem: _filesystem,
    Pe: _pe,
    Kernel: _kernel,
    Cmdline: _cmdline,
    Initramfs: _initramfs,
    Packed: _packed,
    Qcow2: _qcow2,
    Vhd: _vhd,
    Vmdk: _vmdk,
    Ova: _ova,
    Archive: _gce,
    HashTree: _verity,
    Inittab: _inittab,
    Program: _elf,
    Devicetree: _devicetree,
    Hwids: _hwids,
    Policies: _pcrsig,
    Description: _description,
}
