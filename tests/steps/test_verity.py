from pathlib import Path

import pytest

from pipeline.errors import FormatError, PipelineError
from pipeline.steps import verity
from tests.fixtures.context import Played, played
from tests.fixtures.verity import BLOCK, DATA
from tests.fixtures.verity import verity as make_verity


def context(tmp_path: Path, data: bytes, flipped: bytes = DATA) -> Played:
    """A step whose veritysetup makes the tree of other data."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in/root.img").write_bytes(data)

    def tool(argv: list[str], _: Path) -> str:
        tree, root = make_verity(flipped)
        Path(argv[-1]).write_bytes(tree)
        Path(argv[-3].partition("=")[2]).write_text(root.hex())
        return ""

    return played(tmp_path, tool, data="root.img")


def test_salt_and_uuid_are_those_of_the_data(tmp_path: Path) -> None:
    ctx = context(tmp_path, DATA)
    verity.build(ctx)
    (call,) = ctx.calls
    assert call[:5] == [
        *("veritysetup", "format", "--hash=sha256", "--data-block-size=4096", "--hash-block-size=4096")
    ]
    assert call[5:7] == [
        "--salt=2dc5ccfed841cf1a113a78152e2abb6e3c467e89b3b9cdd30e554c24545c40e8",
        "--uuid=f07a3737-5412-5928-9b42-cec65f087936",
    ]
    assert call[7:] == [
        f"--root-hash-file={ctx.out}/root.roothash",
        f"{tmp_path}/in/root.img",
        f"{ctx.out}/root.verity",
    ]
    assert (ctx.out / "root.roothash").read_text() == make_verity()[1].hex() + "\n"


def test_a_tree_of_other_data_is_refused(tmp_path: Path) -> None:
    ctx = context(tmp_path, DATA, bytes(len(DATA)))
    with pytest.raises(FormatError, match="block 1 of the data has another hash than the tree says"):
        verity.build(ctx)


@pytest.mark.parametrize("size", [0, 5, BLOCK + 1])
def test_only_whole_blocks_can_be_verified(tmp_path: Path, size: int) -> None:
    with pytest.raises(PipelineError) as caught:
        verity.build(context(tmp_path, bytes(size)))
    assert str(caught.value) == (
        f"root.img has {size} bytes, and dm-verity verifies whole blocks of 4096\n"
        "  hint: make it with the step `filesystem`, which fills the last block up"
    )


@pytest.mark.parametrize(
    ("data", "names"),
    [("root.img", ("root.verity", "root.roothash")), ("usr", ("usr.verity", "usr.roothash"))],
)
def test_names(data: str, names: tuple[str, str]) -> None:
    assert verity.names(data) == names
