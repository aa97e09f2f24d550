import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline.errors import FormatError
from pipeline.formats.boot_files import Files, of_bytes
from pipeline.formats.heads import (
    HASHES,
    LEAST,
    SIGNATURE,
    TREE,
    differences,
    make_hashes,
    make_tree,
    read_hashes,
    read_tree,
    signed_text,
    would_start,
)

BOOT = {
    "vmlinuz-1": b"kernel",
    "initrd-1.img": b"initrd",
    "grub/grub.cfg": b"menuentry",
    "grub-old": b"",
    "kexec_menu.txt": b"x",
    "kexecutor/file": b"y",
    "Sub/kexec_hashes.txt": b"z",
}
FOLDERS = ("lost+found", "kexec.d")


def boot(**more: bytes) -> Files:
    return of_bytes(BOOT | {name.replace("__", "/"): data for name, data in more.items()}, folders=FOLDERS)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_lists_are_as_heads_makes_them() -> None:
    listed = ["Sub/kexec_hashes.txt", "grub-old", "grub/grub.cfg", "initrd-1.img", "vmlinuz-1"]
    assert make_hashes(boot()).decode() == "".join(f"{sha256(BOOT[name])}  ./{name}\n" for name in listed)
    assert make_tree(boot()) == (
        b"./\0./Sub\0./Sub/kexec_hashes.txt\0./grub\0./grub-old\0./grub/grub.cfg\0"
        b"./initrd-1.img\0./lost+found\0./vmlinuz-1\0"
    )


def test_links_are_in_the_tree_alone() -> None:
    files = of_bytes({"a": b"1"}, {"b": "a"})
    assert make_hashes(files).decode() == f"{sha256(b'1')}  ./a\n"
    assert make_tree(files) == b"./\0./a\0./b\0"


def test_lists_are_what_find_sort_and_sha256sum_say(tmp_path: Path) -> None:
    for name in ("find", "sort", "sha256sum", "xargs"):
        if shutil.which(name) is None:
            pytest.skip(f"{name} is not there")
    for path, data in BOOT.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    for folder in FOLDERS:
        (tmp_path / folder).mkdir()
    commands = {
        make_tree: "find ./ ! -path './kexec*' -print0 | LC_ALL=C sort -z",
        make_hashes: "find ./ -type f ! -path './kexec*' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum",
    }
    for make, command in commands.items():
        done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, check=True)
        assert make(boot()) == done.stdout


def test_what_is_signed_names_the_lists_where_heads_has_them() -> None:
    lists = {"kexec_tree.txt": b"t", "kexec_hashes.txt": b"h", "kexec.sig": b"s", "other.txt": b"o"}
    assert signed_text(lists).decode() == (
        f"{sha256(b'h')}  /boot/kexec_hashes.txt\n{sha256(b't')}  /boot/kexec_tree.txt\n"
    )
    assert signed_text({"kexec_a.txt": b""}, "/media/x").decode() == f"{sha256(b'')}  /media/x/kexec_a.txt\n"


@pytest.mark.parametrize("name", ["back\\slash", "new\nline", "delete\x7f", "Ünicode", "folder\t/file"])
def test_names_that_heads_does_not_sign_are_refused(name: str) -> None:
    for make in (make_hashes, make_tree):
        with pytest.raises(FormatError, match="Heads signs no /boot with this name in it"):
            make(of_bytes({name: b""}))


DIGEST = "0" * 64


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", f"{HASHES}: it is empty"),
        (b"x\n", f"{HASHES}: line 1 is no digest and path: 'x'"),
        (f"{DIGEST}  ./a\n{DIGEST} b\n".encode(), f"{HASHES}: line 2 is no digest and path: '{DIGEST} b'"),
        (f"{DIGEST}  ./a\n{DIGEST} *a\n".encode(), f"{HASHES}: line 2: ./a is there twice"),
    ],
)
def test_hashes_that_cannot_be_read(data: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_hashes(data)
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", f"{TREE}: it does not end with a NUL"),
        (b"./\0./a", f"{TREE}: it does not end with a NUL"),
        (b"./\0a\0", f"{TREE}: 'a' does not begin with ./"),
    ],
)
def test_trees_that_cannot_be_read(data: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_tree(data)
    assert caught.value.message == message


def test_own_lists_are_read_again() -> None:
    assert read_hashes(make_hashes(boot()))["vmlinuz-1"] == sha256(b"kernel")
    assert read_tree(make_tree(boot()))[:2] == ("./", "./Sub")
    assert not list(differences(boot(), make_hashes(boot()), make_tree(boot())))


@pytest.mark.parametrize(
    ("files", "messages"),
    [
        (
            boot(**{"vmlinuz-1": b"kernek"}),
            [f"./vmlinuz-1 has another digest than {HASHES} says: it was changed"],
        ),
        (boot(new=b""), [f"./new is not in {TREE}: it was added"]),
        (boot(kexec_more=b""), []),
        (of_bytes(BOOT), [f"./lost+found is in {TREE}, and is not there"]),
        (
            of_bytes({name: data for name, data in BOOT.items() if name != "grub-old"}, folders=FOLDERS),
            [
                f"./grub-old is in {HASHES}, and there is no such file",
                f"./grub-old is in {TREE}, and is not there",
            ],
        ),
    ],
)
def test_what_is_otherwise_is_named(files: Files, messages: list[str]) -> None:
    found = differences(files, make_hashes(boot()), make_tree(boot()))
    assert [each.message for each in found] == messages


def test_another_order_of_the_tree_is_named() -> None:
    tree = b"".join(sorted(part + b"\0" for part in make_tree(boot()).split(b"\0")[:-1])[::-1])
    (found,) = differences(boot(), make_hashes(boot()), tree)
    assert found.message == f"{TREE} is not in the order of the C locale"


ENTRY = b"menuentry 'Toy' {\n linux /vmlinuz\n}\n"
GOOD = {"vmlinuz": b"kernel", "grub/grub.cfg": ENTRY}
SIGNS = "its owner signs it first"
FINDS = "Heads finds 1 of its entries, the first 'Toy'"


def listed(files: dict[str, bytes], *, signature: bool = True) -> dict[str, bytes]:
    lists = {HASHES: make_hashes(of_bytes(files)), TREE: make_tree(of_bytes(files))}
    return files | lists | ({SIGNATURE: b"s"} if signature else {})


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (GOOD, (True, FINDS, SIGNS)),
        (listed(GOOD, signature=False), (True, FINDS, SIGNS)),
        (listed(GOOD), (True, FINDS, "the signature in kexec.sig is its owner's")),
        (
            {"vmlinuz": b"", "boot.cfg": ENTRY},
            (False, "there is no /grub at its top, by which Heads knows a /boot"),
        ),
        ({"grub/grub.cfg": b""}, (False, "Heads finds no entry that it can start")),
        (
            {"grub/grub.cfg": ENTRY},
            (
                False,
                "Heads finds no entry that it can start: /grub/grub.cfg: entry 'Toy': /vmlinuz is not there",
            ),
        ),
        (
            {"grub/grub.cfg": b"", "loader/entries/a.conf": b"title A\nlinux /x\n"},
            (
                False,
                "Heads finds no entry that it can start: "
                "'A': /x is not there, and Heads fails to start it",
            ),
        ),
        (
            listed(GOOD) | {"vmlinuz": b"kernek"},
            (False, f"./vmlinuz has another digest than {HASHES} says: it was changed"),
        ),
        (listed(GOOD) | {HASHES: b"x\n"}, (False, f"{HASHES}: line 1 is no digest and path: 'x'")),
        (
            {name: data for name, data in listed(GOOD).items() if name != TREE},
            (False, f"/{TREE} is not there, and the other list is"),
        ),
    ],
)  # fmt: skip
def test_what_heads_would_start(files: dict[str, bytes], expected: tuple[object, ...]) -> None:
    start = would_start(of_bytes(files))
    assert (start.starts, start.because, *start.conditions) == expected
    assert start.starts or start.reasons or "no entry that it can start" in start.because


def test_heads_looks_at_no_small_partition() -> None:
    start = would_start(of_bytes(GOOD), size=LEAST - 1)
    assert start.because == f"the partition has {LEAST - 1} bytes, and Heads looks at none below {LEAST}"
    assert would_start(of_bytes(GOOD), size=LEAST).starts


def test_an_iso_is_asked_for_less() -> None:
    start = would_start(of_bytes({"vmlinuz": b"", "boot.cfg": ENTRY}), size=1, is_iso=True)
    assert start.starts
    assert start.conditions == ("its signature lies beside it, with .asc or .sig added to its name",)
