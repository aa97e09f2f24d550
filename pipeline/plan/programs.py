"""Where programs come from: crates of the repository that are built, or pinned files."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from pipeline.checks.gate import Gate
from pipeline.plan.pinned import pinned
from pipeline.plan.step import Input, Source, Step, made
from pipeline.project.checkout import Project
from pipeline.project.crates import Crate, built_from, crate_of, loaded_with
from pipeline.steps import cargo_config, rust


def built_crate(project: Project, name: str, called: str) -> Crate | None:
    """Return the crate that the program `called` of a recipe is built from, None for one that is a file."""
    recipe = project.recipes[name].programs[called]
    return None if recipe.payload in project.manifest.payload else crate_of(project.root, name, recipe)


def program_steps(project: Project, name: str, called: str) -> tuple[Step, ...]:
    """Return the steps that end in the program `called` of the recipe `name`: built, or taken."""
    if (crate := built_crate(project, name, called)) is not None:
        return _crate_steps(project, crate, name, called)
    recipe, manifest = project.recipes[name].programs[called], project.manifest
    artifact, payload = recipe.artifact, recipe.payload
    pin = pinned(project, artifact or payload, manifest.artifacts if artifact else manifest.payload)
    # It may be dynamic: the initramfs gets its libraries, and a rule of its own looks for them.
    program = made(called, Gate("elf", ("ELF003",), project.recipes[name].policy.checks), 0o755)
    summary = "Take the program that the manifest names."
    return (Step(name=_name(project, name, called), summary=summary, inputs={called: pin}, **program),)


def _name(project: Project, name: str, called: str) -> str:
    """Return what the step that ends in a program is called: after its crate's folder, if that is its own.

    It is the same whether the program is built, or a payload takes its place.
    """
    programs = project.recipes[name].programs
    folders = [Path(each.builtin or each.crate or key).name for key, each in programs.items()]
    own = folders[list(programs).index(called)]
    return f"{own if folders.count(own) == 1 else called}:{name}"


CHECKED_BY = ("clippy.toml", ".clippy.toml", "rustfmt.toml", ".rustfmt.toml")
"""What in the folder of a workspace says how its members are checked."""


def crate_inputs(*crates: Crate) -> dict[str, Input]:
    """Return what crates of a workspace are built from, each at its place in their tree.

    Of crates that cargo only looks at these are the manifests: a change of what is in them changes nothing.
    """
    return _sources(crates) | _manifests(crates[0])


def _sources(crates: Sequence[Crate]) -> dict[str, Input]:
    found = {folder for crate in crates for folder in built_from(crate.tree, crate.folder)}
    inside = {other for other in found for above in other.parents if above in found}
    sources = (Source(each, exclude=("target", ".git")) for each in sorted(found - inside))
    return _placed(crates[0], "sources", sources)


def check_inputs(crate: Crate) -> dict[str, Input]:
    """Return what rustfmt, clippy and tests take besides crates: the settings of the workspace of `crate`."""
    files = (crate.workspace / name for name in sorted(CHECKED_BY))
    return _placed(crate, "manifests", (Source(each) for each in files if each.is_file()))


def fetched_crates(project: Project, crate: Crate) -> Step:
    """Return the step that fetches what the Cargo.lock of a crate's workspace names."""
    lock = project.lock_of("rust")
    return Step(
        name=f"crates:{_called(project, crate)}",
        summary="Fetch the crates that Cargo.lock names.",
        container=lock,
        inputs=_manifests(crate),
        outputs=("crates.tar",),
        params={"epoch": lock.epoch, "workspace": crate.place(crate.workspace)},
        run=rust.fetch_crates,
        network=True,
    )


def _called(project: Project, crate: Crate) -> str:
    """Return what steps for a crate's workspace are called after: two trees may each have one there."""
    place = crate.place(crate.workspace)
    return place if crate.tree == project.root else f"builtin/{place}"


def _placed(crate: Crate, folder: str, sources: Iterable[Source]) -> dict[str, Input]:
    return {f"{folder}/{crate.place(each.path)}": each for each in sources}


def _manifests(crate: Crate) -> dict[str, Input]:
    """Return all that says how dependencies are built, each file at its place in the tree."""
    folders = sorted(loaded_with(crate.tree, crate.folder))
    configs = (cargo_config.in_folder(each, crate.tree) for each in folders)
    files = (
        *(each / "Cargo.toml" for each in folders),
        *filter(None, configs),
        crate.workspace / "Cargo.lock",
    )
    return _placed(crate, "manifests", map(Source, files))


def _programs_of(project: Project, workspace: Path) -> tuple[str, ...]:
    """Return the crates of a workspace that programs of any recipe are built from, by their places."""
    crates = {
        built_crate(project, name, called) for name, it in project.recipes.items() for called in it.programs
    }
    return tuple(sorted(each.place(each.folder) for each in crates if each and each.workspace == workspace))


def _crate_steps(project: Project, crate: Crate, name: str, called: str) -> tuple[Step, ...]:
    """Return the steps from a crate to the program `called` of the recipe `name`.

    Dependencies are compiled once for all programs of a workspace; each takes its own of them.
    """
    place = crate.place(crate.folder)
    lock = project.lock_of("rust")
    library = Step(
        name="rust-std",
        summary="Build Rust's standard library for musl.",
        container=lock,
        inputs={},
        outputs=("sysroot.tar",),
        params={"epoch": lock.epoch},
        run=rust.standard_library,
    )
    sysroot: dict[str, Input] = {"sysroot.tar": library.output("sysroot.tar")}
    crates = fetched_crates(project, crate)
    built = _programs_of(project, crate.workspace)
    dependencies = Step(
        name=f"dependencies:{_called(project, crate)}",
        summary="Compile the crates.",
        container=lock,
        inputs={**crates.inputs, **sysroot, "crates.tar": crates.output("crates.tar")},
        outputs=("crates.tar", *(f"target/{place}.tar" for place in built)),
        params={"epoch": lock.epoch, "crates": built},
        run=rust.dependencies,
    )
    program = Step(
        name=_name(project, name, called),
        summary="Build a static program.",
        container=lock,
        inputs={
            **sysroot,
            "crates.tar": dependencies.output("crates.tar"),
            "target.tar": dependencies.output(f"target/{place}.tar"),
            **_sources([crate]),
            **crates.inputs,
        },
        params={
            "epoch": lock.epoch,
            "crate": place,
            "binary": project.recipes[name].programs[called].binary or called,
            "program": called,
        },
        run=rust.program,
        **made(called, Gate("elf", policies=project.recipes[name].policy.checks), 0o755),
    )
    return (library, crates, dependencies, program)
