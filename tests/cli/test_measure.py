"""`./doit measure`: what it says of images, and of a machine's log."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.cli.measure import main
from pipeline.formats.pe import read_pe
from pipeline.formats.tcg_log import read_log, replay
from pipeline.measure.chain import Chain, Program, events
from tests.fixtures.firmware import SHA256, entries, log_of
from tests.fixtures.iso import iso
from tests.fixtures.uki import uki
from tests.measure.test_chain import digest_of

PCR_11 = "eccfe29aae7bf0a6babd40a5c287c276ed8167e3db5b33fc9b469552740aff78"
EXPECTED = events(Chain(Program("a.efi", read_pe(uki()))), None)
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with two recipes, of which one was built; and a UKI beside it."""
    monkeypatch.setenv("INSTALLER_ISO_CALLED_FROM", str(tmp_path))
    for name in ("acme", "other"):
        (tmp_path / "recipes" / name).mkdir(parents=True)
        (tmp_path / "recipes" / name / "recipe.toml").write_text('summary = "x"\n')
    (tmp_path / "artifacts/acme").mkdir(parents=True)
    (tmp_path / "artifacts/acme/acme.iso").write_bytes(iso())
    (tmp_path / "a.efi").write_bytes(uki())
    return tmp_path


@pytest.fixture
def run(root: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def called(*arguments: str) -> tuple[int, str, str]:
        status = main(root, arguments)
        said = capsys.readouterr()
        return status, said.out, said.err

    return called


def test_values_are_said(run: Run) -> None:
    status, out, _ = run("a.efi")
    assert status == 0
    assert "  file; firmware that knows no Secure Boot:\n    PCR 4 " in out
    assert out.count(f"    PCR 11 {PCR_11}\n") == 2
    assert "not known:\n    PCR 7 of a machine that holds other keys" in out


@pytest.mark.parametrize("arguments", [(), ("acme",), ("artifacts/acme/acme.iso",)])
def test_images_are_recipes_or_files(run: Run, arguments: tuple[str, ...]) -> None:
    status, out, _ = run(*arguments)
    assert status == 0
    assert out.startswith("acme.iso (sha256 ")
    assert "  cd, usb; firmware in setup mode, which holds no keys:\n" in out


def test_all_of_it_is_json(run: Run) -> None:
    status, out, _ = run("a.efi", "acme", "--json")
    assert status == 0
    assert [one["image"] for one in json.loads(out)["images"]] == ["a.efi", "acme.iso"]


def test_keys_are_those_of_the_recipe_or_given(run: Run, root: Path) -> None:
    keys = root / "recipes/acme/keys"
    keys.mkdir()
    for name in ("PK", "KEK", "db"):
        (keys / f"{name}.esl").write_bytes(entries((SHA256, digest_of(uki()))))
    for arguments in (("acme",), ("a.efi", "--keys", "recipes/acme/keys")):
        (root / "recipes/acme/recipe.toml").write_text('[trust]\nkeys = "keys"\n')
        _, out, _ = run(*arguments)
        assert "firmware that holds the keys of the recipe's [trust], and no others" in out


def test_variables_are_given(run: Run, root: Path) -> None:
    said = {
        "variables": [{"name": "PK", "guid": "8be4df61-93ca-11d2-aa0d-00e098032b8c", "attr": 7, "data": ""}]
    }
    (root / "vars.json").write_text(json.dumps(said))
    status, out, _ = run("a.efi", "--vars", "vars.json")
    assert status == 0
    assert "file; firmware with the variables that were given:" in out
    assert "knows no Secure Boot" not in out


def pcrs_of(log: bytes) -> str:
    return "".join(f"PCR {pcr}: {value.hex()}\n" for pcr, value in replay(read_log(log), "sha256").items())


def test_a_log_that_is_as_predicted(run: Run, root: Path) -> None:
    log = log_of(EXPECTED)
    (root / "log").write_bytes(log)
    (root / "pcrs").write_text(pcrs_of(log))
    assert run("a.efi", "acme", "--log", "log", "--pcrs", "pcrs") == (
        0,
        f"equal, {len(EXPECTED)} events: a.efi, file, firmware that knows no Secure Boot\n",
        "",
    )
    _, out, _ = run("a.efi", "--log", "log")
    assert out.endswith("what the TPM itself says was not compared: give --pcrs, too\n")


def test_a_log_of_another_image(run: Run, root: Path) -> None:
    (root / "log").write_bytes(log_of(events(Chain(Program("b", read_pe(uki({".cmdline": b"b"})))), None)))
    status, out, _ = run("a.efi", "--log", "log")
    assert status == 1
    assert out.startswith(
        "not what was predicted. Nearest is a.efi, file, firmware that knows no Secure Boot.\n"
        "PCR 4, event 3: "
    )


def test_a_tpm_that_says_something_else(run: Run, root: Path) -> None:
    log = log_of(EXPECTED)
    (root / "log").write_bytes(log)
    (root / "pcrs").write_text(f"11: {'ab' * 32}\n")
    status, out, _ = run("a.efi", "--log", "log", "--pcrs", "pcrs")
    assert status == 1
    assert "and by the log it would be" in out


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (("gone.efi",), "gone.efi: cannot be read: No such file or directory", "Name a file that is there"),
        (("other",), "the image of other was not built", "`./doit image other`"),
        (("a.efi", "--pcrs", "x"), "--pcrs is compared with a log", "Give --log, too"),
        (("a.efi", "--log", "a.efi"), "a.efi: event log: its first event does not say", "TPM 2.0"),
        (("a.efi", "--vars", "a.efi"), "a.efi: is no firmware volume with variables", "OVMF_VARS.fd"),
        (("a.efi", "--keys", "gone"), "gone/PK.esl: cannot be read: No such file", "`./doit keys new`"),
        (("recipes/acme/recipe.toml",), "recipe.toml: it is no ISO, no disk", "Name an ISO"),
    ],
)
def test_mistakes_are_one_sentence(run: Run, arguments: tuple[str, ...], message: str, hint: str) -> None:
    status, out, err = run(*arguments)
    said = " ".join(err.split()).lower()
    assert (status, out) == (2, "")
    assert message.lower() in said
    assert hint.lower() in said


def test_without_anything_built(run: Run, root: Path) -> None:
    (root / "artifacts/acme/acme.iso").unlink()
    status, _, err = run()
    assert status == 2
    assert "no image was built" in err.lower()
