"""What virt-firmware is told to write into stores."""

import json
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.vm import disks, variables
from pipeline.vm.machine import Firmware


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    calls: list[tuple[str, ...]] = []
    monkeypatch.setattr(disks, "run", lambda *argv: calls.append(argv))
    return calls


def test_whom_firmware_trusts(tmp_path: Path, ran: list[tuple[str, ...]]) -> None:
    for name in ("db.pem", "db-2.pem"):
        (tmp_path / name).touch()
    shipped = Firmware(tmp_path / "code.fd", tmp_path / "vars.fd")
    assert variables.trusting("off", shipped, tmp_path, tmp_path) is shipped
    for whom in ("setup", "own", "shim"):
        made = variables.trusting(whom, shipped, tmp_path, tmp_path)
        assert (made.code.name, made.variables.parent) == (variables.SECURE_CODE, tmp_path)
    setup, own, shim = (words[5:] for words in ran)
    assert setup == ()
    assert [word for word in own if word.startswith("--")] == [
        *("--set-pk", "--add-kek", "--add-db", "--add-db", "--secure-boot")
    ]
    assert [word for word in shim if word.startswith("--")] == ["--add-mok", "--add-mok"]
    assert [Path(words[2]).name for words in ran] == ["vars.fd", "vars.fd", variables.MICROSOFT]
    with pytest.raises(PipelineError, match="'nobody' is nobody that firmware trusts"):
        variables.trusting("nobody", shipped, tmp_path, tmp_path)  # type: ignore[arg-type]


def test_what_is_revoked_belongs_to_the_firmware_or_to_shim(
    tmp_path: Path, ran: list[tuple[str, ...]]
) -> None:
    found = {}
    for name in ("dbx", "SbatLevel"):
        variables.write(tmp_path / "store.fd", name, b"\1\2")
        told = json.loads(Path(ran.pop()[-1]).read_text())
        (found[name],) = told["variables"]
    assert found == {
        "dbx": {"name": "dbx", "guid": "d719b2cb-3d3a-4596-a3bc-dad00e67656f", "attr": 0x27, "data": "0102"},
        "SbatLevel": {
            "name": "SbatLevel",
            "guid": "605dab50-e046-4300-abb6-3dd810dd8b23",
            "attr": 3,
            "data": "0102",
        },
    }
