import pytest

from acceptance.faults import _nothing_is_half_done
from pipeline.vm.session import NotSeenError

OTHER = "Windows Boot Manager".encode("utf-16-le")
OURS = "TruthDB".encode("utf-16-le")


def test_a_store_that_took_nothing_is_let_through() -> None:
    _nothing_is_half_done({"BootOrder": b"\0\0", "Boot0000": OTHER, "Fill0": b"\xff" * 9})


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"BootOrder": b"\0\0", "Boot0000": OTHER, "Boot0001": OURS}, r"has \['Boot0001'\]"),
        ({"BootOrder": b"\0\0\7\0", "Boot0000": OTHER}, r"names \['Boot0007'\]"),
        ({"BootOrder": b"\0\0\0", "Boot0000": OTHER}, "boot order 000000 names"),
    ],
    ids=["an entry", "an order", "half a number"],
)
def test_what_is_half_done_is_told(variables: dict[str, bytes], words: str) -> None:
    with pytest.raises(NotSeenError, match=words):
        _nothing_is_half_done(variables)
