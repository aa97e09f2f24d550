"""Where kernels and programs come from: built from what the repository holds, or pinned files.

Must not know engines, caches or doit, nor what images are made of them (`pipeline.plan`).
"""

from pathlib import Path
from typing import TypedDict

from pipeline.checks.catalog import Gate
from pipeline.checks.finding import Check
from pipeline.crates import built_from, workspace_of
from pipeline.errors import ConfigError
from pipeline.manifest import Artifact
from pipeline.project import Project
from pipeline.step import Input, Output, Pinned, Source, Step
from pipeline.steps import cargo_config, kernel, rust
from pipeline.store import Blob


class Made(TypedDict):
    """What a step says of the one file that it makes for people."""

    outputs: tuple[str, ...]
    checks: dict[str, Check]
    published: dict[str, int]


def made(name: str, check: Check, mode: int = 0o644) -> Made:
    """Return what a step says of the file `name` that it makes for people."""
    return {"outputs": (name,), "checks": {name: check}, "published": {name: mode}}


def vmlinuz_of(project: Project, name: str) -> Output:
    """Return the kernel: built from fragments, shared by all recipes that name the same ones, or taken."""
    recipe = project.recipes[name].kernel
    vmlinuz = made("vmlinuz", Gate("kernel"))
    if recipe.artifact is not None:
        step = Step(
            name=f"kernel:{recipe.artifact}",
            summary="Take the kernel that the manifest names.",
            inputs={"vmlinuz": _pinned(project, recipe.artifact, project.manifest.artifacts)},
            **vmlinuz,
        )
        return step.output("vmlinuz")
    lock = project.lock_of("kernel")
    flavour = recipe.fragments[-1]
    sources = [package.name for package in lock.packages if package.name.startswith("linux-source-")]
    if len(sources) != 1:
        raise ConfigError(
            [f"containers/kernel.toml: packages: {len(sources)} linux-source packages, want one"],
            "name one, such as linux-source-6.12, then run `./doit lock kernel`",
        )
    step = Step(
        name=f"kernel:{flavour}",
        summary="Build Linux from Debian's source.",
        container=lock,
        inputs={
            f"{fragment}.config": Source(project.root / "recipes/kernels" / f"{fragment}.config")
            for fragment in recipe.fragments
        },
        outputs=("vmlinuz", "kernel.config", "kernel.release"),
        params={
            "source": sources[0],
            "fragments": recipe.fragments,
            "localversion": f"-{flavour}",
            "epoch": lock.epoch,
        },
        run=kernel.build,
        checks=vmlinuz["checks"],
        published=vmlinuz["published"],
    )
    return step.output("vmlinuz")


def program_steps(project: Project, name: str, called: str) -> tuple[Step, ...]:
    """Return the steps that end in the program `called` of the recipe `name`: built, or taken."""
    recipe = project.recipes[name].programs[called]
    manifest = project.manifest
    pinned = None
    if recipe.artifact is not None:
        pinned = _pinned(project, recipe.artifact, manifest.artifacts)
    elif recipe.payload in manifest.payload:
        pinned = _pinned(project, recipe.payload, manifest.payload)
    if pinned is not None:
        # It may be dynamic: the initramfs gets its libraries, and a rule of its own looks for them.
        program = made(called, Gate("elf", ("ELF003",)), 0o755)
        summary = "Take the program that the manifest names."
        return (Step(name=f"program:{name}/{called}", summary=summary, inputs={called: pinned}, **program),)
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
    files = [each / name for each in folders for name in ("Cargo.toml", cargo_config.FILE)]
    there = [file for file in files if file.name == "Cargo.toml" or file.is_file()]
    lock = workspace_of(project.root, crate) / "Cargo.lock"
    return {f"manifests/{file.relative_to(project.root).as_posix()}": Source(file) for file in (*there, lock)}


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


def _pinned(project: Project, key: str | None, pins: dict[str, Artifact]) -> Pinned:
    pin = pins[key or ""]
    return Pinned(
        blob=Blob(pin.sha256, pin.size),
        what=f"artifact {key!r}",
        path=project.root / pin.path if pin.path else None,
        urls=(pin.url,) if pin.url else (),
    )
