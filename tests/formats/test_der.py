import pytest

from pipeline.errors import FormatError
from pipeline.formats.der import OID, SEQUENCE, Value, read_value

TWO = bytes.fromhex("3006 020105 040178")


def test_values_are_read() -> None:
    value = read_value(TWO + b"rest")
    assert (value.tag, value.whole) == (SEQUENCE, TWO)
    assert [(one.tag, one.body) for one in value.inside()] == [(2, b"\5"), (4, b"x")]
    assert (value.child(1).body, value.tagged(4), value.tagged(5)) == (b"x", value.child(1), None)


def test_long_lengths_are_read() -> None:
    assert read_value(b"\4\x81\x80" + bytes(128)).body == bytes(128)
    assert read_value(b"\4\x82\1\0" + bytes(256)).body == bytes(256)


@pytest.mark.parametrize(
    ("data", "oid"),
    [("2a864886f70d010702", "1.2.840.113549.1.7.2"), ("8837", "2.999"), ("550403", "2.5.4.3"), ("80", "0.0")],
)
def test_object_identifiers_are_read(data: str, oid: str) -> None:
    assert Value(OID, bytes.fromhex(data), b"").oid() == oid


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "DER: a value is cut off: , of 0 bytes"),
        (b"\x30", "DER: a value is cut off: 30, of 1 bytes"),
        (TWO[:-1], "DER: a value is cut off: 3006020105040178"[:-2] + ", of 7 bytes"),
        (b"\x30\x85\0\0\0\0\0", "DER: a value is cut off: 30850000000000, of 7 bytes"),
    ],
)
def test_what_is_cut_off_is_told(data: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_value(data)
    assert caught.value.message == message


def test_what_is_not_there_is_told() -> None:
    value = read_value(TWO)
    with pytest.raises(FormatError) as caught:
        value.child(2)
    assert caught.value.message == "DER: there is no value 2"
    with pytest.raises(FormatError) as caught:
        value.child(0, SEQUENCE)
    assert caught.value.message == "DER: value 0 has tag 0x02, not 0x30"
    with pytest.raises(FormatError) as caught:
        value.oid()
    assert caught.value.message == "DER: tag 0x30 of 6 bytes is no object identifier"


def test_values_without_end_are_given_up() -> None:
    many = Value(SEQUENCE, b"\5\0" * 20_000, b"")
    assert sum(1 for _ in many.inside()) == 10_000
