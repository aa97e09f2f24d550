import pytest

from pipeline.errors import FormatError
from pipeline.formats.osrelease import read_os_release


def test_fields_are_read() -> None:
    text = b"""# comment
NAME="A product"
ID=product

VERSION_ID='1 2'
EMPTY=
QUOTED="a \\"b\\" \\$c"
\0\0"""
    assert read_os_release(text) == {
        "NAME": "A product",
        "ID": "product",
        "VERSION_ID": "1 2",
        "EMPTY": "",
        "QUOTED": 'a "b" \\$c',
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"ID=a\nhello", "os-release: line 2 is no assignment: 'hello'"),
        (b"id=a", "os-release: line 1 is no assignment: 'id=a'"),
        (b"NAME=a product", "os-release: line 1 is no assignment: 'NAME=a product'"),
        (b'NAME="open', "os-release: line 1 is no assignment: 'NAME=\"open'"),
    ],
)
def test_damage_is_told(text: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_os_release(text)
    assert caught.value.message == message
