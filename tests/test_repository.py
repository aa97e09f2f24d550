"""What people expect of a repository: licences of all files, a changelog, links that lead somewhere."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.project import manifest
from tests.conftest import ROOT

PAGES = sorted(path for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob(".github/**/*.md")))


def tracked() -> list[str]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.rstrip("\0").split("\0")


def covers(pattern: str, path: str) -> bool:
    """Say whether a path of REUSE.toml covers a file (REUSE 3.3, "REUSE.toml"): `*` stops at a slash."""
    wild = {"**": ".*", "*": "[^/]*"}
    parts = (wild.get(part, re.escape(part)) for part in re.split(r"(\*\*|\*)", pattern))
    return re.fullmatch("".join(parts), path) is not None


def licences_of(reuse: str, files: list[str]) -> dict[str, str]:
    """Return what each file is under, "" for nothing: of annotations that cover it, the last one counts."""
    found = dict.fromkeys(files, "")
    for each in tomllib.loads(reuse)["annotations"]:
        found |= {path: each["SPDX-License-Identifier"] for path in files if covers(each["path"], path)}
    return found


def unlicensed(reuse: str, files: list[str], licences: set[str]) -> list[str]:
    """Say which files lack an annotation, with copyright and a licence whose text is there."""
    read = tomllib.loads(reuse)
    wrong = [] if read["version"] == 1 else ["version is not 1"]
    for each in read["annotations"]:
        if not each.get("SPDX-FileCopyrightText"):
            wrong.append(f"{each['path']}: no copyright")
        if each["SPDX-License-Identifier"] not in licences:
            wrong.append(f"{each['path']}: LICENSES/{each['SPDX-License-Identifier']}.txt is missing")
        if not any(covers(each["path"], path) for path in files):
            wrong.append(f"{each['path']}: covers nothing")
    named = {each["SPDX-License-Identifier"] for each in read["annotations"]}
    wrong += [f"LICENSES/{name}.txt: nothing has it" for name in sorted(licences - named)]
    free = ("LICENSE", "REUSE.toml", "LICENSES/")
    covered = licences_of(reuse, files)
    return wrong + [f"{path}: no licence" for path in files if not (covered[path] or path.startswith(free))]


def test_every_file_has_its_licence() -> None:
    licences = {path.stem for path in (ROOT / "LICENSES").iterdir()}
    assert unlicensed((ROOT / "REUSE.toml").read_text(), tracked(), licences) == []
    assert (ROOT / "LICENSES/MIT.txt").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_what_others_wrote_is_under_their_licence() -> None:
    found = licences_of((ROOT / "REUSE.toml").read_text(), tracked())
    assert {path: licence for path, licence in found.items() if licence != "MIT"} == {
        "manifests/licences.lock.json": "LicenseRef-Quoted",
        "pipeline/checks/pe/dbx.txt": "BSD-2-Clause-Patent",
    }
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    packed = {licence for path, licence in found.items() if path.startswith("pipeline/")}
    assert wheel["license"] == " AND ".join(sorted(packed, reverse=True))


ONE = '[[annotations]]\npath = "{}"\nSPDX-FileCopyrightText = "me"\nSPDX-License-Identifier = "MIT"\n'
MIT = {"MIT"}


@pytest.mark.parametrize(
    ("reuse", "licences", "said"),
    [
        ("version = 1\n" + ONE.format("**"), MIT, []),
        ("version = 2\n" + ONE.format("**"), MIT, ["version is not 1"]),
        ("version = 1\n" + ONE.format("*"), MIT, ["a/b.py: no licence"]),
        ("version = 1\n" + ONE.format("a/*") + ONE.format("**.py"), MIT, []),
        ("version = 1\n" + ONE.format("**") + ONE.format("c/*"), MIT, ["c/*: covers nothing"]),
        ("version = 1\n" + ONE.format("**").replace('"me"', '""'), MIT, ["**: no copyright"]),
        ("version = 1\n" + ONE.format("**"), set(), ["**: LICENSES/MIT.txt is missing"]),
        ("version = 1\n" + ONE.format("**"), {"MIT", "ISC"}, ["LICENSES/ISC.txt: nothing has it"]),
    ],
)
def test_a_licence_that_is_missing_is_told(reuse: str, licences: set[str], said: list[str]) -> None:
    assert unlicensed(reuse, ["LICENSE", "LICENSES/MIT.txt", "REUSE.toml", "a/b.py"], licences) == said


def test_of_annotations_the_last_one_counts() -> None:
    both = ONE.format("**") + ONE.format("a/*").replace("MIT", "ISC")
    assert licences_of(both, ["a/b", "a/c/d", "e"]) == {"a/b": "ISC", "a/c/d": "MIT", "e": "MIT"}
    assert licences_of(ONE.format("a/*"), ["b"]) == {"b": ""}


def test_the_changelog_knows_the_version_that_is_pinned() -> None:
    version = tomllib.loads((ROOT / manifest.PATH).read_text())["product"]["version"]
    text = (ROOT / "CHANGELOG.md").read_text()
    versions = re.findall(r"^## \[([^\]]+)\](?: - (?:\d{4}-\d\d-\d\d|unreleased))?$", text, re.MULTILINE)
    assert versions[:2] == ["Unreleased", version]
    assert text.count("\n## ") == len(versions)
    kinds = set(re.findall("^### (.*)$", text, re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.*?)\s*$", without_code(text), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        found.add(next(each for each in (slug, *(f"{slug}-{n}" for n in range(1, 99))) if each not in found))
    return found


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def dangling(page: Path) -> Iterator[str]:
    """Yield the relative links of a page that lead to no file, or to no heading."""
    text = page.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)\s]+)\)", without_code(text)):
        path, _, anchor = link.partition("#")
        if re.match("[a-z]+:", link):
            continue
        target = page.parent / path if path else page
        if not target.exists():
            yield f"{page.name}: {link}: no such file"
        elif anchor and anchor not in anchors(target.read_text(encoding="utf-8")):
            yield f"{page.name}: {link}: no such heading"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(page: Path) -> None:
    assert list(dangling(page)) == []


def test_a_link_that_leads_nowhere_is_told(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# It, and `that`\n## Twice\n## Twice\n```\n# no heading\n```\n")
    page = tmp_path / "page.md"
    links = [
        "other.md",
        "other.md#it-and-that",
        "other.md#twice-1",
        "https://x.org/y#z",
        "none.md",
        "other.md#no-heading",
        "#here",
    ]
    page.write_text("".join(f"[x]({link})\n" for link in links) + "```\n[x](none)\n```\n")
    assert list(dangling(page)) == [
        "page.md: none.md: no such file",
        "page.md: other.md#no-heading: no such heading",
        "page.md: #here: no such heading",
    ]


def test_the_index_names_every_page() -> None:
    linked = set(re.findall(r"\]\(([^)/#]+)\)", (ROOT / "docs/index.md").read_text()))
    there = {path.name for path in (ROOT / "docs").iterdir() if path.is_file()}
    assert linked == there - {"index.md"}


def test_no_page_names_a_tag_that_nobody_may_have_made() -> None:
    """A tag is made when its version is released: pages say what it is called, none which one there is."""
    named = [
        (page.name, tag)
        for page in PAGES
        for tag in re.findall(
            r"git (?:checkout|switch|clone)\b.*?\b(v\d[\w.]*)", page.read_text(encoding="utf-8")
        )
    ]
    assert named == []


def missing_tests(page: str, code: str) -> list[str]:
    """Say which tests, named in the last column of tables, there are none of."""
    cells = [line.rstrip("| ").rpartition(" | ")[2] for line in page.splitlines() if line.startswith("| ")]
    named = {word.rpartition("::")[2] for cell in cells for word in re.findall("`([^`]+)`", cell)}
    tests = {name for name in named if re.fullmatch("[a-z0-9]+(_[a-z0-9]+){2,}", name)}
    return sorted(tests - set(re.findall(r"\b(?:def|fn) (\w+)\(", code)))


def test_what_defends_is_tested() -> None:
    files = [ROOT / path for path in tracked() if re.search(r"^(tests/.*\.py|programs/.*\.rs)$", path)]
    code = "".join(path.read_text(encoding="utf-8") for path in files if path.is_file())
    page = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    assert missing_tests(page, code) == []
    assert missing_tests(page, code.replace("def test_no_release_is_overwritten(", "")) == [
        "test_no_release_is_overwritten"
    ]


def judged(*forms: Path) -> subprocess.CompletedProcess[str]:
    """Have GitHub's schema of issue forms judge them."""
    program = Path(sys.executable).with_name("check-jsonschema")
    command = [str(program), "--builtin-schema", "vendor.github-issue-forms", *map(str, forms)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_forms_are_what_github_takes(tmp_path: Path) -> None:
    forms = sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml"))
    done = judged(*forms)
    assert done.returncode == 0, done.stdout
    spoilt = tmp_path / "form.yml"
    spoilt.write_text(forms[0].read_text().replace("type: textarea", "type: text"))
    assert judged(spoilt).returncode != 0
