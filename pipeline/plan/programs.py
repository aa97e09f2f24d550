"""Where programs come from: crates of the repository that are built, or pinned files.

Must not know engines, caches or doit, nor what images are made of them (`pipeline.plan.image`).
"""

from pathlib import Path

from pipeline.checks.catalog import Gate
from pipeline.plan.pinned import pinned
from pipeline.plan.step import Input, Source, Step, made
from pipeline.project.checkout import Project
from pipeline.project.crates import built_from, workspace_of
from pipeline.steps import cargo_config, rust


def program_steps(project: Project, name: str, called: str) -> tuple[Step, ...]:
    """Return the steps that end in the program `called` of the recipe `name`: built, or taken."""
    recipe = project.recipes[name].programs[called]
    manifest = project.manifest
    pin = None
    if recipe.artifact is not None:
        pin = pinned(project, recipe.artifact, manifest.artifacts)
    elif recipe.payload in manifest.payload:
        pin = pinned(project, recipe.payload, manifest.payload)
    if pin is not None:
        # It may be dynamic: the initramfs gets its libraries, and a rule of its own looks for them.
        program = made(called, Gate("elf", ("ELF003",)), 0o755)
        summary = "Take the program that the manifest names."
        return (Step(name=f"program:{name}/{called}", summary=summary, inputs={called: pin}, **program),)
    return _crate_steps(project, project.root / "recipes" / name / (recipe.crate or ""), name, called)


def crate_inputs(project: Project, crate: Path, folder: str) -> dict[str, Input]:
    """Return a crate and all that it takes by path: in `folder`, each at its place in the repository."""
    crates = built_from(project.root, crate)
    inside = {other for other in crates for above in other.parents if above in crates}
    return {
        f"{folder}/{each.relative_to(project.root).as_posix()}": Source(each, exclude=("target",))
        for each in crates
        if each not in inside
    }


def fetched_crates(project: Project, crate: Path, whose: str) -> Step:
    """Return the step `crates:<whose>`: it fetches what the Cargo.lock of `crate` names."""
    return Step(
        name=f"crates:{whose}",
        summary="Fetch the crates that Cargo.lock names.",
        container=project.lock_of("rust"),
        inputs=_manifests(project, crate),
        outputs=("crates.tar",),
        params=_crate_params(project, crate),
        run=rust.fetch_crates,
        network=True,
    )


def _manifests(project: Project, crate: Path) -> dict[str, Input]:
    """Return all that says how dependencies are built, each file at its place in the repository."""
    folders = built_from(project.root, crate)
    configs = (cargo_config.in_folder(each, project.root) for each in folders)
    lock = workspace_of(project.root, crate) / "Cargo.lock"
    files = (*(each / "Cargo.toml" for each in folders), *filter(None, configs), lock)
    return {f"manifests/{file.relative_to(project.root).as_posix()}": Source(file) for file in files}


def _crate_params(project: Project, crate: Path) -> dict[str, str | int]:
    return {"epoch": project.lock_of("rust").epoch, "crate": crate.relative_to(project.root).as_posix()}


def _crate_steps(project: Project, crate: Path, name: str, called: str) -> tuple[Step, ...]:
    """Return the steps from a crate to the program `called` of the recipe `name`."""
    lock, whose = project.lock_of("rust"), f"{name}/{called}"
    params, binary = _crate_params(project, crate), project.recipes[name].programs[called].binary
    library = Step(
        name="rust-std",
        summary="Build Rust's standard library for musl.",
        container=lock,
        inputs={},
        outputs=("sysroot.tar",),
        params={"epoch": lock.epoch},
        run=rust.standard_library,
    )
    crates = fetched_crates(project, crate, whose)
    tools = {"sysroot.tar": library.output("sysroot.tar"), "crates.tar": crates.output("crates.tar")}
    dependencies = Step(
        name=f"dependencies:{whose}",
        summary="Compile the crates.",
        container=lock,
        inputs=_manifests(project, crate) | tools,
        outputs=("target.tar",),
        params=params,
        run=rust.dependencies,
    )
    program = Step(
        name=f"program:{whose}",
        summary="Build a static program.",
        container=lock,
        inputs={
            **tools,
            "target.tar": dependencies.output("target.tar"),
            **crate_inputs(project, crate, "sources"),
        },
        params=params | {"binary": binary or called, "program": called},
        run=rust.program,
        **made(called, Gate("elf"), 0o755),
    )
    return (library, crates, dependencies, program)
