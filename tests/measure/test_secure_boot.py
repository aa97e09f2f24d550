"""PCR 7: as a TPM told it of OVMF, and by the rules of EDK II."""

import hashlib

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from pipeline.errors import FormatError
from pipeline.formats.authenticode import image_digest, read_signatures
from pipeline.formats.efi_signature_list import read_signature_lists
from pipeline.formats.pe import read_pe
from pipeline.formats.secure_boot import DATABASES, SHIM
from pipeline.formats.tcg_events import variable
from pipeline.formats.tcg_log import read_log
from pipeline.measure import secure_boot
from pipeline.measure.event import Expected, value
from tests.conftest import ROOT
from tests.fixtures.firmware import OWNER, SHA256, X509, entries, policy_log, variables
from tests.fixtures.signed import EC, RSA, UNSIGNED, signed
from tests.fixtures.tcg_log import tcg_log, variable_data

NO_SECURE_BOOT = "b5710bf57d25623e4019027da116821fa99f5c81e9e38b87671cc574f9281439"
"""As every machine with OVMF has it that knows no Secure Boot."""

PROGRAM = read_pe(signed(RSA))
CERTIFICATE = read_signatures(PROGRAM)[0].bag[0]
DER = CERTIFICATE.public_bytes(Encoding.DER)


def digests(events: list[Expected]) -> list[bytes]:
    return [event.digest for event in events]


def of_data(name: str, data: bytes) -> bytes:
    from tests.fixtures.firmware import POLICY

    return hashlib.sha256(variable_data(name, data, dict(POLICY)[name])).digest()


def test_firmware_without_secure_boot() -> None:
    assert value(secure_boot.policy(None), 7).hex() == NO_SECURE_BOOT


@pytest.mark.parametrize(
    ("held", "state"),
    [
        ({}, b"\0"),  # in setup mode
        ({"PK": b"p", "KEK": b"k"}, b"\1"),
        ({"PK": b"p", "SecureBoot": b"\0"}, b"\0"),
    ],
)
def test_what_firmware_holds_is_measured_in_order(held: dict[str, bytes], state: bytes) -> None:
    found = secure_boot.policy(variables(**held))
    assert [event.what for event in found] == [
        *(f"the variable {name}" for name in ("SecureBoot", "PK", "KEK", "db", "dbx")),
        "the end of the firmware's own measurements",
    ]
    expected = {"PK": b"", "KEK": b"", "db": b"", "dbx": b""} | held | {"SecureBoot": state}
    assert {of_data(name, data) for name, data in expected.items()} <= set(digests(found))


def test_whose_time_stamps_are_trusted_is_measured_if_they_are() -> None:
    assert len(secure_boot.policy(variables(dbt=b"t"))) == len(secure_boot.policy(variables(dbt=b""))) + 1


def test_the_entry_that_starts_a_program_is_measured() -> None:
    held = variables(PK=b"p", db=entries((SHA256, bytes(32)), (X509, b"damaged"), (X509, DER)))
    event = secure_boot.started_by("a.efi", PROGRAM, held)
    assert event.digest == of_data("db", OWNER.bytes_le + DER)
    assert event.what == "the entry of db by which a.efi is started"


@pytest.mark.parametrize(
    ("program", "kind", "data"),
    [
        (signed(RSA), SHA256, image_digest(PROGRAM, "sha256")),
        (UNSIGNED, SHA256, image_digest(read_pe(UNSIGNED), "sha256")),
    ],
)
def test_a_digest_starts_a_program_too(program: bytes, kind: object, data: bytes) -> None:
    assert kind == SHA256
    held = variables(PK=b"p", db=entries((SHA256, data)))
    assert secure_boot.started_by("a", read_pe(program), held).digest == of_data("db", OWNER.bytes_le + data)


@pytest.mark.parametrize(
    ("program", "db"),
    [
        (signed(RSA), b""),
        (UNSIGNED, entries((X509, DER))),
        (signed(EC), entries((X509, DER))),
        (signed(RSA)[:500] + b"?" + signed(RSA)[501:], entries((X509, DER))),
    ],
)
def test_nobody_vouches(program: bytes, db: bytes) -> None:
    with pytest.raises(FormatError) as caught:
        secure_boot.started_by("a.efi", read_pe(program), variables(PK=b"p", db=db))
    assert caught.value.message == (
        "firmware with these variables does not start a.efi: nothing in db vouches for it"
    )


def test_dbx_refuses_what_db_vouches_for() -> None:
    digest = (SHA256, image_digest(PROGRAM, "sha256"))
    for dbx in (entries((X509, DER)), entries(digest)):
        held = variables(PK=b"p", db=entries((X509, DER)), dbx=dbx)
        with pytest.raises(FormatError) as caught:
            secure_boot.started_by("a.efi", PROGRAM, held)
        assert caught.value.message == (
            "firmware with these variables refuses a.efi: dbx has it, or a signer"
        )
    others = variables(PK=b"p", db=entries((X509, DER)), dbx=entries((SHA256, bytes(32))))
    assert secure_boot.started_by("a.efi", PROGRAM, others)


def test_variables_are_read_from_a_log() -> None:
    told = secure_boot.told(read_log(tcg_log(*policy_log(SecureBoot=b"\1", PK=b"p", db=b"d"))))
    assert told is not None
    assert {name: one.data for (name, _), one in told.items()} == {
        "SecureBoot": b"\1",
        "PK": b"p",
        "db": b"d",
    }
    assert secure_boot.told(read_log(tcg_log(*policy_log()))) is None


def test_a_log_that_lies_of_variables_is_not_believed() -> None:
    good = tcg_log(*policy_log(SecureBoot=b"\1", PK=b"p"))
    assert secure_boot.told(read_log(good)) is not None
    assert secure_boot.told(read_log(good.replace(b"P\0K\0p", b"P\0K\0q"))) is None


def test_a_machine_that_was_sold_with_keys_is_predicted_from_what_it_holds() -> None:
    """The log of OVMF 2025.02 with Microsoft's keys, which started Debian's shim 16.1, and that a UKI."""
    log = read_log((ROOT / "tests/fixtures/shim-event-log.bin").read_bytes())
    held = secure_boot.told(log)
    assert held is not None
    assert secure_boot.checks(held)
    measured = [event for event in log if event.pcr == 7]
    assert digests(secure_boot.policy(held)) == [event.digests["sha256"] for event in measured[:6]]
    first, level, second = measured[6:]
    assert [variable(event).name for event in (first, level, second)] == ["db", "SbatLevel", "MokListRT"]
    db = read_signature_lists(held["db", DATABASES].data)
    by = [entry for entry in db if variable(first).value == entry.owner.bytes_le + entry.data]
    assert len(by) == 1
    for event, where, vendor in ((first, "db", DATABASES), (second, "MokListRT", SHIM)):
        found = secure_boot.authority(where, vendor, variable(event).value, "x")
        assert found.digest == event.digests["sha256"]
    assert variable(level).value.startswith(b"sbat,1,20")
    assert held["SbatLevel", SHIM].data == variable(level).value
    (mok,) = read_signature_lists(held["MokList", SHIM].data)
    assert mok.owner.bytes_le + mok.data == variable(second).value
    assert level.digests["sha256"] == hashlib.sha256(level.data).digest()
