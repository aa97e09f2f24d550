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
        (
            config.SharedPath,
            ["a", "a/b", "..a", "../a", "../a/b"],
            ["", "/a", "..", "../", "../..", "../../a", "..//a", "a/../b", "../a/.."],
        ),
        (config.VolumeId, ["A", "A_1", "A" * 16], ["", "a", "A-B", "A" * 17]),
        (config.Text, ["x", " ", "ä b"], ["", "a\nb", "a\x1b[m", "\u2028", "\u202e"]),
        (config.DebianVersion, ["1", "1:2.0~a-1+b2"], ["", "1 2", "1\n", "a:1", "1_2", "%3a"]),
        (config.Suite, ["trixie", "trixie-updates", "stable/updates"], ["", "a b", "a\n", "/a", "a//", "-a"]),
        (
            config.PoolPath,
            ["pool/main/a/a_1_all.deb", "pool/a_4%3a1_amd64.deb"],
            ["", "a.deb", "pool/a", "pool/../a.deb", "pool/a?.deb", "pool/a b.deb", "pool//a.deb"],
        ),
        (
            config.CacheName,
            [
                "file:../cache",
                "file:/srv/cache",
                "https://x.example/a/b",
                "http://127.0.0.1:8000",
                "oci://x.example/team/iso-cache",
                "oci+http://[::1]:5000/a__b",
            ],
            [
                "",
                "file:",
                "file:a\nb",
                "/srv/cache",
                "ftp://x.example",
                "https://x.example/?a",
                "oci://x.example",
                "oci://x.example/A",
                "oci://x.example/a:tag",
                "oci://x.example/a/../b",
                "oci://me:secret@x.example/a",
            ],
        ),
        (
            config.PublicKey,
            [
                f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIP{'b' * 42}",
                f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA{'/' * 42} me",
            ],
            [
                "",
                "ssh-ed25519 AAAA",
                f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{'z' * 43}",
                f"ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAI{'b' * 43}",
            ],
        ),
        (
            config.Url,
            ["http://a", "https://a.example:1/b%20c", "http://[::1]/x"],
            [
                "",
                "a",
                "ftp://a/b",
                "http://",
                "http://[::1",
                "http://a:x/",
                "http://a b",
                "http://a\nb",
                "http://ä",
            ],
        ),
    ],
)
def test_kinds_of_values(kind: Any, good: list[str], bad: list[str]) -> None:
    adapter = TypeAdapter(kind)
    assert [adapter.validate_python(value) for value in good] == good
    for value in bad:
        with pytest.raises(ValidationError):
            adapter.validate_python(value)
