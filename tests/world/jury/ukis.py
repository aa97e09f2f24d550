"""Rows: UKIs with Linux inside, by ukify and by hand."""

from tests.world.jury.archives import INPUTS
from tests.world.jury.changes import Change, cut, sections
from tests.world.jury.row import Row

UKIFY = "ukify build --linux=$IN/vmlinuz --uname=6 --os-release=ID=jury --output=$OUT"
CMDLINE = "console=ttyS0 panic=-1 loglevel=4"


def _row(what: str, recipe: str, change: Change | None = None, **differs: str) -> Row:
    return Row(what, recipe, ("uki",), change, differs)


def _ukify(*options: str, cmdline: str = CMDLINE) -> str:
    return f"{UKIFY} --cmdline='{cmdline}' {' '.join(options)} > log 2>&1 || {{ cat log; exit 1; }}"


NOWHERE = f"{CMDLINE} rdinit=/nowhere".encode()
INITRD = "--initrd=$IN/base.cpio"

ROWS = {
    "uki": _row("kernel, command line and initramfs (ukify)", _ukify(INITRD)),
    "uki-no-initrd": _row("no initramfs", _ukify()),
    "uki-two-initrds": _row(
        "two initramfs archives, /init in the second", _ukify("--initrd=$IN/none.cpio", INITRD)
    ),
    "uki-no-init": _row("an initramfs without /init", _ukify("--initrd=$IN/none.cpio")),
    "uki-rdinit": _row(
        "rdinit= names a program that is there", _ukify(INITRD, cmdline=f"{CMDLINE} rdinit=/init")
    ),
    "uki-rdinit-nowhere": _row(
        "rdinit= names a program that is not there",
        _ukify(INITRD, cmdline=f"{CMDLINE} rdinit=/nowhere"),
    ),
    "uki-init-parameter": _row(
        "init= names another program; it is for the root file system",
        _ukify(INITRD, cmdline=f"{CMDLINE} init=/nowhere"),
    ),
    "uki-second-rdinit": _row(
        "rdinit= twice: the last counts",
        _ukify(INITRD, cmdline=f"{CMDLINE} rdinit=/nowhere rdinit=/init"),
    ),
    "uki-initrd-garbage": _row(
        "an initramfs with garbage behind it",
        "zstd < $IN/base.cpio > i; printf garbage! >> i; " + _ukify("--initrd=i"),
    ),
    "uki-initrd-lz4-frame": _row(
        "an initramfs in lz4's frames", "lz4 -q -9 $IN/base.cpio i; " + _ukify("--initrd=i")
    ),
    "uki-initrd-xz-crc64": _row(
        "an initramfs in xz with CRC64", "xz < $IN/base.cpio > i; " + _ukify("--initrd=i")
    ),
    "uki-microcode": _row("a section .ucode", _ukify(INITRD, "--microcode=$IN/early.cpio")),
    "uki-second-cmdline": _row(
        "a second .cmdline, whose rdinit= is not there: the first counts",
        _ukify(INITRD),
        sections((".cmdline", NOWHERE)),
    ),
    "uki-second-cmdline-good": _row(
        "a second .cmdline that would start; the first does not",
        _ukify(INITRD, cmdline=NOWHERE.decode()),
        sections((".cmdline", CMDLINE.encode())),
    ),
    "uki-second-initrd": _row(
        "a second .initrd with /init; the first has none",
        _ukify("--initrd=$IN/none.cpio"),
        sections((".initrd", INPUTS["base.cpio"])),
    ),
    "uki-profile": _row(
        "a profile whose command line counts in place of the one before it",
        _ukify(INITRD),
        sections((".profile", b"ID=other"), (".cmdline", NOWHERE)),
    ),
    "uki-initrd-added": _row(
        "an .initrd added behind ukify's sections", _ukify(), sections((".initrd", INPUTS["base.cpio"]))
    ),
    "uki-far-section": _row(
        "a section 3 GB behind the program, as objcopy makes it of old recipes",
        _ukify(INITRD),
        sections((".osrel", b"ID=far"), address=0xB209_0000),
    ),
    "uki-cut-off": _row("cut off in its kernel", _ukify(INITRD), cut(4 << 20)),
}
