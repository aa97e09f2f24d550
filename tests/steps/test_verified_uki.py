from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.steps import verified_uki
from tests.fixtures.context import played
from tests.steps.test_uki import bundled, bzimage, context

HASH = "0123456789abcdef" * 4


def test_the_root_hash_is_in_the_command_line(tmp_path: Path) -> None:
    context(tmp_path, bzimage(b"6.12\0"))
    (tmp_path / "in/roothash").write_text(f"{HASH}\n")
    asked = "a roothash={roothash} quiet"
    ctx = played(tmp_path, bundled, output="Toy.efi", cmdline=asked, os_release="ID=toy\n", sbat="")
    verified_uki.build(ctx)
    ((*_, cmdline),) = ([word for word in call if word.startswith("--cmdline=")] for call in ctx.calls)
    assert cmdline == f"--cmdline=a roothash={HASH} quiet"
    assert (ctx.out / "cmdline.txt").read_text() == f"a roothash={HASH} quiet"
    assert ctx.params["cmdline"] == asked


@pytest.mark.parametrize("text", [b"", b"0123", HASH.encode() + b"00", HASH.upper().encode(), b"\xff" * 64])
def test_what_is_no_root_hash(tmp_path: Path, text: bytes) -> None:
    context(tmp_path, bzimage(b"6.12\0"))
    (tmp_path / "in/roothash").write_bytes(text)
    ctx = played(tmp_path, output="Toy.efi", cmdline="", os_release="")
    with pytest.raises(PipelineError) as caught:
        verified_uki.build(ctx)
    assert caught.value.message == (
        f"{text.decode('ascii', 'replace')[:80]!r} is no root hash, which has 64 hex digits"
    )
    assert ctx.calls == []
