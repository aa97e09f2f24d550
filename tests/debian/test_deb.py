import zlib
from pathlib import Path

import pytest

from pipeline.debian.deb import control as deb_control
from pipeline.debian.deb import open_archive
from pipeline.errors import FormatError
from tests.fixtures import patch
from tests.fixtures.deb import COMPRESSORS, Member, ar_member, control, data_tar, deb, folder

FILES: list[Member] = [folder("./usr"), ("./usr/a", b"aaa"), ("./usr/b", bytes(30_000))]


def read(path: Path) -> dict[str, bytes]:
    found = {}
    with open_archive(path) as archive:
        for member in archive:
            file = archive.extractfile(member)
            found[member.name] = file.read() if file else b""
    return found


@pytest.mark.parametrize("suffix", COMPRESSORS)
@pytest.mark.parametrize("after", [b"", ar_member("_gpgorigin", b"signed")])
def test_each_compression_also_with_members_after_the_data(tmp_path: Path, suffix: str, after: bytes) -> None:
    for filler in (b"", b"x", b"xy", b"xyz"):  # the archive's length, even and odd
        path = tmp_path / "x.deb"
        path.write_bytes(deb([*FILES, ("./usr/c", filler)], suffix, after=after))
        assert read(path) == {"./usr": b"", "./usr/a": b"aaa", "./usr/b": bytes(30_000), "./usr/c": filler}


GOOD = deb(FILES)
CONTROL = 8 + 60 + 4
"""Where the header of control.tar is."""

AR = b"!<arch>\n"


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (b"", "x.deb: not a Debian package: no ar(5) magic at offset 0"),
        (b"PK" + GOOD[2:], "x.deb: not a Debian package: no ar(5) magic at offset 0"),
        (AR, "x.deb: no data.tar member"),
        (AR + ar_member("debian-binary", b"2.0\n"), "x.deb: no data.tar member"),
        (GOOD[: CONTROL + 20], "x.deb: ar header cut off or damaged at offset 72"),
        (patch(GOOD, CONTROL + 58, b"??"), "x.deb: ar header cut off or damaged at offset 72"),
        (patch(GOOD, CONTROL + 48, b"many"), "x.deb: ar member 'control.tar' has the size b'many      '"),
        (
            AR + ar_member("data.tar.bz2", b""),
            "x.deb: data archive is compressed with 'bz2', want xz, zst or gz",
        ),
    ],
)
def test_what_is_no_package(tmp_path: Path, image: bytes, message: str) -> None:
    path = tmp_path / "x.deb"
    path.write_bytes(image)
    with pytest.raises(FormatError) as caught:
        read(path)
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("suffix", "offset"),
    [("", 148), (".gz", 0), (".gz", 10), (".xz", 0), (".zst", 0)],  # tar's checksum, magics, deflate
)
def test_a_damaged_data_archive(tmp_path: Path, suffix: str, offset: int) -> None:
    data = COMPRESSORS[suffix](data_tar([("./a", bytes(range(256)) * 200)]))
    path = tmp_path / "x.deb"
    for bad in (data[: len(data) // 2], patch(data, offset, b"\xff\xff\xff")):
        path.write_bytes(AR + ar_member(f"data.tar{suffix}", bad))
        with pytest.raises(FormatError, match=r"^x\.deb: data archive is damaged: "):
            read(path)


def test_damage_in_the_middle_of_a_file(tmp_path: Path) -> None:
    tar = data_tar([("./a", bytes(60_000))])
    deflate = zlib.compressobj(wbits=31)
    bad = deflate.compress(tar[:30_000]) + deflate.flush(zlib.Z_FULL_FLUSH)
    bad += b"\xff" * 20  # a block of type 3, which there is not (RFC 1951, section 3.2.3)
    path = tmp_path / "x.deb"
    path.write_bytes(AR + ar_member("data.tar.gz", bad))
    with pytest.raises(FormatError, match=r"^x\.deb: data archive is damaged: Error -3"):
        read(path)


@pytest.mark.parametrize("suffix", COMPRESSORS)
def test_who_a_package_says_it_is(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "x.deb"
    path.write_bytes(deb(FILES, suffix, said=control("gcc", "4:14.2.0-1")))
    fields = deb_control(path)
    assert (fields["package"], fields["version"], fields["architecture"]) == ("gcc", "4:14.2.0-1", "amd64")


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (AR + ar_member("data.tar", data_tar(FILES)), "x.deb: no control.tar member"),
        (AR + ar_member("control.tar", data_tar(FILES)), "x.deb: its control archive has no control file"),
        (deb(FILES), "x.deb: control archive is damaged: truncated header"),
        (
            AR + ar_member("control.tar", data_tar([folder("./control")])),
            "x.deb: its control archive has no control file",
        ),
    ],
)
def test_who_does_not_say_it(tmp_path: Path, image: bytes, message: str) -> None:
    path = tmp_path / "x.deb"
    path.write_bytes(image)
    with pytest.raises(FormatError) as caught:
        deb_control(path)
    assert caught.value.message == message
