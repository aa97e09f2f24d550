import pytest

from pipeline.formats.grub_test import Unknown, is_true


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("", False),
        ("a", True),
        ("a = a", True),
        ("a == b", False),
        ("a != b", True),
        ("a < b", True),
        ("a <= a", True),
        ("b > a", True),
        ("a >= b", False),
        ("2 -eq 02", True),
        ("2 -ne 2", False),
        ("-1 -lt 1", True),
        ("1 -lt 1", False),
        ("x -le 0", True),
        ("10 -gt 9", True),
        ("9 -ge 10", False),
        ("-n a", True),
        ("-z a", False),
        ("! -z a", True),
        ("! a", False),
        ("a = a -a b = c", False),
        ("a = b -o b = b", True),
        ("a = b -o b = b -a c", True),
        ("-z", True),
    ],
)
def test_words_are_compared(words: str, answer: bool) -> None:
    assert is_true(words.split()) is answer


def test_an_empty_word_is_one() -> None:
    assert is_true(["-z", ""])
    assert not is_true(["-n", ""])
    assert not is_true([""])


@pytest.mark.parametrize(
    "words", ["-e /a", "-f /a", "-d /a", "-s /a", "/a -nt /b", "! -e /a", "u = a", "( a )"]
)
def test_what_is_on_a_machine_is_not_known(words: str) -> None:
    with pytest.raises(Unknown):
        is_true(words.split(), {"u"})
