"""`./doit sign --secure-boot`: signatures go into the file that a recipe names, and stay the same."""

import io
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.build.session import Session
from pipeline.cli import realise, sign_images
from pipeline.cli.release import judge_sign, sign_release
from pipeline.cli.sign_images import Signers, Wanted, sign_secure_boot, signed_anew
from pipeline.errors import PipelineError
from pipeline.formats.authenticode import read_signatures
from pipeline.formats.authenticode_attach import attached
from pipeline.formats.pcr import with_policies
from pipeline.formats.pe import read_pe
from pipeline.formats.signatures_file import read_signatures_file
from pipeline.report import Report
from pipeline.steps.uki import NO_POLICIES
from pipeline.trust import folder
from pipeline.trust.signer import open_signer
from tests.fixtures import checkout
from tests.fixtures.trust import TRUST
from tests.fixtures.uki import uki


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys as people make them, with a second db key."""
    made = folder.Keys(tmp_path_factory.mktemp("keys"), datetime(2026, 1, 1, tzinfo=UTC))
    folder.new(made, "Toys")
    folder.rotate(made)
    return made.folder


def signers(keys: Path, name: str = "db", *, pcr: bool = True) -> Signers:
    signer = open_signer(str(keys / f"private/{name}.key"), [keys / f"public/{name}.pem"])
    return Signers(signer, open_signer(str(keys / "private/pcr.key")) if pcr else None)


def image(keys: Path, cmdline: bytes = b"quiet") -> bytes:
    key = (keys / "public/pcr.pem").read_bytes()
    sections = ((".pcrpkey", key), (".pcrsig", NO_POLICIES.encode()))
    return uki({".cmdline": cmdline}, sections)


def test_the_same_key_gives_the_same_answer(keys: Path) -> None:
    first = signed_anew(image(keys), "Toy.efi", None, signers(keys))
    assert first.pcrsig.count("pkfp") == 2
    assert signed_anew(image(keys), "Toy.efi", first, signers(keys)) == first
    whole = attached(with_policies(image(keys), first.pcrsig), first.signatures)
    assert [one.fault for one in read_signatures(read_pe(whole))] == [""]


def test_who_signed_the_same_stays_and_of_other_bytes_nobody(keys: Path) -> None:
    first = signed_anew(image(keys), "Toy.efi", None, signers(keys))
    both = signed_anew(image(keys), "Toy.efi", first, signers(keys, "db-2"))
    assert both.signatures[0] == first.signatures[0]
    assert len(both.signatures) == 2
    assert signed_anew(image(keys), "Toy.efi", both, signers(keys)) == both
    assert len(signed_anew(image(keys, b"loud"), "Toy.efi", both, signers(keys)).signatures) == 1


def test_without_a_key_for_policies_those_of_the_same_bytes_stay(keys: Path) -> None:
    first = signed_anew(image(keys), "Toy.efi", None, signers(keys))
    assert signed_anew(image(keys), "Toy.efi", first, signers(keys, pcr=False)) == first
    assert signed_anew(image(keys, b"loud"), "Toy.efi", first, signers(keys, pcr=False)).pcrsig == ""


@pytest.fixture
def screen() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def session(keys: Path, screen: io.StringIO, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    """A session of a toy that trusts these keys, whose UKI is there without a container."""
    root = checkout.write(tmp_path / "toy")
    (root / "recipes/keys").mkdir()
    for path in (keys / "public").iterdir():
        (root / "recipes/keys" / path.name).write_bytes(path.read_bytes())
    recipe = root / "recipes/toy/recipe.toml"
    recipe.write_text(recipe.read_text() + TRUST)
    monkeypatch.setenv("INSTALLER_ISO_CALLED_FROM", str(root))
    monkeypatch.setattr(realise, "realise", lambda *_: None)
    monkeypatch.setattr(sign_images, "_unsigned", lambda *_: image(keys))
    return Session(root, Report(screen))


def test_signatures_are_written_and_become_an_input(
    session: Session, keys: Path, screen: io.StringIO
) -> None:
    key, pcr_key = str(keys / "private/db.key"), str(keys / "private/pcr.key")
    sign_release(session, key, "", secure_boot=True, pcr_key=pcr_key)
    file = session.root / "recipes/toy/signatures.json"
    signed = read_signatures_file(file.read_bytes())["Toy.efi"]
    assert len(signed.signatures) == 1
    (step,) = [step for step in session.plans["toy"] if step.name == "attach:toy"]
    assert "signatures.json" in step.inputs
    assert screen.getvalue().splitlines() == [
        "recipes/toy/signatures.json: Toy.efi, 'Toys Secure Boot db 2026', and 2 policies of PCR 11",
        "  to attach them:  ./doit iso",
    ]


def test_a_revoked_signer_does_not_stay(session: Session, keys: Path) -> None:
    sign_secure_boot(session, Wanted(str(keys / "private/db.key")), ["toy"])
    sign_secure_boot(session, Wanted(str(keys / "private/db-2.key")), ["toy"])
    file = session.root / "recipes/toy/signatures.json"
    assert len(read_signatures_file(file.read_bytes())["Toy.efi"].signatures) == 2
    (session.root / "recipes/keys/db.pem").rename(session.root / "recipes/keys/revoked-db.pem")
    sign_secure_boot(session, Wanted(str(keys / "private/db-2.key")), ["toy"])
    alone = signed_anew(image(keys), "Toy.efi", None, signers(keys, "db-2", pcr=False))
    assert read_signatures_file(file.read_bytes())["Toy.efi"] == alone


def test_an_image_without_policies_is_told(session: Session, keys: Path, screen: io.StringIO) -> None:
    sign_secure_boot(session, Wanted(str(keys / "private/db.key")), ["toy"])
    assert (
        "Toy.efi, 'Toys Secure Boot db 2026', and no policies of PCR 11, so that no TPM opens a disk for it"
        in screen.getvalue()
    )


def test_no_key_is_written_anywhere(session: Session, keys: Path) -> None:
    sign_secure_boot(session, Wanted(str(keys / "private/db.key")), ["toy"])
    files = [path for path in session.root.rglob("*") if path.is_file()]
    assert not [path for path in files if b"PRIVATE KEY" in path.read_bytes()]


def test_a_single_program_is_signed_at_once(session: Session, keys: Path, screen: io.StringIO) -> None:
    program = session.root / "addon.efi"
    program.write_bytes(uki())
    wanted = Wanted(str(keys / "private/db.key"), [str(keys / "public/db.pem")], out="signed.efi")
    sign_secure_boot(session, wanted, [str(program)])
    (signature,) = read_signatures(read_pe((session.root / "signed.efi").read_bytes()))
    assert signature.fault == ""
    assert screen.getvalue() == "signed.efi: signed by 'Toys Secure Boot db 2026'\n"


@pytest.mark.parametrize(
    ("words", "out", "message"),
    [
        (["other"], "", "'other' is not a recipe (there are: toy)"),
        (["a", "b"], "c", "--out is one file, and 2 are to be signed"),
        ([], "c", "--out is one file, and 0 are to be signed"),
    ],
)
def test_what_is_not_signed(session: Session, keys: Path, words: list[str], out: str, message: str) -> None:
    with pytest.raises(PipelineError) as caught:
        sign_secure_boot(session, Wanted(str(keys / "private/db.key"), out=out), words)
    assert caught.value.message == message


def test_a_key_that_no_machine_trusts(session: Session, keys: Path) -> None:
    with pytest.raises(PipelineError) as caught:
        sign_secure_boot(session, Wanted(str(keys / "private/KEK.key")), [])
    assert "is of this key, so that no machine that trusts those would start" in caught.value.message
    assert not (session.root / "recipes/toy/signatures.json").exists()


def test_a_program_needs_a_certificate(session: Session, keys: Path) -> None:
    with pytest.raises(PipelineError) as caught:
        sign_secure_boot(session, Wanted(str(keys / "private/db.key"), out="x"), ["y"])
    assert caught.value.message == "--certificate is missing: firmware finds the signer by it"


def test_a_project_without_trust(keys: Path, tmp_path: Path) -> None:
    session = Session(checkout.write(tmp_path), Report(io.StringIO()))
    for words, message in (
        ([], "no recipe has [trust]"),
        (["toy"], "recipes/toy/recipe.toml has no [trust]"),
    ):
        with pytest.raises(PipelineError) as caught:
            sign_secure_boot(session, Wanted(str(keys / "private/db.key")), words)
        assert caught.value.message == message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"secure_boot": True}, "--key is missing: it says whose signature it is to be"),
        ({"secure_boot": True, "heads": True}, "--secure-boot goes with neither --heads nor --with"),
        ({"pcr_key": "x"}, "--pcr-key goes with --secure-boot"),
        ({"out": "x"}, "--out goes with --heads or --secure-boot"),
    ],
)
def test_options_that_do_not_go_together(session: Session, options: dict[str, object], message: str) -> None:
    with pytest.raises(PipelineError) as caught:
        judge_sign(session, "", "", **options)  # type: ignore[arg-type]
    assert caught.value.message == message
