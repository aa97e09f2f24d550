"""A release that holds, and one in which anything is another: each is noticed, and named."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.release import verify
from pipeline.release.layout import SIGNATURES, SUMS
from pipeline.release.sign import sign
from pipeline.release.signatures import Verdict
from pipeline.release.trust import Trust, read_keys
from pipeline.release.verify import claims_in, examine
from tests.fixtures import release_folder as release
from tests.fixtures.release_folder import ARTIFACTS, Keys, sha256

ASC, SIG, _ = SIGNATURES.values()
LISTED = sorted([*ARTIFACTS, *release.documents(), "notes.txt", "notes.md", "notes.json", "report.html"])


def wrong(verdicts: list[Verdict]) -> list[tuple[str, str]]:
    return [(each.subject, each.sentence) for each in verdicts if each.good is False]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return release.write(tmp_path / "1.0")


@pytest.fixture(scope="session")
def signed(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> Path:
    """A release that somebody signed by gpg and by SSH; it is copied, never changed."""
    folder = release.write(tmp_path_factory.mktemp("signed") / "1.0")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GNUPGHOME", str(keys.home))
        sign(folder, "gpg", keys.fingerprint)
        sign(folder, "ssh", str(keys.ssh))
    return folder


@pytest.fixture(scope="session")
def both(keys: Keys) -> Trust:
    """The trust in both keys."""
    return Trust(openpgp=read_keys(keys.openpgp).openpgp, ssh=read_keys(keys.ssh_public).ssh)


def test_what_holds(folder: Path) -> None:
    same = "is about all 3 artifacts, by these digests"
    assert examine(folder, Trust()) == [
        Verdict("files", True, "are 13, plain ones all of them"),
        Verdict(SUMS, True, "names 11 files, none is missing, all have its digests"),
        Verdict("provenance.intoto.json", True, same),
        Verdict("sbom.cdx.json", True, same),
        Verdict("sbom.spdx.json", True, same),
        Verdict("build.json", True, same),
        Verdict("run.json", None, "is about one making of it, and proved by nothing: do not rely on it"),
        Verdict("files", None, "are not proved to be anybody's: nobody signed it"),
    ]


def test_what_is_signed_holds(signed: Path, both: Trust) -> None:
    verdicts = examine(signed, both)
    assert wrong(verdicts) == []
    assert [each.subject for each in verdicts if each.good is None] == ["run.json"]
    assert [each.subject for each in verdicts if each.good][-2:] == [ASC, SIG]


def test_what_is_signed_by_somebody(signed: Path) -> None:
    assert examine(signed, Trust())[-1] == Verdict(
        "files", None, "are not proved to be anybody's: --key or --identity says who has to have signed it"
    )


@pytest.mark.parametrize("name", [*LISTED, SUMS, ASC, SIG])
def test_one_byte_of_any_file(tmp_path: Path, signed: Path, both: Trust, name: str) -> None:
    folder = shutil.copytree(signed, tmp_path / "1.0")
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    found = wrong(examine(folder, both))
    if name in LISTED:
        listed = sha256((signed / name).read_bytes())
        assert found[0] == (name, f"has the SHA-256 {sha256(bytes(data))}, {SUMS} says {listed}")
    else:
        assert name in [subject for subject, _ in found] or {ASC, SIG} <= {subject for subject, _ in found}


@pytest.mark.parametrize("name", [*LISTED, SUMS, ASC, SIG])
def test_any_file_that_is_gone(tmp_path: Path, signed: Path, both: Trust, name: str) -> None:
    folder = shutil.copytree(signed, tmp_path / "1.0")
    (folder / name).unlink()
    assert name in [subject for subject, _ in wrong(examine(folder, both))]


@pytest.mark.parametrize("name", LISTED)
def test_any_file_that_is_replaced_together_with_the_list(
    tmp_path: Path, signed: Path, both: Trust, name: str
) -> None:
    folder = shutil.copytree(signed, tmp_path / "1.0")
    (folder / name).write_bytes((folder / name).read_bytes() + b"\n")
    release.relist(folder)
    assert {ASC, SIG} <= {subject for subject, _ in wrong(examine(folder, both))}


def test_a_listed_file_that_is_none_has_no_digest(folder: Path) -> None:
    (folder / ISO).unlink()
    (folder / ISO).symlink_to("/dev/null")
    assert SUMS not in [each.subject for each in examine(folder, Trust())]


def test_run_data_may_be_anything(folder: Path) -> None:
    (folder / "run.json").write_text("not even JSON")
    (folder / "run.html").write_text("")
    assert wrong(examine(folder, Trust())) == []


ISO = "toy-1.0.iso"
DIGEST = sha256(ARTIFACTS[ISO])
OTHER = "f" * 64


def remove(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).unlink()


def put(name: str, data: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(data)


def link(name: str, target: str) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(target)

    return change


def claim(name: str, change: Callable[[Any], object]) -> Callable[[Path], object]:
    return lambda folder: release.claim(folder, name, change)


def both_of(*changes: Callable[[Path], object]) -> Callable[[Path], object]:
    return lambda folder: [change(folder) for change in changes]


def relist(folder: Path) -> None:
    release.relist(folder)


NO_ISO = f"does not say of {ISO!r} that its SHA-256 is {DIGEST}"
NO_LIST = "is not there, or not to be read: nothing is proved"
LINE = "line 1 is no SHA-256 and a name: 'nothing'"
ROWS: dict[str, tuple[Callable[[Path], object], list[tuple[str, str]]]] = {
    "too many": (put("x.efi", b""), [("x.efi", f"is one too many: {SUMS} does not name it")]),
    "hidden": (put(".hidden", b""), [(".hidden", f"is one too many: {SUMS} does not name it")]),
    "hostile name": (
        put("\x1b[2J\u202e\udcff", b""),
        [("\x1b[2J\u202e\udcff", f"is one too many: {SUMS} does not name it")],
    ),
    "missing": (remove(ISO), [(ISO, f"is missing: {SUMS} names it")]),
    "empty": (
        put(ISO, b""),
        [(ISO, f"has the SHA-256 {sha256(b'')}, {SUMS} says {DIGEST}")],
    ),
    "no list": (remove(SUMS), [(SUMS, NO_LIST)]),
    "list that is a link": (link(SUMS, "/etc/passwd"), [(SUMS, "is a link"), (SUMS, NO_LIST)]),
    "list that is none": (put(SUMS, b"nothing"), [(SUMS, LINE)]),
    "empty list": (put(SUMS, b""), [(SUMS, "line 1 is no SHA-256 and a name: ''")]),
    "list that leads out": (
        put(SUMS, f"{DIGEST}  ../{ISO}\n".encode()),
        [(SUMS, f"line 1 names '../{ISO}', which is no file of a release")],
    ),
    "link to itself": (link(ISO, ISO), [(ISO, "is a link")]),
    "folder": (lambda folder: (folder / "sub").mkdir(), [("sub", "is a folder")]),
    "pipe": (lambda folder: os.mkfifo(folder / "pipe"), [("pipe", "is a pipe")]),
    "huge": (
        lambda folder: os.truncate(folder / "report.html", 1 << 40),
        [("report.html", "is too large to be read: 1099.5 GB")],
    ),
    "no build.json": (
        both_of(remove("build.json"), relist),
        [("build.json", "is missing: every release has one")],
    ),
    "other ISO, in the list, too": (
        both_of(put(ISO, b"other"), relist),
        [
            ("provenance.intoto.json", f"does not say of {ISO!r} that its SHA-256 is {sha256(b'other')}"),
            ("sbom.cdx.json", f"does not say of {ISO!r} that its SHA-256 is {sha256(b'other')}"),
            ("sbom.spdx.json", f"does not say of {ISO!r} that its SHA-256 is {sha256(b'other')}"),
            ("build.json", f"does not say of {ISO!r} that its SHA-256 is {sha256(b'other')}"),
        ],
    ),
    "ISO under another name": (
        both_of(lambda folder: (folder / ISO).rename(folder / "y.iso"), relist),
        [
            (name, f"does not say of 'y.iso' that its SHA-256 is {DIGEST}")
            for name in ("provenance.intoto.json", "sbom.cdx.json", "sbom.spdx.json", "build.json")
        ],
    ),
    "provenance of another": (
        claim("provenance.intoto.json", lambda it: it["subject"][0]["digest"].update(sha256=OTHER)),
        [("provenance.intoto.json", NO_ISO)],
    ),
    "provenance of less": (
        claim("provenance.intoto.json", lambda it: it["subject"].pop(0)),
        [("provenance.intoto.json", NO_ISO)],
    ),
    "provenance of more": (
        claim(
            "provenance.intoto.json",
            lambda it: it["subject"].append({"name": "y.iso", "digest": {"sha256": OTHER}}),
        ),
        [("provenance.intoto.json", f"is about 'y.iso', too, which {SUMS} does not name")],
    ),
    "provenance that is none": (
        claim("provenance.intoto.json", lambda it: it.update(_type="x")),
        [
            (
                "provenance.intoto.json",
                "is not what it is called: its _type is not 'https://in-toto.io/Statement/v1'",
            )
        ],
    ),
    "provenance of another kind": (
        claim("provenance.intoto.json", lambda it: it.update(predicateType="https://example.org/nonsense")),
        [
            (
                "provenance.intoto.json",
                "is not what it is called: its predicateType is not 'https://slsa.dev/provenance/v1'",
            )
        ],
    ),
    "subject that is no list": (
        claim("provenance.intoto.json", lambda it: it.update(subject=7)),
        [
            (
                "provenance.intoto.json",
                f"does not say of 'Toy.efi' that its SHA-256 is {sha256(ARTIFACTS['Toy.efi'])}",
            )
        ],
    ),
    "CycloneDX of another": (
        claim("sbom.cdx.json", lambda it: it["metadata"]["component"]["hashes"][1].update(content=OTHER)),
        [("sbom.cdx.json", NO_ISO)],
    ),
    "CycloneDX that is none": (
        claim("sbom.cdx.json", lambda it: it.update(bomFormat="x")),
        [("sbom.cdx.json", "is not what it is called: its bomFormat is not 'CycloneDX'")],
    ),
    "CycloneDX of another version": (
        claim("sbom.cdx.json", lambda it: it.update(specVersion="1.5")),
        [("sbom.cdx.json", "is not what it is called: its specVersion is not '1.6'")],
    ),
    "CycloneDX that knows the digest by another name": (
        claim("sbom.cdx.json", lambda it: it["metadata"]["component"].update(name="toy.iso")),
        [("sbom.cdx.json", NO_ISO)],
    ),
    "SPDX of another version": (
        claim("sbom.spdx.json", lambda it: it.update(spdxVersion="SPDX-2.2")),
        [("sbom.spdx.json", "is not what it is called: its spdxVersion is not 'SPDX-2.3'")],
    ),
    "SPDX of another": (
        claim("sbom.spdx.json", lambda it: it["packages"][0]["checksums"][0].update(checksumValue=OTHER)),
        [("sbom.spdx.json", NO_ISO)],
    ),
    "SPDX by another algorithm": (
        claim("sbom.spdx.json", lambda it: it["packages"][0]["checksums"][0].update(algorithm="SHA1")),
        [("sbom.spdx.json", NO_ISO)],
    ),
    "build of another": (
        claim("build.json", lambda it: it["artifacts"][0].update(sha256=OTHER)),
        [("build.json", NO_ISO)],
    ),
    "build of another version": (
        claim("build.json", lambda it: it.update(version=2)),
        [("build.json", "is not what it is called: its version is not 1")],
    ),
    "documents alone": (
        both_of(*map(remove, ARTIFACTS), relist),
        [
            (name, f"is about nothing: {SUMS} names documents alone")
            for name in ("provenance.intoto.json", "sbom.cdx.json", "sbom.spdx.json", "build.json")
        ],
    ),
    "build of more": (
        claim("build.json", lambda it: it["artifacts"].append({"name": "y.iso", "sha256": OTHER})),
        [("build.json", f"is about 'y.iso', too, which {SUMS} does not name")],
    ),
    "no JSON": (
        both_of(put("build.json", b"{"), relist),
        [
            (
                "build.json",
                "is no JSON that can be read: Expecting property name enclosed in double quotes: "
                "line 1 column 2 (char 1)",
            )
        ],
    ),
    "a list": (
        both_of(put("sbom.cdx.json", b"[]"), relist),
        [("sbom.cdx.json", "is not what it is called: its bomFormat is not 'CycloneDX'")],
    ),
    "signature that is none": (put(SIG, b"x"), [(SIG, "is no SSH signature as ssh-keygen writes it")]),
}


@pytest.mark.parametrize("name", ROWS)
def test_what_does_not_hold_without_any_key(folder: Path, name: str) -> None:
    change, expected = ROWS[name]
    change(folder)
    assert wrong(examine(folder, Trust())) == expected


@pytest.mark.parametrize("data", [b"[" * 100_000, b'{"a":' * 100_000, b"\xff\xfe", b"9" * 10_000, b"\0"])
def test_json_that_nobody_can_read(folder: Path, data: bytes) -> None:
    for name in release.documents():
        (folder / name).write_bytes(data)
    release.relist(folder)
    found = wrong(examine(folder, Trust()))
    assert sorted(subject for subject, _ in found) == sorted(release.documents())
    assert all(sentence.startswith("is no JSON that can be read: ") for _, sentence in found)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (None, {}),
        ([[{"name": "a", "sha256": "1"}]], {"a": {"1"}}),
        ({"name": "a", "digest": {"sha256": "1", "sha512": "2"}}, {"a": {"1"}}),
        ({"name": "a", "digest": {"sha512": "2"}}, {}),
        ({"name": 5, "sha256": "1"}, {}),
        ({"name": "a", "sha256": 1}, {}),
        ({"name": "a", "digest": 5}, {}),
        ({"name": "a", "hashes": [5, {}, {"alg": "SHA-1", "content": "2"}]}, {}),
        ({"name": "a", "hashes": [{"alg": "SHA-256", "content": "1"}]}, {"a": {"1"}}),
        ({"name": "b", "fileName": "./a", "checksums": [{"algorithm": "SHA256", "checksumValue": "1"}]},
         {"a": {"1"}, "b": {"1"}}),
        ([{"name": "a", "sha256": "1"}, {"name": "a", "sha256": "2"}], {"a": {"1", "2"}}),
    ],
)  # fmt: skip
def test_what_a_document_says_of_files(document: object, expected: dict[str, set[str]]) -> None:
    assert claims_in(document) == expected


def test_documents_are_read_as_they_are_written(folder: Path) -> None:
    for name in release.documents():
        claims = claims_in(json.loads((folder / name).read_text()))
        assert claims[ISO] == {DIGEST}


def test_a_document_that_memory_does_not_hold(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_document: object) -> None:
        raise MemoryError("full")

    monkeypatch.setattr(verify, "claims_in", fail)
    assert [each for each in wrong(examine(folder, Trust())) if each[0] == "build.json"] == [
        ("build.json", "is no JSON that can be read: full")
    ]
