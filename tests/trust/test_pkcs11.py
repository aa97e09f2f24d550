"""What a URI says; keys in a token are tried in test_judges."""

import pytest

from pipeline.errors import PipelineError
from pipeline.trust.pkcs11 import Uri, opened, parsed


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("pkcs11:object=db?module-path=/x.so", Uri("/x.so", object="db")),
        (
            "pkcs11:token=My%20card;serial=12;id=%01%fF;type=private?module-path=/x%3f.so&pin-source=file:/pin",
            Uri("/x?.so", "My card", "12", None, b"\x01\xff", "/pin"),
        ),
        ("pkcs11:token=a?pin-source=/pin&module-path=/x", Uri("/x", "a", pin_source="/pin")),
        ("pkcs11:?module-path=/x", Uri("/x")),
    ],
)
def test_uris_are_read(uri: str, said: Uri) -> None:
    assert parsed(uri) == said


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        (
            "pkcs11:object=db?module-path=/x&pin-value=1234",
            "a PIN in a URI can be read by everybody on this machine",
        ),
        (
            "pkcs11:object=db",
            "pkcs11:object=db: has no module-path, the library of the hardware's maker",
        ),
        (
            "pkcs11:slot-id=1?module-path=/x",
            "'slot-id' cannot be said in a PKCS #11 URI, or not twice",
        ),
        ("pkcs11:id", "'id' cannot be said in a PKCS #11 URI, or not twice"),
        ("pkcs11:id=1;id=2", "'id' cannot be said in a PKCS #11 URI, or not twice"),
        (
            "pkcs11:type=cert?module-path=/x",
            "pkcs11:type=cert?module-path=/x: names no private key, or runs a command",
        ),
        (
            "pkcs11:?module-path=/x&pin-source=|cat",
            "pkcs11:?module-path=/x&pin-source=|cat: names no private key, or runs a command",
        ),
    ],
)
def test_what_a_uri_cannot_say_is_told(uri: str, message: str) -> None:
    with pytest.raises(PipelineError) as caught:
        parsed(uri)
    assert caught.value.message == message
    assert "1234" not in str(caught.value)


def test_a_module_that_is_not_there_is_told() -> None:
    uri = "pkcs11:object=db?module-path=/nowhere/x.so"
    with pytest.raises(PipelineError, match=r"the token does not do it: .*nowhere"):
        opened(uri, lambda _: "")
