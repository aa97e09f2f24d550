import pytest

from pipeline.errors import FormatError
from pipeline.formats.sbat import Component, read_sbat

FIRST = b"sbat,1,SBAT Version,sbat,1,https://example.com/SBAT.md\n"
SECOND = b'systemd-stub,2,"The systemd, Developers",systemd,257,https://example.com/\n'


@pytest.mark.parametrize("end", [b"", b"\n", b"\0\0\0", b"\0garbage"])
def test_components_are_read(end: bytes) -> None:
    assert read_sbat(FIRST + SECOND + end) == (
        Component("sbat", 1, "SBAT Version", "sbat", "1", "https://example.com/SBAT.md"),
        Component("systemd-stub", 2, "The systemd, Developers", "systemd", "257", "https://example.com/"),
    )


def test_lines_may_end_as_windows_ends_them() -> None:
    assert read_sbat(FIRST.replace(b"\n", b"\r\n") + SECOND)[0].url == "https://example.com/SBAT.md"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", ".sbat: the first component is '', not 'sbat'"),
        (SECOND, ".sbat: the first component is 'systemd-stub', not 'sbat'"),
        (
            FIRST + b"grub,1,GNU",
            ".sbat: line 2 is not component, generation, vendor, package, version and URL: 'grub,1,GNU'",
        ),
        (
            FIRST + b"grub,x,a,b,c,d",
            ".sbat: line 2 is not component, generation, vendor, package, version and URL: 'grub,x,a,b,c,d'",
        ),
        (
            b",1,a,b,c,d",
            ".sbat: line 1 is not component, generation, vendor, package, version and URL: ',1,a,b,c,d'",
        ),
    ],
)
def test_damage_is_told(text: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_sbat(text)
    assert caught.value.message == message
