"""The report: what it says, that it is the same each time, and that nothing in it acts or leads elsewhere."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.checks.finding import POLICIES, PolicyName
from pipeline.errors import PipelineError
from pipeline.release.layout import RUN_PAGE
from pipeline.release.pages.facts import gather
from pipeline.release.pages.render import markdown
from pipeline.release.pages.report_page import page, report
from tests.fixtures import release_pages as release
from tests.fixtures.html import Page
from tests.fixtures.release_pages import DIGEST, EPOCH, EVIL


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return release.release(tmp_path_factory.mktemp("release"))


@pytest.fixture(scope="module")
def text(folder: Path) -> str:
    return report(folder, "ACME", "1.1", EPOCH, POLICIES)


@pytest.mark.parametrize(
    "said",
    [
        "ACME 1.1 Release of 2026-11-21.",
        "acme-1.1.iso ISO 9660 image 117,248",
        "<script>\\u202e.txt 23",
        "provenance.intoto.json how it was made, as in-toto 3",
        "sbom.cdx.json what is in it, as CycloneDX",
        "What changed ACME 1.1 against 1.0",
        "UEFI, from CD yes: El Torito's entry 1 is a FAT file system with EFI/BOOT/BOOTX64.EFI",
        "kernel 6.12.1-test (efi.img!EFI/BOOT/BOOTX64.EFI!.linux)",
        "El Torito's boot record; entries in its catalog: 1",
        "etc/<script> ≈ 9",
        "etc/zeros ≈ ",
        "90,000",
        "none faults found by",
        "ISO008",
        "system-1.1.efi UKI started by UEFI yes",
        "vmlinuz Linux bzImage 1,536",
        "acme-1.1.iso!efi.img!EFI/BOOT/BOOTX64.EFI",
        "also those of the policies appliance, medium, reproducible, strict.",
        "KRN004",
        "busybox-static 1:1.37.0-6 GPL-2.0-only " + DIGEST,
        "serde 1.0.228 MIT OR Apache-2.0",
        "Sources and others 1",
        "1 Debian packages 1 Crates 1 Sources and others 1 Others 2 build steps",
        "Debian packages, for tools alone 1 name version licence SHA-256 gcc Others, for tools alone 1",
        "busybox 1.37.0-6 became 1.37.0-7",
        "bin/busybox 1 kB 2 kB",
        "kernel:acme 9.0 MB",
        "from linux.tar 150,000,000 " + DIGEST,
        "installer-iso/kernel:0123456789abcdef",
    ],
)
def test_it_says(text: str, said: str) -> None:
    assert said in Page(text).text


def test_policies_are_those_that_are_asked_for(folder: Path) -> None:
    def codes(*policies: PolicyName) -> set[str]:
        facts = gather(folder, "ACME", "1.1", EPOCH, policies)
        return {rule.code for each in facts.examined for group in each.judged for rule in group.rules}

    assert codes() < codes("reproducible")
    assert "CPIO003" in codes("reproducible") - codes()


def test_all_digests_are_there(folder: Path, text: str) -> None:
    for file in gather(folder, "ACME", "1.1", EPOCH, POLICIES).files:
        assert f"<code>{file.sha256}</code>" in text


def test_what_is_quoted_is_text(text: str) -> None:
    found = Page(text)
    assert found.wrong == []
    assert EVIL in found.text
    assert "etc/<script>" in found.text
    assert found.names & {"script", "iframe", "object", "embed", "link", "form", "base", "img"} == set()
    assert [name for name in found.attributes if name.startswith("on")] == []


def test_the_test_of_what_is_quoted_sees_what_is_not_escaped(text: str) -> None:
    assert "script" in Page(text.replace("etc/&lt;script&gt;", "etc/<script>")).names


def test_it_leads_nowhere_but_to_itself_and_to_the_page_of_the_run(text: str) -> None:
    found = Page(text)
    assert [lead for lead in found.leads if not lead.startswith("#")] == [RUN_PAGE]
    assert {lead.removeprefix("#") for lead in found.leads if lead != RUN_PAGE} <= found.ids
    assert "what their screens showed is told by run.html in the same folder" in found.text
    assert "default-src 'none'" in text


@pytest.mark.parametrize(
    "written",
    [
        "[a](https://x.example/)",
        "![a](https://x.example/)",
        "<https://x.example/>",
        "[a]\n\n[a]: https://x.example/",
        "<a href=https://x.example/>",
        "<script>",
        "<b\nonclick=a>",
    ],
)
def test_notes_lead_nowhere(written: str) -> None:
    found = Page(markdown(written))
    assert found.leads == []
    assert found.names <= {"p"}


def test_notes_are_set_as_markdown() -> None:
    text = "# A\n\n- **b** and `c`\n\n| d | e |\n| --- | --- |\n| 1 | 2 |\n"
    assert Page(markdown(text)).names >= {"h1", "ul", "li", "strong", "code", "table", "td"}


def test_the_same_release_makes_the_same_page(folder: Path, text: str, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    other.mkdir()
    for path in sorted(folder.iterdir(), reverse=True):
        shutil.copy(path, other / path.name)
        os.utime(other / path.name, (1, 1))
    assert report(other, "ACME", "1.1", EPOCH, POLICIES) == text
    (other / "report.html").write_text(text)
    assert report(other, "ACME", "1.1", EPOCH, POLICIES) == text
    (other / "notes.md").write_text("another")
    assert report(other, "ACME", "1.1", EPOCH, POLICIES) != text


def test_what_does_not_boot_is_left_out(tmp_path: Path) -> None:
    release.documents(tmp_path)
    (tmp_path / "vmlinuz").write_bytes(b"no kernel")
    found = Page(report(tmp_path, "ACME", "1.1", EPOCH, POLICIES))
    assert found.ids == {"files", "measured", "changes", "inputs", "steps"}
    assert found.leads == [
        RUN_PAGE,
        *(f"#{name}" for name in ("files", "measured", "changes", "inputs", "steps")),
    ]
    assert "vmlinuz" in found.text


def test_a_fault_is_said_and_shown_at_once(folder: Path) -> None:
    facts = gather(folder, "ACME", "1.1", EPOCH, POLICIES)
    medium = facts.examined[0]
    group = medium.judged[0]
    rule = replace(group.rules[0], faults=(f"x.iso: {EVIL}",))
    broken = replace(medium, judged=(replace(group, rules=(rule,)),))
    found = page(replace(facts, examined=(broken,)))
    assert "<details open>" in found
    assert "1 fault found by 1 rule" in Page(found).text
    assert "1 × 1 rules: 1 fault " in Page(found).text  # noqa: RUF001
    assert f"x.iso: {EVIL}" in Page(found).text
    assert "<details open>" not in page(facts)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.iso", b"no image", "x.iso is no image that can be read"),
        ("sbom.cdx.json", b"[]", "sbom.cdx.json: holds list, want a table"),
        (
            "sbom.cdx.json",
            b'{"bomFormat": "CycloneDX", "components": [{"type": "library"}]}',
            "sbom.cdx.json: components.0.name: this key is missing",
        ),
        (
            "build.json",
            json.dumps({"steps": [{"step": 1}]}).encode(),
            "build.json: steps.0.step: 1 is not a string",
        ),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_an_error(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    release.documents(tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(PipelineError) as raised:
        report(tmp_path, "ACME", "1.1", EPOCH, POLICIES)
    assert raised.value.message == message
    assert raised.value.hint
