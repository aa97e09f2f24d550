"""The kinds of values that files hold: what each takes, what each refuses."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from pipeline import config


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (config.Sha256, ["0123456789abcdef" * 4], ["", "A" * 64, "a" * 63, "a" * 65, "a" * 64 + "\n"]),
        (config.Name, ["a", "6.12", "a-b.c"], ["", "-a", ".a", "A", "a_b", "a/b", "ä"]),
        (config.DebianPackage, ["g++", "libc6", "0ad"], ["", "a", "-ab", "Ab", "a b", "a:amd64"]),
        (config.Timestamp, ["20261121T000000Z"], ["2026-11-21", "20261121T000000", "20261121 000000Z"]),
        (config.RelativePath, ["a", "a/b", "..a", "a..", ".a/b"], ["", "/a", "..", "../a", "a/../b", "a/.."]),
        (config.VolumeId, ["A", "A_1", "A" * 16], ["", "a", "A-B", "A" * 17]),
        (config.Text, ["x", " "], [""]),
    ],
)
def test_kinds_of_values(kind: Any, good: list[str], bad: list[str]) -> None:
    adapter = TypeAdapter(kind)
    assert [adapter.validate_python(value) for value in good] == good
    for value in bad:
        with pytest.raises(ValidationError):
            adapter.validate_python(value)
