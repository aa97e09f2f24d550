"""`./doit addon`: what it makes, in the container's stead, and what it refuses."""

import io
from pathlib import Path
from typing import Any

import pytest

from pipeline.build.session import Session
from pipeline.cli import addon
from pipeline.errors import PipelineError
from pipeline.plan.step import Step
from pipeline.report import Report
from tests.fixtures import checkout


def made(step: Step, _builder: object, out: Path, _log: Path, _line: object, **_more: Any) -> None:
    (out / step.outputs[0]).write_text(str(step.params["cmdline"]))


def test_it_says_how_it_is_signed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, screen = checkout.write(tmp_path / "toy"), io.StringIO()
    monkeypatch.setenv("INSTALLER_ISO_CALLED_FROM", str(tmp_path))
    monkeypatch.setenv("INSTALLER_ISO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(addon, "run_uncached", made)
    addon.addon(Session(root, Report(screen)), "console=ttyS1", "site.addon.efi")
    assert (tmp_path / "site.addon.efi").read_text() == "console=ttyS1"
    assert "--out site.signed.addon.efi site.addon.efi" in screen.getvalue().replace("\n", " ")


@pytest.mark.parametrize(
    ("cmdline", "out", "message"),
    [
        (" ", "a.addon.efi", "--cmdline is missing: it says what is added to the command line"),
        ("a\nb", "a.addon.efi", "--cmdline: '\\n' is no printable ASCII character"),
        ("a", "a.efi", "--out 'a.efi': the stub takes files alone whose names end in .addon.efi"),
        ("a", "", "--out '': the stub takes files alone whose names end in .addon.efi"),
    ],
)
def test_what_is_refused(tmp_path: Path, cmdline: str, out: str, message: str) -> None:
    with pytest.raises(PipelineError) as caught:
        addon.judge(Session(tmp_path, Report(io.StringIO())), cmdline, out)
    assert caught.value.message == message
    assert caught.value.hint
