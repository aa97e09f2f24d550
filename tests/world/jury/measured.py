"""Rows: UKIs whose PCR 11 a TPM tells, asked by what most of them have in place of Linux."""

import hashlib
import struct
import uuid
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric import ec

from pipeline.checks.pe.uki_pcr import values
from pipeline.checks.pe.uki_profiles import profiles
from pipeline.formats.pcr import phases, policy_digest
from pipeline.formats.pe import read_pe
from tests.fixtures.devicetree import dtb, hwids
from tests.fixtures.newc import DIRECTORY, Raw
from tests.fixtures.pcrsig import pcrsig, public
from tests.world.jury import programs, tpm
from tests.world.jury.archives import archive
from tests.world.jury.changes import Change, chain, sections
from tests.world.jury.row import Row

KEY = ec.derive_private_key(0x105EA1ED, ec.SECP256R1())  # the same each time: its public half is measured
PROGRAM = programs.efi(code=tpm.code(), version=1)
BMP = struct.pack("<2sIII IiiHHIIiiII", b"BM", 58, 0, 54, 40, 1, 1, 1, 24, 0, 4, 0, 0, 0, 0) + bytes(4)
ASKS = archive(Raw("s", DIRECTORY), init=programs.init(first=tpm.linux_code()))
INPUTS: Mapping[str, bytes] = {"tpm.efi": PROGRAM, "pixel.bmp": BMP, "key.pem": public(KEY), "tpm.cpio": ASKS}

UKIFY = "ukify build --linux=$IN/tpm.efi --uname=6 --os-release=ID=jury --cmdline=quiet --output=$OUT"
LINUX_UKI = (
    "ukify build --linux=$IN/vmlinuz --uname=6 --os-release=ID=jury --initrd=$IN/tpm.cpio"
    " --cmdline='console=ttyS0 panic=-1 loglevel=4' --output=$OUT > log 2>&1"
)
STUB = "cp /usr/lib/systemd/boot/efi/linuxx64.efi.stub $OUT"
BOTH = ("pcr", "pcr_1")
TREE = dtb(model="Jury", compatible=["jury,board"])
ELSEWHERE = "a0a0a0a0-0000-5000-8000-000000000000"
QEMU = "QEMU&Standard PC (Q35 + ICH9, 2009)"
CHOSEN = "which of several device trees is chosen is a fact of the machine"


def _here() -> str:
    """Return QEMU's hardware id of manufacturer and product: type 9 of those that the stub looks for."""
    space = uuid.UUID("70ffd812-4c7f-4c7d-0000-000000000000")
    made = hashlib.sha1(space.bytes + QEMU.encode("utf-16-le"), usedforsecurity=False).digest()
    return str(uuid.UUID(bytes=made[:16], version=5))


def _row(
    what: str, change: Change | None = None, *options: str, ways: tuple[str, ...] = ("pcr",), **differs: str
) -> Row:
    recipe = f"{UKIFY} {' '.join(options)} > log 2>&1 || {{ cat log; exit 1; }}"
    return Row(what, recipe, ways, change, differs)


def _by_hand(what: str, *added: tuple[str, bytes]) -> Row:
    return Row(what, STUB, ("pcr",), sections(*added))


def _in_memory(name: str, by: int) -> Change:
    """A section so many bytes longer in memory than it is, or shorter; the image, too, if it is the last."""

    def apply(image: bytes) -> bytes:
        (pe,) = struct.unpack_from("<I", image, 0x3C)
        (optional,) = struct.unpack_from("<H", image, pe + 20)
        at = image.index(name.encode().ljust(8, b"\0"), pe + 24 + optional) + 8
        made = bytearray(image)
        size, address = struct.unpack_from("<II", image, at)
        struct.pack_into("<I", made, at, size + by)
        (whole,) = struct.unpack_from("<I", image, pe + 24 + 56)
        struct.pack_into("<I", made, pe + 24 + 56, max(whole, -(-(address + size + by) // 0x1000) * 0x1000))
        return bytes(made)

    return apply


def _signed(number: int = 0, choice: int = 0, first: int = 1, last: int = 4) -> Change:
    """A .pcrsig behind all, for a profile as it is now, and where the stub makes one of its choices.

    It has policies for some phases, as `systemd-measure sign` makes them: none for before the first.
    """

    def apply(image: bytes) -> bytes:
        uki = read_pe(image)
        value = list(values(uki, profiles(uki)[number], "sha256", {}))[choice]
        digests = [policy_digest("sha256", after) for after in phases("sha256", value).values()]
        return sections((".pcrsig", pcrsig(digests[first : last + 1], KEY)))(image)

    return apply


def _poked(old: bytes, new: bytes) -> Change:
    return lambda image: image.replace(old, new, 1)


LINUX = (".linux", PROGRAM)
FIRST, SECOND = (".profile", b"ID=first\nTITLE=First\n"), (".profile", b"ID=second\n")
AUTO = (".dtbauto", TREE)
OTHERS, OURS = ((".hwids", hwids((1, chid, "Jury", "jury,board"))) for chid in (ELSEWHERE, _here()))

ROWS = {
    "pcr-uki": _row("kernel, command line, os-release and version (ukify)"),
    "pcr-linux": Row("Linux, which is asked itself", LINUX_UKI, ("pcr",)),
    "pcr-linux-zstd": Row(
        "Linux with a packed initramfs behind microcode, which is asked itself",
        f"cat $IN/early.cpio > i; zstd < $IN/tpm.cpio >> i; {LINUX_UKI.replace('$IN/tpm.cpio', 'i')}",
        ("pcr",),
    ),
    "pcr-kernel-only": _by_hand("a kernel and nothing else", LINUX),
    "pcr-initrd": _row("an initramfs", None, "--initrd=$IN/base.cpio"),
    "pcr-two-initrds": _row(
        "two initramfs archives in one section", None, "--initrd=$IN/none.cpio --initrd=$IN/base.cpio"
    ),
    "pcr-microcode": _row("a section .ucode", None, "--microcode=$IN/early.cpio"),
    "pcr-splash": _row("a picture", None, "--splash=$IN/pixel.bmp"),
    "pcr-splash-broken": _row("a picture that is none", sections((".splash", b"BM"))),
    "pcr-sbat": _row(
        "an .sbat of its own (ukify)", None, "--sbat='sbat,1,SBAT Version,sbat,1,-\njury,1,a,b,c,d'"
    ),
    "pcr-second-sbat": _row("a second .sbat, behind the stub's", sections((".sbat", b"sbat,1\n"))),
    "pcr-pcrpkey": _row("the public key of policies", None, "--pcrpkey=$IN/key.pem"),
    "pcr-dtb": _row("a device tree", sections((".dtb", TREE))),
    "pcr-dtb-broken": _row("a device tree that is none", sections((".dtb", b"tree"))),
    "pcr-hwids": _row("hardware ids of another machine", sections(OTHERS)),
    "pcr-hwids-broken": _row("hardware ids without an end", sections((".hwids", OTHERS[1][:28]))),
    "pcr-dtbauto": _row("a device tree for another machine", sections(OTHERS, AUTO)),
    "pcr-dtbauto-no-ids": _row("a device tree for machines that nothing names", sections(AUTO)),
    "pcr-dtbauto-chosen": _row("a device tree for this machine", sections(OURS, AUTO), pcr=CHOSEN),
    "pcr-efifw": _row("a section that a newer stub would know", sections((".efifw", b"firmware"))),
    "pcr-unknown": _row("a section that no stub knows", sections((".mine", b"mine"))),
    "pcr-no-name": _row(
        "a section whose name begins as another's", sections((".cmdlin", b"a"), (".linux2", b"b"))
    ),
    "pcr-empty": _row("sections without a byte", sections((".splash", b""), (".initrd", b""))),
    "pcr-second-cmdline": _row("a second .cmdline", sections((".cmdline", b"debug"))),
    "pcr-second-linux": _row("a second .linux", sections((".linux", PROGRAM + b"other"))),
    "pcr-second-pcrpkey": _row(
        "a second .pcrpkey", sections((".pcrpkey", b"other")), "--pcrpkey=$IN/key.pem"
    ),
    "pcr-empty-before": _by_hand(
        "a .cmdline without a byte, then one that has some", LINUX, (".cmdline", b""), (".cmdline", b"quiet")
    ),
    "pcr-order": _by_hand(
        "sections in another order than the stub's",
        (".uname", b"6"),
        (".osrel", b"ID=a"),
        (".cmdline", b"a"),
        LINUX,
    ),
    "pcr-nul": _by_hand("a command line with zeros in it", LINUX, (".cmdline", b"quiet\0debug\0\0")),
    "pcr-no-ascii": _by_hand("a command line that is no UTF-8", LINUX, (".cmdline", b"a=\xff\xfe\n")),
    "pcr-longer": _row("a section longer in memory than in the file", _in_memory(".osrel", 300)),
    "pcr-longer-than-file": _row("one longer by more than its alignment", _in_memory(".osrel", 2000)),
    "pcr-longer-linux": _row("a kernel longer in memory than in the file", _in_memory(".linux", 0x3210)),
    "pcr-shorter": _row("a section shorter in memory than in the file", _in_memory(".osrel", -3)),
    "pcr-shorter-to-nothing": _row("a section that is nothing in memory", _in_memory(".osrel", -7)),
    "pcr-profiles": _row(
        "two profiles with command lines of their own",
        sections(FIRST, (".cmdline", b"first"), SECOND, (".cmdline", b"second")),
        ways=BOTH,
    ),
    "pcr-profile-linux": _row(
        "a second profile with a kernel of its own",
        sections(FIRST, SECOND, (".linux", PROGRAM + b"2")),
        ways=BOTH,
    ),
    "pcr-profile-twice": _row(
        "a second profile with two command lines, and the other's os-release",
        sections(FIRST, (".osrel", b"ID=1"), SECOND, (".cmdline", b"one"), (".cmdline", b"two")),
        ways=BOTH,
    ),
    "pcr-profile-empty": _row(
        "profiles without a description, and with a command line without a byte",
        sections((".profile", b""), (".cmdline", b""), (".profile", b"\0"), (".cmdline", b"")),
        ways=BOTH,
    ),
    "pcrsig-fits": _row("a .pcrsig made last", _signed()),
    "pcrsig-ready": _row("a .pcrsig for the last of four phases alone", _signed(first=4)),
    "pcrsig-shutdown": _row("a .pcrsig for phases while the machine goes down", _signed(first=5, last=6)),
    "pcrsig-stale": _row(
        "a .pcrsig, and a letter of the command line changed then",
        chain(_signed(), _poked(b"quiet", b"quieT")),
    ),
    "pcrsig-splash": _row(
        "a .pcrsig, and a picture added then", chain(_signed(), sections((".splash", BMP)))
    ),
    "pcrsig-unknown": _row(
        "a .pcrsig, and a section added then that no stub knows",
        chain(_signed(), sections((".mine", b"mine"))),
    ),
    "pcrsig-second": _row(
        "two .pcrsig, of which the first fits", chain(_signed(), sections((".pcrsig", pcrsig([bytes(32)]))))
    ),
    "pcrsig-first": _row(
        "two .pcrsig, of which the second fits", chain(sections((".pcrsig", pcrsig([bytes(32)]))), _signed())
    ),
    "pcrsig-key": _row("a .pcrsig beside the key that made it", _signed(), "--pcrpkey=$IN/key.pem"),
    "pcrsig-longer": _row(
        "a .pcrsig for a section that is longer in memory", chain(_in_memory(".osrel", 99), _signed())
    ),
    "pcrsig-profile": _row(
        "a .pcrsig of the second profile, for it",
        chain(sections(FIRST, SECOND, (".cmdline", b"second")), _signed(1)),
        ways=BOTH,
    ),
    "pcrsig-profile-stale": _row(
        "a .pcrsig of the second profile, for the first one",
        chain(sections(FIRST, SECOND, (".cmdline", b"second")), _signed(0)),
        ways=BOTH,
    ),
    "pcrsig-dtbauto": _row(
        "a .pcrsig for where the device tree is chosen",
        chain(sections(OURS, AUTO), _signed(choice=1)),
        pcr=CHOSEN,
    ),
    "pcrsig-dtbauto-none": _row(
        "a .pcrsig for where no device tree is chosen", chain(sections(OURS, AUTO), _signed()), pcr=CHOSEN
    ),
}
