"""What was signed elsewhere is attached, and what is of another file is not."""

import hashlib
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.formats.authenticode import read_signatures
from pipeline.formats.pe import read_pe
from pipeline.formats.signatures_file import Signed, signatures_file
from pipeline.steps import attach
from tests.fixtures.context import Played, played
from tests.fixtures.deb import data_tar
from tests.fixtures.signed import RSA, UNSIGNED

DIGEST = hashlib.sha256(UNSIGNED).hexdigest()


def context(folder: Path, data: bytes | None) -> Played:
    (folder / "in").mkdir(exist_ok=True)
    (folder / "in/unsigned.efi").write_bytes(UNSIGNED)
    files = [(path.removeprefix("/"), UNSIGNED, 0o644) for path in attach.SIGNED_BY_OTHERS.values()]
    (folder / "in/packages.tar").write_bytes(data_tar(files))
    if data is not None:
        (folder / "in/signatures.json").write_bytes(data)
    return played(folder, output="Toy.efi", signatures="recipes/toy/signatures.json", packages="shim")


def signed_for(name: str, of: str = DIGEST, pcrsig: str = "") -> bytes:
    return signatures_file({name: Signed(of, pcrsig, (RSA,))})


@pytest.mark.parametrize("data", [None, signed_for("Other.efi")])
def test_without_a_signature_it_stays_as_it_is(tmp_path: Path, data: bytes | None) -> None:
    attach.build(context(tmp_path, data))
    assert (tmp_path / "out/Toy.efi").read_bytes() == UNSIGNED


def test_a_signature_is_attached(tmp_path: Path) -> None:
    attach.build(context(tmp_path, signed_for("Toy.efi")))
    (signature,) = read_signatures(read_pe((tmp_path / "out/Toy.efi").read_bytes()))
    assert signature.fault == ""


def test_shim_gets_one_and_what_comes_with_it_none(tmp_path: Path) -> None:
    attach.shim(context(tmp_path, signed_for("shimx64.efi")))
    (signature,) = read_signatures(read_pe((tmp_path / "out/shimx64.efi").read_bytes()))
    assert signature.fault == ""
    assert (tmp_path / "out/mmx64.efi").read_bytes() == UNSIGNED


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            signed_for("Toy.efi", of="a" * 64),
            f"its signatures of Toy.efi are of another file, {'a' * 64}, and this one is {DIGEST}",
        ),
        (signed_for("Toy.efi", pcrsig="{}"), "Toy.efi: the UKI has 0 .pcrsig sections, not one"),
        (b"{}", "it is no file of signatures: KeyError('schema')"),
    ],
)
def test_what_is_not_attached(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(PipelineError) as caught:
        attach.build(context(tmp_path, data))
    assert caught.value.message == f"recipes/toy/signatures.json: {message}"
    assert not list((tmp_path / "out").iterdir())
