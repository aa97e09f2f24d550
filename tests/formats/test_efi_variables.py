"""What firmware keeps, read from each of its three forms."""

import json
import random
import struct
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import pytest

from pipeline.errors import FormatError
from pipeline.formats.efi_variables import HINT, Variable, read_json, read_variables, read_volume
from pipeline.formats.secure_boot import DATABASES, GLOBAL, read_store
from tests.fixtures.variables import (
    KEPT,
    STORE,
    certificates,
    entry,
    flash,
    signature_list,
    variables,
    volume,
)

ONE = variables(db=b"lists", SecureBootEnable=b"\1")


def test_a_volume_and_json_say_the_same(tmp_path: Path) -> None:
    told = [
        {"name": name, "guid": str(guid), "attr": one.attributes, "data": one.data.hex()}
        for (name, guid), one in ONE.items()
    ]
    (tmp_path / "vars.json").write_text(json.dumps({"version": 2, "variables": told}))
    (tmp_path / "vars.fd").write_bytes(flash(ONE))
    assert read_variables(tmp_path / "vars.fd") == read_variables(tmp_path / "vars.json") == ONE


def test_what_linux_shows_of_them(tmp_path: Path) -> None:
    for (name, guid), one in ONE.items():
        (tmp_path / f"{name}-{guid}").write_bytes(struct.pack("<I", one.attributes) + one.data)
    (tmp_path / "README").write_text("no variable")
    assert read_variables(tmp_path) == ONE


def test_names_are_of_their_vendors() -> None:
    other = UUID(int=7)
    image = volume([entry("db", DATABASES, b"ours"), entry("db", other, b"theirs")])
    assert {key: one.data for key, one in read_volume(image).items()} == {
        ("db", DATABASES): b"ours",
        ("db", other): b"theirs",
    }


@pytest.mark.parametrize(
    ("states", "data"),
    [
        ((0x3F,), b"1"),
        ((0x3E,), b"1"),
        ((0x3E, 0x3F), b"2"),
        ((0x3F, 0x3E), b"1"),
        ((0x3C, 0x3F), b"2"),
        ((0x3F, 0x7F), b"1"),
        ((0x3C, 0xFF), None),
    ],
)
def test_what_was_deleted_is_not_there(states: tuple[int, ...], data: bytes | None) -> None:
    image = volume(
        [entry("Timeout", GLOBAL, str(n).encode(), state=state) for n, state in enumerate(states, 1)]
    )
    found = read_volume(image)
    assert found == ({("Timeout", GLOBAL): Variable(KEPT, data)} if data else {})


def test_a_store_behind_firmware_s_code_is_found() -> None:
    assert read_volume(bytes(0x20000) + flash(ONE)) == ONE


GOOD = flash(ONE)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (b"", "is no firmware volume with variables"),
        (b"milk, eggs", "is no firmware volume with variables"),
        (
            GOOD[:0x30],
            "variable store: volume header: 2 bytes at offset 0x30 do not lie inside the 48 bytes given",
        ),
        (GOOD[:80], "variable store: header: 28 bytes at offset 0x48 do not lie inside the 80 bytes given"),
        (GOOD[:-1], "variable store: 65536 bytes at offset 0x48 do not lie inside the 65607 bytes given"),
        (
            volume([], form=0xFF),
            "variable store: firmware would not take it (format 0xff, state 0xfe, 65536 bytes)",
        ),
        (volume([], size=8), "variable store: firmware would not take it (format 0x5a, state 0xfe, 8 bytes)"),
        (
            volume([], guid=STORE[::-1]),
            "variable store: its variables are not authenticated, as Secure Boot's have to be",
        ),
        (
            volume([struct.pack("<HBxI28xII16s", 0x55AA, 0x3F, 7, 8, 0xFFFFFFF0, bytes(16))]),
            "variable store: the variable at offset 0x64 ends behind the store",
        ),
    ],
)
def test_damage_is_one_sentence(image: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_volume(image)
    assert caught.value.message == message


@pytest.mark.parametrize(
    "text",
    [
        "{",
        '{"variables": [{}]}',
        '{"variables": 7}',
        '{"variables": [{"name": "x", "guid": "no"}]}',
        "[" * 10**5,
    ],
)
def test_other_json_is_told_apart(text: str) -> None:
    with pytest.raises(FormatError, match="is no JSON of virt-fw-vars: ") as caught:
        read_json(text.encode())
    assert caught.value.hint == HINT


def test_no_folder_of_variables(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no file in it is called as in efivarfs"):
        read_variables(tmp_path)
    (tmp_path / f"db-{DATABASES}").write_bytes(b"\7\0")
    with pytest.raises(FormatError, match="attributes: 4 bytes at offset 0x0"):
        read_variables(tmp_path)
    with pytest.raises(FormatError, match="cannot be read: No such file or directory"):
        read_variables(tmp_path / "gone")


@pytest.mark.parametrize("seed", range(8))
def test_whatever_bytes_there_are_it_is_read_or_refused(seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311
    good = flash(variables(db=certificates(["vendor"]), dbx=signature_list("sha256", b"1" * 32)))[:0x1000]
    for _ in range(60):
        image = bytearray(good.ljust(0x10048, b"\xff"))
        for _ in range(dice.randrange(1, 4)):
            image[dice.randrange(len(good))] = dice.randrange(256)
        with suppress(FormatError):  # nothing else comes out of it
            assert read_store(read_volume(bytes(image))).state in ("on", "setup", "off")
