from pathlib import Path

import pytest

from acceptance import screens
from pipeline.errors import PipelineError
from pipeline.vm import disks


def test_a_digest_tells_content_and_place_but_not_holes(tmp_path: Path) -> None:
    disk = disks.blank(tmp_path / "disk", 8 << 20)
    empty = disks.digest(disk)
    with disk.open("r+b") as file:
        file.seek(3 << 20)
        file.write(b"x")
    one = disks.digest(disk)
    written_zeros = tmp_path / "written"
    written_zeros.write_bytes(disk.read_bytes())
    assert one != empty
    assert disks.digest(written_zeros) == one
    assert disks.digest(disk, 0, 1 << 20) == empty
    assert disks.digest(disk, 2 << 20, 4 << 20) != disks.digest(disk, 4 << 20, 4 << 20)
    with disk.open("r+b") as file:
        file.write(b"x")
        file.seek(3 << 20)
        file.write(b"\0")
    assert disks.digest(disk) not in (one, empty)


def test_a_tool_that_fails_says_so() -> None:
    with pytest.raises(PipelineError, match="false failed with 1"):
        disks.run("false")
    assert disks.run("cat", stdin="said") == "said"


def test_a_tool_that_does_not_end_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disks, "LONGEST", 0.05)
    with pytest.raises(PipelineError, match="sleep 60 timed out after 0 s"):
        disks.run("sleep", "60")


def test_an_answer_file_for_each_way_of_erasing() -> None:
    assert 'erase = "S1"' in screens.answers('serial = "S1"', erase="S1")
    assert "erase_any_matching = true" in screens.answers('bus = "nvme"')
    allowed = screens.answers('serial = "S1"', erase="S1", allowed=["replace_installation"])
    assert 'erase = "S1"\nreplace_installation = true' in allowed
    assert "erase" not in screens.answers('serial = "S1"', task="keep-data")


def test_the_year_of_the_last_write_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "Last mount time:          n/a\nLast write time:          Sun Jan  1 00:26:40 2040\n"
    monkeypatch.setattr(disks, "run", lambda *_: said)
    assert disks.written_in(Path("disk.img"), disks.Place("TRUTHDB_DATA", "", 1 << 20, 0)) == 2040


@pytest.mark.parametrize(("text", "size"), [("20G", 20 << 30), ("512M", 512 << 20), ("1T", 1 << 40)])
def test_sizes(text: str, size: int) -> None:
    assert disks.size_of(text) == size


@pytest.mark.parametrize("text", ["20", "0G", "20g", "-1G", "1.5G", "20GB"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(PipelineError) as caught:
        disks.size_of(text)
    assert (
        str(caught.value) == f"{text!r} is not the size of a disk\n  hint: give a number and M, G or T: 20G"
    )


@pytest.mark.parametrize("udf", [False, True])
def test_a_disc_of_udf_alone_has_no_other_file_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, udf: bool
) -> None:
    called = []

    def genisoimage(*argv: str) -> str:
        called.append(argv)
        assert (Path(argv[-1]) / "user-data").read_text() == "text"
        sectors = [b"\x01CD001", b"\x02CD001", b"\xffCD001", b"\0BEA01", b"\0NSR02", b"\0TEA01"]
        blocks = b"".join(sector.ljust(2048, b"x") for sector in sectors)
        Path(argv[-2]).write_bytes(bytes(16 * 2048) + blocks + bytes(16 * 2048))
        return ""

    monkeypatch.setattr(disks, "run", genisoimage)
    path = disks.disc(tmp_path / "disc.iso", "CIDATA", {"user-data": "text"}, udf=udf)
    assert ("-udf" in called[0]) == udf
    assert called[0][called[0].index("-V") + 1] == "CIDATA"
    data = path.read_bytes()
    assert (b"CD001" in data) != udf
    assert b"NSR02" in data
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("at", [0, 1, disks.BLOCK - 3, 5 * disks.BLOCK - 1, 9 * disks.BLOCK - 6])
def test_a_text_is_found_wherever_it_lies(tmp_path: Path, at: int) -> None:
    image = disks.blank(tmp_path / "disk.img", 9 * disks.BLOCK)
    assert not disks.holds(image, b"secret")
    with image.open("r+b") as file:
        file.seek(at)
        file.write(b"secret")
    assert disks.holds(image, b"secret")
    assert not disks.holds(image, b"secrets")
