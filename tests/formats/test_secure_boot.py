"""What machines trust, by their variables."""

import hashlib

import pytest

from pipeline.errors import FormatError
from pipeline.formats.sbat import Level
from pipeline.formats.secure_boot import database, read_store
from tests.fixtures import keys
from tests.fixtures.variables import certificates, signature_list, variables


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ({}, "on"),
        ({"SecureBootEnable": b"\1"}, "on"),
        ({"SecureBootEnable": b"\0"}, "off"),
        ({"PK": b""}, "setup"),
        ({"PK": b"", "SecureBootEnable": b"\1"}, "setup"),
        ({"PK": b"", "SecureBoot": b"\1", "SetupMode": b"\0"}, "on"),
        ({"SecureBoot": b"\0", "SetupMode": b"\0"}, "off"),
        ({"SecureBoot": b"\0", "SetupMode": b"\1"}, "setup"),
    ],
)
def test_whether_anything_is_checked(told: dict[str, bytes], state: str) -> None:
    assert read_store(variables(**told)).state == state


def test_every_list_is_read() -> None:
    store = read_store(
        variables(
            db=certificates(["vendor", "root"]) + signature_list("sha384", b"3" * 48),
            dbx=signature_list("x509-sha256", b"2" * 48, b"4" * 32 + bytes(16)),
            dbt=certificates(["owner"]),
            MokListRT=certificates(["stranger"]),
            MokListX=signature_list("sha256", b"5" * 32),
            SbatLevel=b"sbat,1,2025021800\nshim,4\ngrub,x\n",
            MokSBState=b"\1",
        )
    )
    assert store.db.certificates == (keys.certificate("vendor"), keys.certificate("root"))
    assert store.db.digests == {f"sha384 {(b'3' * 48).hex()}"}
    assert store.dbx.revoked == {f"sha256 {(b'2' * 32).hex()}": False, f"sha256 {(b'4' * 32).hex()}": True}
    assert store.mok.certificates == (keys.certificate("stranger"),)
    assert store.mokx.digests == {f"sha256 {(b'5' * 32).hex()}"}
    assert store.level == Level(2025021800, {"sbat": 1, "shim": 4, "grub": 0})
    assert (store.has_dbt, store.shim_verifies, store.shim_asks_db) == (True, False, True)


def test_a_list_that_cannot_be_read_is_named() -> None:
    with pytest.raises(FormatError, match=r"^dbx: EFI signature list: 28 bytes at offset 0x0"):
        read_store(variables(dbx=b"x"))


def test_certificates_that_cannot_be_read_are_passed_over() -> None:
    assert database("db", signature_list("x509", b"no DER") + certificates(["ec"])).certificates == (
        keys.certificate("ec"),
    )
    assert database("db", keys.der("ec")).certificates == (keys.certificate("ec"),)


@pytest.mark.parametrize(
    ("known", "chain", "found"),
    [
        (["vendor"], ["vendor"], "vendor"),
        (["stranger"], ["vendor"], None),
        (["root"], ["signer"], "root"),
        (["root"], ["below", "intermediate"], "root"),
        (["root"], ["below"], None),
        (["intermediate"], ["below"], "intermediate"),
        (["stranger", "intermediate"], ["below"], "intermediate"),
        (["root"], ["impostor"], None),
        (["namesake"], ["impostor"], "namesake"),
        (["short"], ["below-short", "under-short"], None),
        (["under-short"], ["below-short"], "under-short"),
        (["no-ca"], ["under-no-ca"], None),
    ],
)
def test_who_vouches(known: list[str], chain: list[str], found: str | None) -> None:
    """A certificate that is known need not come along: its signature is verified, not its name compared."""
    one = database("db", certificates(known)).vouching([keys.certificate(name) for name in chain])
    assert one == (keys.certificate(found) if found else None)


@pytest.mark.parametrize(("times", "always"), [([bytes(16)], True), ([b"\1" * 16], False), ([], None)])
def test_certificates_revoked_by_digest(times: list[bytes], always: bool | None) -> None:
    digest = hashlib.sha384(keys.certificate("hashed").tbs_certificate_bytes).digest()
    data = b"".join(signature_list("x509-sha384", digest + time) for time in times)
    assert database("dbx", data).revocation(keys.certificate("hashed")) is always
    assert database("dbx", data).revocation(keys.certificate("vendor")) is None
