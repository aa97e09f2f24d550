"""Rows: initramfs archives, as Linux takes them from a boot loader."""

import struct

from tests.fixtures.newc import DEVICE, DIRECTORY, FILE, LINK, Raw, newc
from tests.world.jury import programs
from tests.world.jury.changes import Change, cut, followed_by, poke
from tests.world.jury.row import Row

INIT = programs.init()
PROGRAM = FILE | 0o111


def microcode() -> bytes:
    """An update for an Intel processor that there is, without anything in it."""
    head = struct.pack("<8I", 1, 0x2F, 0x11192019, 0x906EA, 0, 1, 0x22, 2000) + struct.pack("<I12x", 2048)
    data = head + bytes(2000)
    total = -sum(struct.unpack("<512I", data)) & 0xFFFFFFFF
    return data[:16] + struct.pack("<I", total) + data[20:]


def archive(*members: Raw, init: bytes | None = INIT) -> bytes:
    """An archive with a console, /init and `members`."""
    own = [Raw("dev", DIRECTORY), Raw("dev/console", DEVICE, device=(5, 1))]
    own += [Raw("init", PROGRAM, init)] if init is not None else []
    data = newc([*own, *members])
    return data + bytes(-len(data) % 512)


EARLY = newc(
    [
        *(Raw(name, DIRECTORY) for name in ("kernel", "kernel/x86", "kernel/x86/microcode")),
        Raw("kernel/x86/microcode/GenuineIntel.bin", FILE, microcode()),
    ]
)
INPUTS = {
    "base.cpio": archive(),
    "extra.cpio": newc([Raw("extra", FILE, b"extra\n")]),
    "early.cpio": EARLY + bytes(-len(EARLY) % 512),
    "none.cpio": archive(init=None),
}

BASE = "cp $IN/base.cpio $OUT"
TREE = "mkdir -p t/dev; cp $IN/init t/init; chmod 755 t/init; cd t; find . | "


def _row(what: str, recipe: str = BASE, change: Change | None = None, **differs: str) -> Row:
    return Row(what, recipe, ("linux",), change, differs)


def _made(what: str, *members: Raw, init: bytes | None = INIT, **differs: str) -> Row:
    data = archive(*members, init=init)
    return _row(what, BASE, lambda _: data, **differs)


PACKED = {
    f"cpio-{name}": _row(f"packed by {command}", f"{command} < $IN/base.cpio > $OUT")
    for name, command in {
        "gzip": "gzip -n9",
        "bzip2": "bzip2",
        "lzma": "xz --format=lzma",
        "xz": "xz --check=crc32",
        "xz-none": "xz --check=none",
        "xz-crc64": "xz",
        "xz-sha256": "xz --check=sha256",
        "xz-x86": "xz --check=crc32 --x86 --lzma2=dict=1MiB",
        "xz-arm": "xz --check=crc32 --arm --lzma2",
        "xz-delta": "xz --check=crc32 --delta=dist=4 --lzma2",
        "lzo": "lzop -c",
        "lz4": "lz4 -l -9",
        "lz4-frame": "lz4 -9",
        "zstd": "zstd -19",
        "zstd-long": "zstd --ultra -22 --long=27",
        "zstd-check": "zstd --check",
        "zstd-long-31": "zstd --ultra -22 --long=31",
    }.items()
} | {
    "cpio-gzip-twice": _row("packed twice by gzip", "gzip -n < $IN/base.cpio | gzip -n > $OUT"),
    "cpio-gzip-named": _row(
        "gzip with the file's name in its header", "cp $IN/base.cpio x; gzip x; cp x.gz $OUT"
    ),
    "cpio-zstd-two-frames": _row(
        "an archive in two frames of zstd",
        "head -c 512 $IN/base.cpio | zstd > $OUT; tail -c +513 $IN/base.cpio | zstd >> $OUT",
    ),
    "cpio-two-gzip": _row(
        "an archive in two members of gzip",
        "head -c 512 $IN/base.cpio | gzip -n > $OUT; tail -c +513 $IN/base.cpio | gzip -n >> $OUT",
    ),
}

FORMS = {
    "cpio-plain": _row("an archive, not packed"),
    "cpio-newc": _row("cpio -H newc", f"{TREE} cpio --quiet -o -H newc > $OUT"),
    "cpio-crc": _row("cpio -H crc", f"{TREE} cpio --quiet -o -H crc > $OUT"),
    "cpio-bin": _row("cpio without -H", f"{TREE} cpio --quiet -o > $OUT"),
    "cpio-odc": _row("cpio -H odc", f"{TREE} cpio --quiet -o -H odc | gzip -n > $OUT"),
    "cpio-ustar": _row("cpio -H ustar", f"{TREE} cpio --quiet -o -H ustar | gzip -n > $OUT"),
    "cpio-empty": _row("an empty file", ": > $OUT"),
    "cpio-zeros": _row("zeros", "hollow $OUT 4096"),
    "cpio-text": _row("text", "seq 1000 > $OUT"),
    "cpio-no-trailer": _row("no trailer", BASE, cut(INPUTS["base.cpio"].index(b"TRAILER!!!") - 110)),
    "cpio-zeros-first": _row("512 zeros in front", "head -c 512 /dev/zero > $OUT; cat $IN/base.cpio >> $OUT"),
    "cpio-three-zeros-first": _row(
        "three zeros in front", "head -c 3 /dev/zero > $OUT; cat $IN/base.cpio >> $OUT"
    ),
    "cpio-magic-damaged": _row("the first member's magic is damaged", BASE, poke(0, b"07070x")),
    "cpio-second-magic": _row(
        "the magic behind /init is damaged", BASE, poke(INPUTS["base.cpio"].index(b"TRAILER!!!") - 110, b"x")
    ),
}

TAILS = {
    "tail-garbage": _row(
        "zstd, and garbage behind it", "zstd < $IN/base.cpio > $OUT; printf garbage! >> $OUT"
    ),
    "tail-garbage-plain": _row("an archive, and garbage behind it", BASE, followed_by(b"garbage!")),
    "tail-gzip-cut": _row("gzip, cut off in its last bytes", "gzip -n < $IN/base.cpio | head -c -4 > $OUT"),
    "tail-gzip-checksum": _row(
        "gzip with a wrong checksum", "gzip -n < $IN/base.cpio > $OUT", poke(-8, b"abcd")
    ),
    "tail-gzip-half": _row("gzip, half of it", "gzip -n < $IN/base.cpio > x; head -c 150 x > $OUT"),
    "tail-xz-cut": _row("xz without its footer", "xz --check=crc32 < $IN/base.cpio | head -c -12 > $OUT"),
    "tail-zstd-cut": _row("zstd, cut off in its last bytes", "zstd < $IN/base.cpio | head -c -6 > $OUT"),
    "tail-lz4-zeros": _row(
        "lz4 -l, padded with zeros to 512", "lz4 -l < $IN/base.cpio > $OUT; truncate -s %512 $OUT"
    ),
    "tail-gzip-zeros": _row(
        "gzip, padded with zeros to 512", "gzip -n < $IN/base.cpio > $OUT; truncate -s %512 $OUT"
    ),
    "tail-cut-in-init": _row("cut off inside /init", BASE, cut(INPUTS["base.cpio"].index(b"ELF") + 100)),
}

PARTS = {
    "two-aligned": _row(
        "a second archive at a multiple of four",
        "zstd < $IN/base.cpio > $OUT; align $OUT; cat $IN/extra.cpio >> $OUT",
    ),
    "two-unaligned": _row(
        "a plain archive at no multiple of four",
        "zstd < $IN/none.cpio > $OUT; align $OUT; printf '\\0' >> $OUT; cat $IN/base.cpio >> $OUT",
    ),
    "two-unaligned-packed": _row(
        "a packed archive at no multiple of four",
        "zstd < $IN/none.cpio > $OUT; align $OUT; printf '\\0' >> $OUT; zstd < $IN/base.cpio >> $OUT",
    ),
    "two-init-second": _row("/init in the second archive", "cat $IN/none.cpio $IN/base.cpio > $OUT"),
    "two-init-behind-garbage": _row(
        "/init behind bytes that are nothing",
        "zstd < $IN/none.cpio > $OUT; align $OUT; printf 'garbage!' >> $OUT; cat $IN/base.cpio >> $OUT",
    ),
    "two-behind-lz4": _row(
        "/init behind an archive of lz4 -l",
        "lz4 -l < $IN/none.cpio > $OUT; align $OUT; cat $IN/base.cpio >> $OUT",
    ),
    "two-lz4-twice": _row(
        "two archives of lz4 -l", "lz4 -l < $IN/none.cpio > $OUT; lz4 -l < $IN/base.cpio >> $OUT"
    ),
    "two-init-taken-back": _row(
        "the second archive's /init is text", BASE, followed_by(archive(init=b"text\n"))
    ),
    "early-first": _row("microcode in front", "cat $IN/early.cpio > $OUT; zstd < $IN/base.cpio >> $OUT"),
    "early-only": _row("microcode alone", "cat $IN/early.cpio > $OUT"),
    "early-last": _row(
        "microcode behind", "zstd < $IN/base.cpio > $OUT; align $OUT; cat $IN/early.cpio >> $OUT"
    ),
    "early-packed": _row(
        "microcode packed", "zstd < $IN/early.cpio > $OUT; align $OUT; zstd < $IN/base.cpio >> $OUT"
    ),
}

SHELL = (Raw("bin", DIRECTORY), Raw("bin/sh", PROGRAM, INIT))
INITS = {
    "init-none": _made("no /init", init=None),
    "init-text": _made("/init is text", init=b"busybox"),
    "init-empty": _made("/init is empty", init=b""),
    "init-script": _made("/init is a script for /bin/sh", *SHELL, init=b"#!/bin/sh\necho\n"),
    "init-script-space": _made("a blank behind #!", *SHELL, init=b"#! /bin/sh -e\necho\n"),
    "init-script-no-shell": _made("a script, and no /bin/sh", init=b"#!/bin/sh\necho\n"),
    "init-script-cr": _made(
        "a script whose lines end in CR LF, no /bin/sh to fall back to",
        Raw("bin", DIRECTORY),
        Raw("bin/bash", PROGRAM, INIT),
        init=b"#!/bin/bash\r\necho\r\n",
    ),
    "init-not-executable": _made("/init without x", Raw("init", FILE, INIT), init=None),
    "init-directory": _made("/init is a folder", Raw("init", DIRECTORY), init=None),
    "init-link": _made("/init is a link", *SHELL, Raw("init", LINK, b"bin/sh"), init=None),
    "init-link-absolute": _made(
        "/init is an absolute link", *SHELL, Raw("init", LINK, b"/bin/sh"), init=None
    ),
    "init-link-dangling": _made("/init is a link to nothing", Raw("init", LINK, b"/bin/busybox"), init=None),
    "init-link-loop": _made("/init is a link to itself", Raw("init", LINK, b"init"), init=None),
    "init-link-text": _made(
        "a link that became a file",
        Raw("bin", DIRECTORY),
        Raw("bin/busybox", PROGRAM, INIT),
        Raw("init", PROGRAM, b"/bin/busybox"),
        init=None,
    ),
    "init-aarch64": _made("/init for another machine", init=programs.init(machine=programs.AARCH64)),
    "init-truncated": _made("/init cut off in its headers", init=INIT[:40]),
    "init-dynamic": _made(
        "/init wants an interpreter that is there",
        Raw("lib", DIRECTORY),
        Raw("lib/ld.so", PROGRAM, programs.init(kind=programs.DYN)),
        init=programs.init(interpreter="/lib/ld.so"),
    ),
    "init-dynamic-none": _made(
        "/init wants an interpreter that is not there", init=programs.init(interpreter="/lib/ld.so")
    ),
    "init-pie": _made("/init can be loaded anywhere", init=programs.init(kind=programs.DYN)),
    "init-dot-slash": _made("it is called ./init", Raw("./init", PROGRAM, INIT), init=None),
    "init-slash": _made("it is called /init", Raw("/init", PROGRAM, INIT), init=None),
    "init-no-folder": _made(
        "/bin/sh without an entry for bin", Raw("bin/sh", PROGRAM, INIT), init=b"#!/bin/sh\n"
    ),
    "init-sbin": _made(
        "/sbin/init and no /init", Raw("sbin", DIRECTORY), Raw("sbin/init", PROGRAM, INIT), init=None
    ),
    "init-twice": _made(
        "two members called init, the second is text", Raw("init", PROGRAM, b"text"), init=INIT
    ),
}

ROWS = PACKED | FORMS | TAILS | PARTS | INITS
