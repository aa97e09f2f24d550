"""The plan of the real recipe, and what in it depends on what."""

import ast
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.build.session import Session
from pipeline.checks.gate import Gate
from pipeline.checks.netboot import Script
from pipeline.cli.run_tests import crate_tests
from pipeline.debian import lock
from pipeline.errors import ConfigError, PipelineError
from pipeline.plan.image import plan
from pipeline.plan.step import (
    Input,
    LockedPackage,
    Output,
    Pinned,
    Source,
    Step,
    digest,
    distinct,
    read_source,
)
from pipeline.project.checkout import Project, load
from pipeline.project.recipe import Iso, Policy
from pipeline.report import Report
from pipeline.store.cache import Blob
from tests.conftest import Compare
from tests.fixtures import checkout

NAME = "truthdb-installer"
CONTAINERS_BRING = {"zstandard"}
"""What in-container modules import besides the standard library, and each other."""


def origin(source: Input, root: Path) -> str:
    match source:
        case Output(step, name):
            return f"{step.name}/{name}"
        case Source(path, exclude):
            return str(path.relative_to(root)) + "".join(f" without {name}" for name in exclude)
        case Pinned() | LockedPackage():
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
                return read_source(source, "").sha256
            case Pinned(blob):
                return blob.sha256
            case LockedPackage(package):
                return package.sha256

    for step in steps:
        found[step.name] = step.key({name: input_digest(each) for name, each in step.inputs.items()})
    return found


def with_pins(project: Project, **changes: Any) -> Project:
    return replace(project, manifest=replace(project.manifest, **changes))


def with_image(project: Project, **changes: Any) -> Project:
    recipe = project.recipes[NAME]
    changed = replace(recipe, image=replace(recipe.image, **changes))
    return replace(project, recipes=project.recipes | {NAME: changed})


def with_volume_id(project: Project, volume_id: str) -> Project:
    changed = replace(project.recipes[NAME], iso=Iso(volume_id))
    return replace(project, recipes=project.recipes | {NAME: changed})


def with_layer(project: Project, container: str) -> Project:
    return replace(
        project, locks=project.locks | {container: replace(project.locks[container], layer="f" * 64)}
    )


def with_other_package(project: Project, name: str) -> Project:
    lock = project.set_locks[name]
    other = replace(lock, packages=(replace(lock.packages[0], sha256="f" * 64), *lock.packages[1:]))
    return replace(project, set_locks=project.set_locks | {name: other})


RUNTIME = "truthdb-runtime"
RUST = ["crates:programs", "dependencies:programs", f"installer:{NAME}"]
RUST += [f"{name}:{RUNTIME}" for name in ("appliance", "node")]
RUNTIME_IMAGE = [f"initramfs:{RUNTIME}", f"uki:{RUNTIME}"]
IMAGE = [f"{kind}:{NAME}" for kind in ("initramfs", "uki", "efi-img", "iso", "netboot")]
PACKAGES = "packages:initramfs"
APART, HARDENING = f"kernels-apart:{NAME}", f"hardening:{NAME}"
KERNELS = [
    f"{kind}:{flavour}" for flavour in ("runtime", "installer") for kind in ("kernel-config", "kernel")
]
BOTH = [*RUNTIME_IMAGE, *IMAGE]

CHANGES: list[tuple[str, Callable[[Project], Project], list[str]]] = [
    ("version", lambda p: with_pins(p, product=replace(p.manifest.product, version="9.9")), BOTH),
    ("product's name", lambda p: with_pins(p, product=replace(p.manifest.product, name="X")), BOTH),
    ("epoch", lambda p: with_pins(p, source_date_epoch=1), BOTH),
    ("cmdline", lambda p: with_image(p, cmdline=("rdinit=/sbin/init",)), [*IMAGE[1:], HARDENING]),
    ("volume's name", lambda p: with_volume_id(p, "X"), IMAGE[1:]),
    ("imager container", lambda p: with_layer(p, "imager"), [PACKAGES, *BOTH, APART, HARDENING]),
    ("package set", lambda p: with_other_package(p, "initramfs"), [PACKAGES, *BOTH]),
    (
        "rust container",
        lambda p: with_layer(p, "rust"),
        ["rust-std", *RUST, *RUNTIME_IMAGE, *IMAGE],
    ),
    (
        "kernel container",
        lambda p: with_layer(p, "kernel"),
        [*KERNELS, *BOTH[1:], APART, HARDENING],
    ),
    ("boot container", lambda p: with_layer(p, "boot"), []),
    ("nothing", lambda p: p, []),
]


@pytest.mark.parametrize(("what", "change", "changed"), CHANGES, ids=[what for what, _, _ in CHANGES])
def test_only_what_depends_on_it_changes(
    checkout: Project, what: str, change: Callable[[Project], Project], changed: list[str]
) -> None:
    before, after = keys(plan(checkout, NAME)), keys(plan(change(checkout), NAME))
    assert sorted(name for name in before if after[name] != before[name]) == sorted(changed)


def append(root: Path, name: str, text: str) -> None:
    with (root / name).open("a") as file:
        file.write(text)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return checkout.write(tmp_path)


TOY_IMAGE = [f"{kind}:toy" for kind in ("initramfs", "uki", "efi-img", "iso")]
TOY_CRATES = [f"{kind}:recipes/toy/installer" for kind in ("crates", "dependencies")]
EDITS = [
    ("recipes/toy/rootfs/etc/inittab", TOY_IMAGE),
    ("recipes/toy/splash.bmp", TOY_IMAGE[1:]),
    ("recipes/toy/installer/src/main.rs", ["installer:toy", *TOY_IMAGE]),
    (
        "recipes/toy/installer/Cargo.lock",
        [*TOY_CRATES, "installer:toy", *TOY_IMAGE],
    ),
    ("recipes/toy/installer/target/debug/x", []),
    ("programs/disks/src/lib.rs", ["installer:toy", *TOY_IMAGE]),
    ("programs/words/src/lib.rs", ["installer:toy", *TOY_IMAGE]),
    ("programs/words/Cargo.toml", [*TOY_CRATES, "installer:toy", *TOY_IMAGE]),
    ("programs/disks/target/debug/x", []),
    ("programs/other/src/lib.rs", []),
    ("recipes/kernels/base.config", ["kernel-config:base", "kernel:base", *TOY_IMAGE[1:]]),
    ("recipes/kernels/other.config", []),
    ("README.md", []),
]


@pytest.mark.parametrize(("file", "changed"), EDITS)
def test_an_edited_file_changes_what_it_goes_into(root: Path, file: str, changed: list[str]) -> None:
    before = keys(plan(load(root), "toy"))
    (root / file).parent.mkdir(parents=True, exist_ok=True)
    append(root, file, "\n")
    after = keys(plan(load(root), "toy"))
    assert [name for name in before if after[name] != before[name]] == changed


WORKSPACE = ["crates:ws", "dependencies:ws"]


@pytest.mark.parametrize(
    ("file", "changed"),
    [
        ("one/src/main.rs", ["one:toy"]),
        ("two/src/main.rs", ["two:two"]),
        ("common/src/lib.rs", ["one:toy", "two:two"]),
        ("two/Cargo.toml", [*WORKSPACE, "one:toy", "two:two"]),
        ("Cargo.lock", [*WORKSPACE, "one:toy", "two:two"]),
        ("clippy.toml", []),
        ("README.md", []),
    ],
)
def test_programs_of_a_workspace_are_built_apart_on_top_of_the_same(
    root: Path, file: str, changed: list[str]
) -> None:
    checkout.write_workspace(root)

    def rust() -> dict[str, str]:
        loaded = load(root)
        steps = {step.name: step for recipe in ("toy", "two") for step in plan(loaded, recipe)}
        assert steps["dependencies:ws"].params["crates"] == ("ws/one", "ws/two")
        found = keys(tuple(steps.values()))
        return {name: key for name, key in found.items() if name in (*WORKSPACE, "one:toy", "two:two")}

    before = rust()
    append(root, f"ws/{file}", "\n")
    after = rust()
    assert [name for name in sorted(before) if after[name] != before[name]] == sorted(changed)


def test_a_crate_s_configuration_by_its_old_name_is_refused(root: Path) -> None:
    old = root / "programs/words/.cargo/config"
    old.parent.mkdir()
    old.touch()
    with pytest.raises(PipelineError) as caught:
        plan(load(root), "toy")
    assert caught.value.message.startswith("programs/words/.cargo/config: ")


def test_finished_files_instead_of_what_is_built(root: Path) -> None:
    recipe = root / "recipes/toy/recipe.toml"
    text = recipe.read_text().replace('fragments = ["base"]', 'artifact = "a-kernel"')
    recipe.write_text(text.replace('crate = "installer"', 'artifact = "a-program"'))
    steps = plan(load(root), "toy")
    assert [step.name for step in steps] == ["kernel:a-kernel", "toy:toy", PACKAGES, *TOY_IMAGE]
    kernel, program = steps[:2]
    assert kernel.inputs["vmlinuz"] == Pinned(
        Blob("2" * 64, 5), "artifact 'a-kernel'", path=root / "vendor/vmlinuz"
    )
    assert program.inputs["toy"] == Pinned(
        Blob("3" * 64, 7), "artifact 'a-program'", urls=("https://example.org/program",)
    )
    assert [step.run for step in (kernel, program)] == [None, None]
    assert (list(kernel.checks), list(program.checks)) == (["vmlinuz"], ["toy"])


def test_two_recipes_of_the_same_fragments_share_their_kernel(root: Path) -> None:
    (root / "recipes/other").symlink_to("toy")
    found = load(root)
    first, second = plan(found, "other")[:2], plan(found, "toy")[:2]
    assert [step.name for step in first] == ["kernel-config:base", "kernel:base"]
    assert keys(first) == keys(second)


def second_recipe(root: Path, *changes: tuple[str, str]) -> None:
    """Add the recipe `other`: the toy with these changes of its text."""
    shutil.copytree(root / "recipes/toy", root / "recipes/other")
    recipe = root / "recipes/other/recipe.toml"
    text = recipe.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    recipe.write_text(text)


def session_of(root: Path) -> Session:
    return Session(root, Report())


def test_programs_of_one_name_in_two_recipes_are_two(root: Path) -> None:
    second_recipe(root, ("[iso]", ""), ('volume_id = "TOY"', ""), ("{volume_id}", ""))
    recipe = root / "recipes/toy/recipe.toml"
    recipe.write_text(recipe.read_text().replace("[iso]", 'carries = "other"\n\n[iso]'))
    steps = {step.name: step for step in session_of(root).images["toy"]}
    ours, theirs = (steps[f"installer:{name}"] for name in ("toy", "other"))
    assert [
        source.path
        for step in (ours, theirs)
        for source in step.inputs.values()
        if isinstance(source, Source) and "recipes" in source.path.parts and source.path.is_dir()
    ] == [root / "recipes/toy/installer", root / "recipes/other/installer"]
    for name in ("toy", "other"):
        program = steps[f"initramfs:{name}"].inputs["programs/toy"]
        assert origin(program, root) == f"installer:{name}/toy"
    tests = [step.name for step in crate_tests(session_of(root))]
    assert tests[-2:] == [f"crate-tests:recipes/{name}/installer" for name in ("other", "toy")]


def test_two_different_steps_of_one_name_are_a_mistake(root: Path) -> None:
    second_recipe(root, ('["base"]', '["other", "base"]'))
    (root / "recipes/kernels/other.config").write_text("CONFIG_X=y\n")
    with pytest.raises(ConfigError) as caught:
        assert session_of(root).images
    assert str(caught.value) == (
        "two different steps are called 'kernel-config:base'\n  hint: they are named after programs, "
        "artifacts or last fragments: give one of those another name"
    )


def test_a_shared_step_publishes_what_people_get_of_any(root: Path) -> None:
    step = plan(load(root), "toy")[0]
    (both,) = distinct((replace(step, published={"a": 0o644}), replace(step, published={"b": 0o600})))
    assert both.published == {"a": 0o644, "b": 0o600}


@pytest.mark.parametrize("called", ["rootfs", "payload", "programs"])
def test_a_program_may_be_called_like_another_input(root: Path, called: str) -> None:
    second_recipe(root, ("[programs.toy]", f"[programs.{called}]"))
    initramfs = next(step for step in plan(load(root), "other") if step.name == "initramfs:other")
    assert list(initramfs.inputs) == [f"programs/{called}", "packages.tar", "rootfs"]


@pytest.mark.parametrize(
    ("called", "like"),
    [
        ("vmlinuz", "that of step kernel:base"),
        ("logs", "what builds and tests leave beside it"),
        ("build.json", "what builds and tests leave beside it"),
    ],
)
def test_a_program_that_would_replace_another_file(root: Path, called: str, like: str) -> None:
    second_recipe(root, ("[programs.toy]", f'[programs."{called}"]'))
    with pytest.raises(ConfigError) as caught:
        plan(load(root), "other")
    assert str(caught.value) == (
        f"recipes/other/recipe.toml: {called!r} of step installer:other is called like {like}\n"
        "  hint: give the program, or the UKI, another name"
    )


def test_a_kernel_of_a_whole_configuration(root: Path) -> None:
    recipe = root / "recipes/toy/recipe.toml"
    recipe.write_text(recipe.read_text().replace('fragments = ["base"]', 'config = "my/kernel.config"'))
    with pytest.raises(ConfigError) as caught:
        load(root)
    assert caught.value.mistakes == [
        "recipes/toy/recipe.toml: kernel.config: there is no recipes/toy/my/kernel.config"
    ]
    (root / "recipes/toy/my").mkdir()
    (root / "recipes/toy/my/kernel.config").write_text("CONFIG_PCI=y\n")
    config, kernel = plan(load(root), "toy")[:2]
    assert (config.name, kernel.name) == ("kernel-config:toy", "kernel:toy")
    assert config.inputs == {"kernel.config": Source(root / "recipes/toy/my/kernel.config")}
    assert (config.params["config"], config.params["fragments"]) == ("kernel.config", ())
    assert config.params["localversion"] == "-toy"


def test_only_kernels_of_fragments_are_compared(checkout: Project) -> None:
    recipe = checkout.recipes[NAME]
    whole = replace(recipe, kernel=replace(recipe.kernel, fragments=(), config="splash.bmp"))
    steps = plan(replace(checkout, recipes=checkout.recipes | {NAME: whole}), NAME)
    assert {APART, HARDENING}.isdisjoint(step.name for step in steps)


def test_a_kernel_container_without_a_source_package(root: Path) -> None:
    found = load(root)
    lock = replace(found.locks["kernel"], packages=())
    with pytest.raises(ConfigError) as caught:
        plan(replace(found, locks=found.locks | {"kernel": lock}), "toy")
    assert caught.value.mistakes == ["containers/kernel.toml: packages: 0 linux-source packages, want one"]


def test_what_people_get_is_checked(checkout: Project) -> None:
    judged = {"kernels.txt", "hardening.txt", "root.verity", "root.roothash"}  # by the step itself
    for name in checkout.recipes:
        for step in plan(checkout, name):
            assert set(step.published) - judged in (set(), set(step.checks))


def test_every_artifact_has_a_gate(checkout: Project) -> None:
    programs = {
        NAME: ("/bin/installer",),
        RUNTIME: ("/bin/appliance", "/bin/service"),
    }
    kinds = {
        NAME: ("kernel", "elf", "initramfs", "uki", "cmdline", "fat", "iso"),
        RUNTIME: ("kernel", "elf", "elf", "initramfs", "uki"),
    }
    for name, expected in kinds.items():
        assert gates_of(checkout, name) == [
            Gate(kind) if kind in ("kernel", "elf", "cmdline") else Gate(kind, programs=programs[name])
            for kind in expected
        ]


def test_a_recipe_names_the_policies_of_its_gates(checkout: Project) -> None:
    recipe = replace(checkout.recipes[NAME], policy=Policy(checks=("reproducible",)))
    gates = gates_of(replace(checkout, recipes={**checkout.recipes, NAME: recipe}), NAME)
    # kernels are shared by recipes
    assert [gate.policies for gate in gates if gate.kind != "kernel"] == 6 * [("reproducible",)]


def gates_of(project: Project, name: str) -> list[Gate]:
    checks = (step.checks for step in plan(project, name) if step.published)
    gates = [check for each in checks for check in each.values()]
    assert all(isinstance(gate, Gate | Script) for gate in gates)
    return [gate for gate in gates if isinstance(gate, Gate)]


def test_an_image_that_carries_another_has_its_steps_and_publishes_nothing_of_it(checkout: Project) -> None:
    runtime, whole = plan(checkout, RUNTIME), plan(checkout, NAME)
    assert [step.name for step in whole[: len(runtime)]] == [step.name for step in runtime]
    assert keys(runtime) == {step.name: keys(whole)[step.name] for step in runtime}
    assert not any(step.published for step in whole[: len(runtime)])
    initramfs = next(step for step in whole if step.name == f"initramfs:{NAME}")
    assert origin(initramfs.inputs["payload"], checkout.root) == f"uki:{RUNTIME}/TruthDB.efi"
    assert initramfs.params["carried"] == "payload/TruthDB.efi"


def test_a_payload_of_the_manifest_takes_the_place_of_the_crate(root: Path) -> None:
    recipe = root / "recipes/toy/recipe.toml"
    recipe.write_text(
        recipe.read_text().replace('crate = "installer"', 'crate = "installer"\npayload = "service"')
    )
    assert "installer:toy" in [step.name for step in plan(load(root), "toy") if step.run]
    manifest = root / "manifests/manifest.toml"
    manifest.write_text(manifest.read_text().replace("[artifacts.a-program]", "[payload.service]"))
    steps = plan(load(root), "toy")
    assert [step.name for step in steps] == [
        "kernel-config:base",
        "kernel:base",
        "installer:toy",
        PACKAGES,
        *TOY_IMAGE,
    ]
    assert steps[2].inputs["toy"] == Pinned(
        Blob("3" * 64, 7), "artifact 'service'", urls=("https://example.org/program",)
    )


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


def test_how_packages_are_unpacked_is_in_the_key_of_that_step_alone(checkout: Project) -> None:
    debian = {
        step.name
        for step in plan(checkout, NAME)
        if any(name.startswith("pipeline.debian") for name in step.modules())
    }
    assert debian == {"packages:initramfs"}


def test_a_lock_of_the_checkout_is_one_of_its_containers(checkout: Project) -> None:
    for name, found in checkout.locks.items():
        assert lock.path_of(found.name) == lock.path_of(name)
        assert [package.name for package in found.packages] == sorted(p.name for p in found.packages)
