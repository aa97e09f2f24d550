"""The plan of the real recipe, and what in it depends on what."""

import ast
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline import lock, project
from pipeline.checks.catalog import Gate
from pipeline.errors import ConfigError
from pipeline.plan import plan
from pipeline.project import Project
from pipeline.step import Input, Output, Pinned, Source, Step, digest, source_digest
from pipeline.store import Blob
from tests.conftest import Compare
from tests.fixtures import checkout as toy

NAME = "truthdb-installer"
CONTAINERS_BRING = {"zstandard"}
"""What in-container modules import besides the standard library, and each other."""


def origin(source: Input, root: Path) -> str:
    match source:
        case Output(step, name):
            return f"{step.name}/{name}"
        case Source(path, exclude):
            return str(path.relative_to(root)) + "".join(f" without {name}" for name in exclude)
        case Pinned():
            return source.what


def listing(steps: tuple[Step, ...], root: Path) -> str:
    lines = []
    for step in steps:
        lines.append(f"{step.name}: {step.summary}")
        lines.append(f"  container  {step.container.container if step.container else 'none'}")
        lines += [f"  network    {step.network}"] if step.network else []
        lines += [f"  input      {name} ← {origin(source, root)}" for name, source in step.inputs.items()]
        for name in step.outputs:
            people = f", for people: {step.published[name]:o}" if name in step.published else ""
            lines.append(f"  output     {name}{', checked' if name in step.checks else ''}{people}")
        lines.append(f"  params     {', '.join(step.params)}")
    return "\n".join(lines) + "\n"


def test_the_plan_of_the_real_recipe(checkout: Project, golden: Compare) -> None:
    golden("plan.txt", listing(plan(checkout, NAME), checkout.root))


def keys(steps: tuple[Step, ...]) -> dict[str, str]:
    """Return each step's key, as if every output were other bytes whenever its step's key is another."""
    found: dict[str, str] = {}

    def input_digest(source: Input) -> str:
        match source:
            case Output(step, name):
                return digest([found[step.name], name])
            case Source():
                return source_digest(source, "")
            case Pinned(blob):
                return blob.sha256

    for step in steps:
        found[step.name] = step.key({name: input_digest(each) for name, each in step.inputs.items()})
    return found


def with_pins(project: Project, **changes: Any) -> Project:
    return replace(project, manifest=replace(project.manifest, **changes))


def with_image(project: Project, **changes: Any) -> Project:
    recipe = project.recipes[NAME]
    return replace(project, recipes={NAME: replace(recipe, image=replace(recipe.image, **changes))})


def with_layer(project: Project, container: str) -> Project:
    return replace(
        project, locks=project.locks | {container: replace(project.locks[container], layer="f" * 64)}
    )


RUST = ["rust-std", f"crates:{NAME}", f"dependencies:{NAME}", f"installer:{NAME}"]
IMAGE = [f"{kind}:{NAME}" for kind in ("initramfs", "uki", "efi-image", "iso")]

CHANGES: list[tuple[str, Callable[[Project], Project], list[str]]] = [
    ("version", lambda p: with_pins(p, product=replace(p.manifest.product, version="9.9")), IMAGE),
    ("product's name", lambda p: with_pins(p, product=replace(p.manifest.product, name="X")), IMAGE),
    ("epoch", lambda p: with_pins(p, source_date_epoch=1), IMAGE),
    ("cmdline", lambda p: with_image(p, cmdline=("rdinit=/sbin/init",)), IMAGE[1:]),
    ("volume's name", lambda p: with_image(p, volume_id="X"), IMAGE[1:]),
    ("imager container", lambda p: with_layer(p, "imager"), IMAGE),
    ("rust container", lambda p: with_layer(p, "rust"), RUST + IMAGE),
    ("kernel container", lambda p: with_layer(p, "kernel"), ["kernel:installer", *IMAGE[1:]]),
    ("boot container", lambda p: with_layer(p, "boot"), []),
    ("nothing", lambda p: p, []),
]


@pytest.mark.parametrize(("what", "change", "changed"), CHANGES, ids=[what for what, _, _ in CHANGES])
def test_only_what_depends_on_it_changes(
    checkout: Project, what: str, change: Callable[[Project], Project], changed: list[str]
) -> None:
    before, after = keys(plan(checkout, NAME)), keys(plan(change(checkout), NAME))
    assert [name for name in before if after[name] != before[name]] == changed


def append(root: Path, name: str, text: str) -> None:
    with (root / name).open("a") as file:
        file.write(text)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return toy.write(tmp_path)


TOY_IMAGE = [f"{kind}:toy" for kind in ("initramfs", "uki", "efi-image", "iso")]
EDITS = [
    ("recipes/toy/rootfs/etc/inittab", TOY_IMAGE),
    ("recipes/toy/splash.bmp", TOY_IMAGE[1:]),
    ("recipes/toy/installer/src/main.rs", ["installer:toy", *TOY_IMAGE]),
    (
        "recipes/toy/installer/Cargo.lock",
        ["crates:toy", "dependencies:toy", "installer:toy", *TOY_IMAGE],
    ),
    ("recipes/toy/installer/target/debug/x", []),
    ("recipes/kernels/base.config", ["kernel:base", *TOY_IMAGE[1:]]),
    ("recipes/kernels/other.config", []),
    ("README.md", []),
]


@pytest.mark.parametrize(("file", "changed"), EDITS)
def test_an_edited_file_changes_what_it_goes_into(root: Path, file: str, changed: list[str]) -> None:
    before = keys(plan(project.load(root), "toy"))
    (root / file).parent.mkdir(parents=True, exist_ok=True)
    append(root, file, "\n")
    after = keys(plan(project.load(root), "toy"))
    assert [name for name in before if after[name] != before[name]] == changed


def test_finished_files_instead_of_what_is_built(root: Path) -> None:
    recipe = root / "recipes/toy/recipe.toml"
    text = recipe.read_text().replace('fragments = ["base"]', 'artifact = "a-kernel"')
    recipe.write_text(text.replace('crate = "installer"', 'artifact = "a-program"'))
    steps = plan(project.load(root), "toy")
    assert [step.name for step in steps] == ["kernel:a-kernel", "installer:toy", *TOY_IMAGE]
    kernel, program = steps[:2]
    assert kernel.inputs["vmlinuz"] == Pinned(
        Blob("2" * 64, 5), "artifact 'a-kernel'", path=root / "vendor/vmlinuz"
    )
    assert program.inputs["truthdb-installer"] == Pinned(
        Blob("3" * 64, 7), "artifact 'a-program'", urls=("https://example.org/program",)
    )
    assert [step.run for step in (kernel, program)] == [None, None]
    assert (list(kernel.checks), list(program.checks)) == (["vmlinuz"], ["truthdb-installer"])


def test_two_recipes_of_the_same_fragments_share_their_kernel(root: Path) -> None:
    (root / "recipes/other").symlink_to("toy")
    found = project.load(root)
    first, second = plan(found, "other")[0], plan(found, "toy")[0]
    assert first.name == second.name == "kernel:base"
    assert keys((first,)) == keys((second,))


def test_a_kernel_container_without_a_source_package(root: Path) -> None:
    found = project.load(root)
    lock = replace(found.locks["kernel"], packages=())
    with pytest.raises(ConfigError) as caught:
        plan(replace(found, locks=found.locks | {"kernel": lock}), "toy")
    assert caught.value.mistakes == ["containers/kernel.toml: packages: 0 linux-source packages, want one"]


def test_what_people_get_is_checked(checkout: Project) -> None:
    for step in plan(checkout, NAME):
        assert set(step.published) == set(step.checks)


def test_every_artifact_has_a_gate(checkout: Project) -> None:
    gates = [check for step in plan(checkout, NAME) for check in step.checks.values()]
    assert gates == [Gate(kind) for kind in ("kernel", "elf", "initramfs", "uki", "fat", "iso")]


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def test_what_runs_in_a_container_imports_only_what_is_there(checkout: Project) -> None:
    for step in plan(checkout, NAME):
        for name, path in step.modules().items():
            foreign = imported(path) - set(sys.stdlib_module_names) - {"pipeline"}
            assert foreign <= CONTAINERS_BRING, name


def test_a_lock_of_the_checkout_is_one_of_its_containers(checkout: Project) -> None:
    for name, found in checkout.locks.items():
        assert lock.path_of(found.container) == lock.path_of(name)
        assert [package.name for package in found.packages] == sorted(p.name for p in found.packages)
