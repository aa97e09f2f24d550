"""What Linux starts of an initramfs, and what it refuses."""

import struct

import pytest

from pipeline.checks.catalog import take_apart
from pipeline.checks.initramfs.startable import Refused, start
from tests.fixtures import patch
from tests.fixtures.bzimage import bzimage, packed_kernel
from tests.fixtures.elf import AARCH64, DYN, REL, elf
from tests.fixtures.initramfs import changed
from tests.fixtures.newc import DIRECTORY, FILE, LINK, Raw
from tests.fixtures.uki import uki

PROGRAM = FILE | 0o111
LIBRARY = elf(kind=DYN)
DYNAMIC = elf(interpreter="/lib/ld.so", needed=("a.so",))
LIB, LOADER, SO = Raw("lib", DIRECTORY), Raw("lib/ld.so", PROGRAM, LIBRARY), Raw("lib/a.so", FILE, LIBRARY)
ELF32 = (
    b"\x7fELF\1\1\1".ljust(16, b"\0")
    + struct.pack("<HHIIIIIHHHHHH", 2, 3, 1, 0x8048054, 52, 0, 0, 52, 32, 1, 40, 0, 0)
    + struct.pack("<IIIIIIII", 1, 0, 0x8048000, 0x8048000, 84, 84, 5, 4096)
)


def text(content: bytes) -> Raw:
    return Raw("init", PROGRAM, content)


def scripts(count: int) -> list[Raw]:
    """One script for the next, the last for a program."""
    names = [*(f"s{n}" for n in range(1, count)), "bin/sh"]
    return [Raw("s" + str(n) if n else "init", PROGRAM, b"#!/%b\n" % names[n].encode()) for n in range(count)]


ENV = (Raw("usr", DIRECTORY), Raw("usr/bin", DIRECTORY), Raw("usr/bin/env", LINK, b"../../bin/busybox"))

STARTED = (
    [text(elf())],
    [text(b"#!/bin/sh\nexec sh\n")],
    [text(b"#! \t/bin/sh\t-e \t\nexec sh\n")],
    [text(b"#!/bin/sh")],
    [text(b"#!bin/sh\n")],
    [text(b"#!/bin/sh " + b"x" * 300)],
    [text(b"#!" + b" " * 240 + b"/bin/sh\n")],
    [text(b"#!/bin/sh\0and what else there is")],
    [Raw("init", LINK, b"/sbin/init")],
    [Raw("init", LINK, b"../../bin/busybox")],
    [text(elf(kind=DYN))],
    [text(ELF32)],
    [text(DYNAMIC), LIB, LOADER, SO],
    scripts(5),
    [text(b"#!/usr/bin/env sh\n"), *ENV],
    [text(b"#!/usr/bin/env -S sh -e\n"), *ENV],
    [text(b"#!/usr/bin/env -i sh\n"), *ENV],
)


@pytest.mark.parametrize("members", STARTED, ids=lambda members: repr(members[0].data[:30]))
def test_it_is_started(members: list[Raw]) -> None:
    node = take_apart(uki({".initrd": changed(*members), ".cmdline": b"quiet"}), "uki")
    initramfs = node.child(".initrd")
    assert initramfs
    assert start(initramfs, "/init", node.child(".linux"))
    assert {finding.code for finding in node.all_findings()} <= {"CMD002"}


REFUSED = (
    (
        [text(b"")],
        "/init is an empty file, which is not a program",
        "copy a program there: `cp busybox init`",
    ),
    (
        [text(b"#!/bin/sh\r\necho\r\n")],
        "/init is a script for '/bin/sh\\r', which is not in the archive: its lines end as on Windows, "
        "in CR and LF",
        r"run `sed -i 's/\r$//' init`, and pack the initramfs again",
    ),
    (
        [text(b"#!/bin/sh -e\r\necho\r\n")],
        "/init hands /bin/sh '-e\\r': its lines end as on Windows, in CR and LF",
        r"run `sed -i 's/\r$//' init`, and pack the initramfs again",
    ),
    ([text(b"#!/gone\n")], "/init is a script for /gone, but /gone is not in the archive", "add /gone to"),
    (
        [text(b"#!sh -e\n")],
        "/init is a script for sh, which Linux looks for as /sh: it searches no PATH",
        "write the whole path: `#!/bin/sh`",
    ),
    ([text(b"#! \t\n")], "/init is a script that names no interpreter", "begin it with"),
    (
        [text(b"#!/" + b"a" * 253 + b"/sh\n")],
        "the first line of /init is longer than the 256 bytes that Linux reads",
        "give the interpreter a shorter path",
    ),
    (
        [text(b"#!/bin/tool\n"), Raw("bin/tool", FILE, elf())],
        "/init is a script for /bin/tool, but /bin/tool is not an executable file: "
        "/bin/tool has mode -rw-r--r--",
        "make /bin/tool a file of mode 0755",
    ),
    (
        [text(b"#!/usr/bin/env bash\n"), *ENV],
        "/init is a script for env, which does not find 'bash'",
        "name the program itself, such as `#!/bin/bash`",
    ),
    (
        [text(b"#!/usr/bin/env sh -e\n"), *ENV],
        "/init is a script for env, which does not find 'sh -e'",
        "name the program itself, such as `#!/bin/sh`",
    ),
    ([text(elf(kind=DYN, entry=0))], "/init is a library, without an entry point", "give a program"),
    (scripts(7), "/init is a script for a script, and so on, more than 5 times", "name a program"),
    (
        [text(b"\xef\xbb\xbf#!/bin/sh\n")],
        "/init is a script with a byte order mark in front of its `#!`, which is not a program",
        r"run `sed -i '1s/^\xef\xbb\xbf//' init`",
    ),
    (
        [text("#!/bin/sh\n".encode("utf-16"))],
        "/init is a file of no known format (it starts with fffe230021002f00), which is not a program",
        "run `iconv -f UTF-16 -t UTF-8 init`",
    ),
    (
        [text(b"\n#!/bin/sh\n")],
        "/init is a script with blanks in front of its `#!`, which is not a program",
        "take away what stands in front of `#!` in init",
    ),
    (
        [text(b"bin/busybox")],
        "/init is a text file that says 'bin/busybox': a symbolic link that became a file",
        "make it a link again, `ln -sf bin/busybox init`",
    ),
    (
        [text(b"!<symlink>\xff\xfe" + "/bin/busybox\0".encode("utf-16-le"))],
        "/init is a text file that says '/bin/busybox': a symbolic link that became a file",
        "make it a link again, `ln -sf /bin/busybox init`",
    ),
    (
        [text(b"exec /bin/sh\n")],
        "/init is a file of no known format (it starts with 65786563202f6269), which is not a program",
        "put a program there, or a script that begins with `#!/bin/sh`",
    ),
    (
        [text(elf(machine=AARCH64))],
        "/init is a program for AArch64, the kernel is for x86-64",
        "make the initramfs of programs for the kernel's machine",
    ),
    ([text(elf(kind=REL))], "/init is an ELF file of type ET_REL with ", "give the linked program"),
    ([text(elf()[:40])], "/init is damaged: ELF: header: 64 bytes at offset 0x0 do not lie", "the file is"),
    (
        [text(patch(elf(), 0x40 + 32, struct.pack("<Q", 9000)))],
        "/init is cut off: it loads 9000 bytes, the file has ",
        "pack the whole program",
    ),
    (
        [text(elf(interpreter="/lib/ld.so"))],
        "/init needs its loader /lib/ld.so, but /lib/ld.so is not in the archive",
        "add /lib/ld.so to the initramfs",
    ),
    (
        [text(DYNAMIC), LIB, Raw("lib/ld.so", FILE, LIBRARY), SO],
        "/init needs its loader /lib/ld.so, but /lib/ld.so is not an executable file",
        "make /lib/ld.so a file of mode 0755",
    ),
    (
        [text(DYNAMIC), LIB, LOADER],
        "/init needs a.so, which its loader does not find in the archive",
        "add a.so to the initramfs, or link /init statically",
    ),
    ([Raw("init", FILE, elf())], "/init is not an executable file: /init has mode -rw-r--r--", "make /init"),
    ([Raw("init", DIRECTORY)], "/init is not an executable file: /init has mode drwxr-xr-x", "make /init"),
    ([Raw("init", LINK, b"init")], "/init leads in a circle of symbolic links", "correct the links"),
    (
        [Raw("init", LINK, b"/usr/lib/systemd/systemd")],
        "/init leads to /usr/lib/systemd/systemd, which is not in the archive",
        "add /usr/lib/systemd/systemd to the initramfs",
    ),
)


@pytest.mark.parametrize(("members", "message", "hint"), REFUSED, ids=lambda value: str(value)[:70])
def test_it_is_refused(members: list[Raw], message: str, hint: str) -> None:
    node = take_apart(uki({".initrd": changed(*members), ".cmdline": b"quiet"}), "uki")
    initramfs = node.child(".initrd")
    assert initramfs
    with pytest.raises(Refused) as caught:
        start(initramfs, "/init", node.child(".linux"))
    assert caught.value.message.startswith(message)
    assert caught.value.hint.startswith(hint)
    assert {"UKI013", "UKI014"} & {finding.code for finding in node.all_findings()}


def test_the_kernel_may_lack_what_runs_it() -> None:
    changes = {".linux": bzimage(payload=packed_kernel("IA32_EMULATION")), ".cmdline": b"quiet"}
    node = take_apart(uki({**changes, ".initrd": changed(text(ELF32))}), "uki")
    assert [finding.message for finding in node.all_findings() if finding.code == "UKI014"] == [
        "/init is a program for 32-bit x86, but the kernel was built without CONFIG_IA32_EMULATION"
    ]
