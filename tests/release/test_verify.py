"""A release that holds, and one in which anything is another: each is noticed, and named."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.release import verify
from pipeline.release.layout import ENDINGS, RUN_SUMS, RUNS, SUMS
from pipeline.release.sign import sign
from pipeline.release.signatures import Verdict
from pipeline.release.trust import Trust, read_keys
from pipeline.release.verify import examine
from tests.fixtures import release_folder as release
from tests.fixtures.release_folder import ARTIFACTS, Keys, sha256

ASC, SIG, RUN_ASC, RUN_SIG = (
    f"{listing}{ENDINGS[tool]}" for listing in (SUMS, RUN_SUMS) for tool in ("gpg", "ssh")
)
SIGNATURES = (ASC, SIG, RUN_ASC, RUN_SIG)
OTHERS = ("measured.json", "notes.txt", "notes.md", "notes.json", "report.html")
LISTED = sorted([*ARTIFACTS, *release.documents(), *OTHERS])


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
        Verdict("files", True, "are 16, plain ones all of them"),
        Verdict(SUMS, True, "names 12 files, none is missing, all have its digests"),
        Verdict(RUN_SUMS, True, "names 3 files, none is missing, all have its digests"),
        Verdict("provenance.intoto.json", True, same),
        Verdict("sbom.cdx.json", True, same),
        Verdict("sbom.spdx.json", True, same),
        Verdict("build.json", True, same),
        Verdict("sbom.spdx.json", True, "names the same 7 parts as sbom.cdx.json"),
        Verdict(
            "provenance.intoto.json",
            True,
            "names the 2 packages and crates of bills of materials, by their digests",
        ),
        Verdict("build.json", True, "is of the version, the commit and the 2 steps that the others name"),
        Verdict("files", None, "nothing proves who made them: nobody signed it"),
    ]


def test_a_release_of_before_anything_was_predicted_holds(folder: Path) -> None:
    (folder / "measured.json").unlink()
    assert wrong(examine(folder, Trust())) == [("measured.json", "is missing: SHA256SUMS names it")]
    release.relist(folder)
    assert wrong(examine(folder, Trust())) == []


def test_what_is_signed_holds(signed: Path, both: Trust) -> None:
    verdicts = examine(signed, both)
    assert wrong(verdicts) == []
    assert [each.subject for each in verdicts if each.good is None] == []
    assert [each.subject for each in verdicts if each.good][-4:] == [*SIGNATURES]


def test_what_is_signed_by_somebody(signed: Path) -> None:
    assert examine(signed, Trust())[-1] == Verdict(
        "files", None, "nothing proves who made them: --key or --identity says who has to have signed it"
    )


EVERY = [*LISTED, *RUNS, SUMS, RUN_SUMS, *SIGNATURES]


def test_these_are_all_files_of_a_release(signed: Path) -> None:
    assert sorted(EVERY) == sorted(path.name for path in signed.iterdir())


@pytest.mark.parametrize("name", EVERY)
def test_one_byte_of_any_file(tmp_path: Path, signed: Path, both: Trust, name: str) -> None:
    folder = shutil.copytree(signed, tmp_path / "1.0")
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    found = wrong(examine(folder, both))
    if name == RUN_SUMS:  # or each file that it names is another: that is said of it, too
        assert {RUN_ASC, RUN_SIG} <= {subject for subject, _ in found}
        assert all(name in subject + sentence for subject, sentence in found)
    elif name in SIGNATURES:
        assert [subject for subject, _ in found] == [name]
    else:
        listed, by = sha256((signed / name).read_bytes()), SUMS if name in LISTED else RUN_SUMS
        assert (name, f"has the SHA-256 {sha256(bytes(data))}, {by} says {listed}") in found


@pytest.mark.parametrize("name", EVERY)
def test_any_file_that_is_gone(tmp_path: Path, signed: Path, both: Trust, name: str) -> None:
    folder = shutil.copytree(signed, tmp_path / "1.0")
    (folder / name).unlink()
    assert name in [subject for subject, _ in wrong(examine(folder, both))]


@pytest.mark.parametrize("name", [*LISTED, *RUNS])
def test_any_file_that_is_replaced_together_with_the_list(
    tmp_path: Path, signed: Path, both: Trust, name: str
) -> None:
    folder = shutil.copytree(signed, tmp_path / "1.0")
    (folder / name).write_bytes((folder / name).read_bytes() + b"\n")
    release.relist(folder)
    signatures = {RUN_ASC, RUN_SIG} if name in RUNS else {*SIGNATURES}
    assert signatures <= {subject for subject, _ in wrong(examine(folder, both))}


def test_a_listed_file_that_is_none_has_no_digest(folder: Path) -> None:
    (folder / ISO).unlink()
    (folder / ISO).symlink_to("/dev/null")
    assert SUMS not in [each.subject for each in examine(folder, Trust())]


def test_the_run_of_another_release(folder: Path) -> None:
    run, was = (folder / RUN_SUMS).read_bytes(), sha256((folder / SUMS).read_bytes())
    (folder / "notes.txt").write_text("others\n")
    release.relist(folder)
    (folder / RUN_SUMS).write_bytes(run)
    now = sha256((folder / SUMS).read_bytes())
    assert wrong(examine(folder, Trust())) == [(SUMS, f"has the SHA-256 {now}, {RUN_SUMS} says {was}")]


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


def shorten(name: str, lines: int) -> Callable[[Path], object]:
    """Take the first lines out of a file."""

    def change(folder: Path) -> None:
        (folder / name).write_text("".join((folder / name).read_text().splitlines(keepends=True)[lines:]))

    return change


def definition(provenance: Any) -> Any:
    return provenance["predicate"]["buildDefinition"]


def dependencies(provenance: Any) -> Any:
    return definition(provenance)["resolvedDependencies"]


def steps(provenance: Any) -> Any:
    return definition(provenance)["internalParameters"]["steps"]


def depends(uri: str) -> object:
    return {"uri": uri, "digest": {"sha256": OTHER}}


EVIL = {
    "name": "evil",
    "version": "1.0",
    "purl": "pkg:cargo/evil@1.0",
    "hashes": [{"alg": "SHA-256", "content": OTHER}],
}
EVIL_OF_SPDX = {
    "name": "evil",
    "versionInfo": "1.0",
    "checksums": [{"algorithm": "SHA256", "checksumValue": OTHER}],
    "externalRefs": [{"referenceType": "purl", "referenceLocator": "pkg:cargo/evil@1.0"}],
}
EVIL_NAMED = f"'evil' 1.0 (pkg:cargo/evil@1.0) with the SHA-256 {OTHER}"
NO_RUN_LIST = "is not there, or not to be read: nothing of the run is proved"
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
        claim("sbom.cdx.json", lambda it: it["components"][0]["hashes"][1].update(content=OTHER)),
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
        claim("sbom.cdx.json", lambda it: it["components"][0].update(name="toy.iso")),
        [("sbom.cdx.json", NO_ISO)],
    ),
    "SPDX of another version": (
        claim("sbom.spdx.json", lambda it: it.update(spdxVersion="SPDX-2.2")),
        [("sbom.spdx.json", "is not what it is called: its spdxVersion is not 'SPDX-2.3'")],
    ),
    "SPDX of another": (
        claim("sbom.spdx.json", lambda it: it["packages"][0]["checksums"][1].update(checksumValue=OTHER)),
        [("sbom.spdx.json", NO_ISO)],
    ),
    "SPDX by another algorithm": (
        claim("sbom.spdx.json", lambda it: it["packages"][0]["checksums"][1].update(algorithm="SHA1")),
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
    "no list of the run": (remove(RUN_SUMS), [(RUN_SUMS, NO_RUN_LIST)]),
    "list of the run that is none": (put(RUN_SUMS, b"nothing"), [(RUN_SUMS, LINE)]),
    "list of the run of something else": (
        put(RUN_SUMS, f"{DIGEST}  {ISO}\n".encode()),
        [(RUN_SUMS, f"line 1 names {ISO!r}, which is no file of a run")],
    ),
    "list of half a run": (
        shorten(RUN_SUMS, 2),
        [(RUN_SUMS, "does not name SHA256SUMS"), (RUN_SUMS, "does not name run.html")],
    ),
    "no run": (
        both_of(*map(remove, RUNS)),
        [(name, f"is missing: {RUN_SUMS} names it") for name in ("run.html", "run.json")],
    ),
    "a part in CycloneDX alone": (
        claim("sbom.cdx.json", lambda it: it["components"].append(EVIL)),
        [("sbom.cdx.json", f"names {EVIL_NAMED}, sbom.spdx.json does not")],
    ),
    "a part within another": (
        claim("sbom.cdx.json", lambda it: it["components"][0].update(components=[{"name": "evil"}])),
        [("sbom.cdx.json", "names 'evil' with the SHA-256 (none), sbom.spdx.json does not")],
    ),
    "a part in SPDX alone": (
        claim("sbom.spdx.json", lambda it: it["packages"].append({"name": "evil", "versionInfo": "1.0"})),
        [("sbom.spdx.json", "names 'evil' 1.0 with the SHA-256 (none), sbom.cdx.json does not")],
    ),
    "parts that CycloneDX lacks": (
        claim("sbom.cdx.json", lambda it: it.update(components=it["components"][:4])),
        [
            (
                "sbom.spdx.json",
                f"names 'bin/toy' with the SHA-256 {'c' * 64}, sbom.cdx.json does not; 2 more differ",
            )
        ],
    ),
    "another digest of a file in SPDX": (
        claim("sbom.spdx.json", lambda it: it["files"][0]["checksums"][1].update(checksumValue=OTHER)),
        [
            ("sbom.cdx.json", f"names 'bin/toy' with the SHA-256 {'c' * 64}, sbom.spdx.json does not"),
            ("sbom.spdx.json", f"names 'bin/toy' with the SHA-256 {OTHER}, sbom.cdx.json does not"),
        ],
    ),
    "a crate in both bills alone": (
        both_of(
            claim("sbom.cdx.json", lambda it: it["components"].append(EVIL)),
            claim("sbom.spdx.json", lambda it: it["packages"].append(EVIL_OF_SPDX)),
        ),
        [
            (
                "provenance.intoto.json",
                f"does not name pkg:cargo/evil@1.0 with the SHA-256 {OTHER}, which bills of materials name",
            )
        ],
    ),
    "provenance of nothing": (
        claim("provenance.intoto.json", lambda it: definition(it).update(resolvedDependencies=[])),
        [
            (
                "provenance.intoto.json",
                f"does not name pkg:cargo/serde@1.0.0 with the SHA-256 {'b' * 64}, "
                "which bills of materials name; 1 more differs",
            ),
            (
                "provenance.intoto.json",
                f"says nothing of the commit of the sources, build.json {release.COMMIT!r}",
            ),
        ],
    ),
    "a package in the provenance alone": (
        claim("provenance.intoto.json", lambda it: dependencies(it).append(depends("pkg:deb/debian/evil@1"))),
        [
            (
                "provenance.intoto.json",
                f"names pkg:deb/debian/evil@1 with the SHA-256 {OTHER}, which no bill of materials names",
            )
        ],
    ),
    "another digest of a crate in the provenance": (
        claim("provenance.intoto.json", lambda it: dependencies(it).append(depends("pkg:cargo/serde@1.0.0"))),
        [
            (
                "provenance.intoto.json",
                f"names pkg:cargo/serde@1.0.0 with the SHA-256 {OTHER}, which no bill of materials names",
            )
        ],
    ),
    "build of another commit": (
        claim("build.json", lambda it: it.update(commit="f" * 40)),
        [
            (
                "provenance.intoto.json",
                f"says {release.COMMIT!r} of the commit, build.json {'f' * 40!r}; 1 more differs",
            )
        ],
    ),
    "provenance of another commit": (
        claim("provenance.intoto.json", lambda it: dependencies(it)[0]["digest"].update(gitCommit="f" * 40)),
        [
            (
                "provenance.intoto.json",
                f"says {'f' * 40!r} of the commit of the sources, build.json {release.COMMIT!r}",
            )
        ],
    ),
    "build of another release": (
        claim("build.json", lambda it: it["product"].update(version="1.1")),
        [
            (name, "says 'Toy-1.0' of the release, build.json 'Toy-1.1'")
            for name in ("provenance.intoto.json", "sbom.cdx.json", "sbom.spdx.json")
        ],
    ),
    "CycloneDX of another release": (
        claim("sbom.cdx.json", lambda it: it["metadata"]["component"].update(name="Acme")),
        [("sbom.cdx.json", "says 'Acme-1.0' of the release, build.json 'Toy-1.0'")],
    ),
    "SPDX of another release": (
        claim("sbom.spdx.json", lambda it: it.update(name="Toy-1.1")),
        [("sbom.spdx.json", "says 'Toy-1.1' of the release, build.json 'Toy-1.0'")],
    ),
    "another key of a step": (
        claim("build.json", lambda it: it["steps"][1].update(key=OTHER)),
        [
            (
                "provenance.intoto.json",
                f"says {'2' * 64!r} of the key of step 'kernel:base', build.json {OTHER!r}",
            )
        ],
    ),
    "another container of a step": (
        claim("provenance.intoto.json", lambda it: steps(it)["iso:toy"].update(layer=OTHER)),
        [
            (
                "provenance.intoto.json",
                f"says {OTHER!r} of the container's digest of step 'iso:toy', build.json {'d' * 64!r}",
            )
        ],
    ),
    "a step less": (
        claim("build.json", lambda it: it["steps"].pop()),
        [
            (
                "provenance.intoto.json",
                f"says {'2' * 64!r} of the key of step 'kernel:base', build.json nothing; 2 more differ",
            )
        ],
    ),
    "another date": (
        claim("build.json", lambda it: it.update(source_date_epoch=6)),
        [("provenance.intoto.json", "says '5' of the date of files, build.json '6'")],
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


def test_a_document_that_memory_does_not_hold(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_document: object) -> None:
        raise MemoryError("full")

    monkeypatch.setattr(verify, "claims_in", fail)
    assert [each for each in wrong(examine(folder, Trust())) if each[0] == "build.json"] == [
        ("build.json", "is no JSON that can be read: full")
    ]
