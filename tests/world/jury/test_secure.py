"""The machine for Secure Boot trusts what the judge believes that it does."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import load_der_x509_certificate

from pipeline.formats.authenticode import image_digest
from pipeline.formats.pe import read_pe
from pipeline.vm import machine
from pipeline.vm.machine import Firmware
from tests.fixtures import keys
from tests.world.jury import trust
from tests.world.jury.machines import WAYS, a_machine
from tests.world.jury.verdict import claims


def certificate(name: str) -> str:
    return f"certificate {keys.certificate(name).fingerprint(SHA256()).hex()}"


def issuer(name: str) -> str:
    return f"issuer CN=Jury {name}"


def digest(name: str) -> str:
    return f"sha256 {image_digest(read_pe(trust.program(name)), 'sha256').hex()}"


@pytest.mark.parametrize(
    ("verdict", "entries", "expected"),
    [
        ("yes", [], True),
        ("no", [], False),
        ("unknown", [certificate("vendor")], None),
        ("yes", [certificate("vendor")], True),
        ("no", [certificate("vendor")], True),
        ("yes", [certificate("signer")], False),
        ("yes", [certificate("signer"), issuer("root")], True),
        ("yes", [certificate("signer"), issuer("stranger")], False),
        ("yes", [certificate("revoked")], False),
        ("yes", [certificate("vendor"), certificate("revoked-ca")], False),
        ("yes", [certificate("hashed"), issuer("root")], False),
        ("no", [digest("listed")], True),
        ("no", [digest("both")], False),
    ],
)
def test_what_db_has_to_hold_is_looked_up(verdict: str, entries: list[str], expected: bool | None) -> None:
    conditions: list[dict[str, Any]] = (
        [{"what": "db", "value": "somebody", "one_of": entries}] if entries else []
    )
    said: dict[str, dict[str, Any]] = {
        "uefi": {"verdict": "yes", "conditions": []},
        "secure_boot": {"verdict": verdict, "conditions": conditions},
        "architecture": {"value": "x86-64"},
    }
    assert claims(said, "secure") is expected
    other = {"what": "signature", "value": "ECDSA", "one_of": []}
    said["secure_boot"]["conditions"] = [*conditions, other]
    assert claims(said, "secure") is (None if expected is None else False)


@pytest.mark.parametrize(("name", "trusted"), [("db", trust.TRUSTED), ("dbx", trust.REVOKED)])
def test_firmware_s_lists_are_read_by_another_reader(name: str, trusted: tuple[str, ...]) -> None:
    variables = {
        one["name"]: bytes.fromhex(one["data"]) for one in json.loads(trust.variables())["variables"]
    }
    data, found = variables[name], []
    while data:
        size = int.from_bytes(data[16:20], "little")
        if data[:16] == trust.X509.bytes_le:
            found.append(load_der_x509_certificate(data[44:size]))
        data = data[size:]
    assert found == [keys.certificate(each) for each in trusted]
    assert variables["SecureBootEnable"] == b"\1"


def test_secure_boot_has_a_firmware_of_its_own_that_keeps_its_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    factory = tmp_path / "factory"
    factory.write_bytes(b"as shipped")
    monkeypatch.setattr(machine, "find_firmware", lambda: Firmware(Path("/f/code.fd"), factory))
    secure = a_machine(WAYS["secure"], [Path("/m")], tmp_path, "tcg")
    assert (secure.code, secure.smm) == (Path("/f/OVMF_CODE_4M.secboot.fd"), True)
    plain = a_machine(WAYS["efi"], [Path("/m")], tmp_path, "tcg")
    assert (plain.code, plain.smm) == (Path("/f/code.fd"), False)
