"""`docs/hardening.md` says what `recipes/kernels/hardening.toml` and the appliance's profiles do."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCUMENT = (ROOT / "docs/hardening.md").read_text()
ROOTFS = ROOT / "recipes/truthdb-runtime/rootfs"


def rows(columns: int) -> list[list[str]]:
    """Return the rows of the document's tables that have so many columns."""
    lines = (line.strip("|").split("|") for line in DOCUMENT.splitlines() if line.startswith("|"))
    return [[cell.strip() for cell in cells] for cells in lines if len(cells) == columns]


def test_what_is_left_has_the_reason_of_the_list() -> None:
    left = tomllib.loads((ROOT / "recipes/kernels/hardening.toml").read_text())["left"]
    said = {cells[0]: cells[1] for cells in (*rows(2), *rows(3))}
    wanted = left["options"] | left["cmdline"] | left["sysctl"]
    assert {name: said.get(name) for name in wanted} == wanted
    names = {name for name in said if re.fullmatch(r"[A-Z][A-Z0-9_]+", name)}
    assert names - {"EPERM", "ENOSYS", "SIGSYS"} == left["options"].keys()


def test_profiles_have_the_users_and_capabilities_that_are_said() -> None:
    source = (ROOT / "programs/appliance/src/confine/profiles.rs").read_text()
    table = source[source.index("pub const PROFILES") : source.index("pub const SUPERVISOR")]
    profiles = {}
    for text in table.split("Profile {")[1:]:
        found = re.search(r'name: "(\w+)",\s+user: (\d+)', text)
        assert found
        name, user = found.groups()
        profiles[name] = user, re.findall(r"Caps::([A-Z_]+)", text)
    said = {
        cells[0].strip("`"): (cells[2], [word for word in cells[3].split(", ") if word])
        for cells in rows(5)
        if cells[0].startswith("`")
    }
    assert said == profiles
    users = (line.split(":") for line in (ROOTFS / "etc/passwd").read_text().splitlines())
    assert {fields[2] for fields in users} == {"0", *(user for user, _ in profiles.values())}


def test_the_service_may_use_the_processes_and_the_memory_that_are_said() -> None:
    source = (ROOT / "programs/appliance/src/confine/share.rs").read_text()
    assert "REST: u64 = 128 << 10" in source
    assert "all but 128 MiB" in DOCUMENT
    assert "THREADS: u32 = 4096" in source
    assert "4,096 threads" in DOCUMENT
    assert "FILES: u64 = 1 << 16" in source
    assert "65,536 open files" in DOCUMENT


def test_as_many_applets_have_links_as_is_said() -> None:
    recipe = tomllib.loads((ROOT / "recipes/truthdb-runtime/recipe.toml").read_text())
    assert f"the {len(recipe['image']['applets'])} applets" in DOCUMENT
    probe = tomllib.loads((ROOT / "recipes/truthdb-probe/recipe.toml").read_text())
    assert probe["image"]["applets"] == recipe["image"]["applets"]
