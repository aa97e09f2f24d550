"""Where kernels and programs come from: built from what the repository holds, or pinned files.

Must not know engines, caches or doit, nor what images are made of them (`pipeline.plan.image`).
"""

from pathlib import Path
from typing import TypedDict

from pipeline.checks.catalog import Gate
from pipeline.checks.finding import Check
from pipeline.errors import ConfigError
from pipeline.plan.step import Input, Pinned, Source, Step
from pipeline.project.checkout import Project
from pipeline.project.crates import built_from, workspace_of
from pipeline.project.manifest import Artifact
from pipeline.project.recipe import Kernel
from pipeline.steps import cargo_config, kernel, kernel_config, rust
from pipeline.store.cache import Blob


class Made(TypedDict):
    """What a step says of the one file that it makes for people."""

    outputs: tuple[str, ...]
    checks: dict[str, Check]
    published: dict[str, int]


def made(name: str, check: Check, mode: int = 0o644) -> Made:
    """Return what a step says of the file `name` that it makes for people."""
    return {"outputs": (name,), "checks": {name: check}, "published": {name: mode}}


def kernel_steps(project: Project, name: str) -> tuple[Step, ...]:
    """Return the steps that end in the kernel of the recipe `name`: built, or taken.

    One that is built from fragments is shared by all recipes that name the same ones.
    """
    recipe = project.recipes[name].kernel
    if recipe.artifact is not None:
        pinned = _pinned(project, recipe.artifact, project.manifest.artifacts)
        step = Step(
            name=f"kernel:{recipe.artifact}",
            summary="Take the kernel that the manifest names.",
            inputs={"vmlinuz": pinned},
            **made("vmlinuz", Gate("kernel")),
        )
        return (step,)
    return _built_kernel(project, name, recipe)


def _built_kernel(project: Project, name: str, recipe: Kernel) -> tuple[Step, ...]:
    """Return the steps from a configuration's sources to the kernel; only what compiles takes long."""
    lock = project.lock_of("kernel")
    packages = [package.name for package in lock.packages if package.name.startswith("linux-source-")]
    if len(packages) != 1:
        raise ConfigError(
            [f"containers/kernel.toml: packages: {len(packages)} linux-source packages, want one"],
            "name one, such as linux-source-6.12, then run `./doit lock kernel`",
        )
    folder = project.root / "recipes"
    files = {f"{fragment}.config": folder / f"kernels/{fragment}.config" for fragment in recipe.fragments}
    if recipe.config is not None:
        files = {Path(recipe.config).name: folder / name / recipe.config}
    flavour = recipe.fragments[-1] if recipe.fragments else name
    config = Step(
        name=f"kernel-config:{flavour}",
        summary="Make the kernel's configuration.",
        container=lock,
        inputs={file: Source(path) for file, path in files.items()},
        outputs=(kernel_config.CONFIG, kernel_config.OFF),
        params={
            "source": packages[0],
            "fragments": recipe.fragments,
            "config": "" if recipe.config is None else Path(recipe.config).name,
            "localversion": f"-{flavour}",
        },
        run=kernel_config.build,
    )
    vmlinuz = made("vmlinuz", Gate("kernel"))
    compiled = Step(
        name=f"kernel:{flavour}",
        summary="Build Linux from Debian's source.",
        container=lock,
        inputs={kernel_config.CONFIG: config.output(kernel_config.CONFIG)},
        outputs=("vmlinuz", "kernel.release"),
        params={"source": packages[0], "epoch": lock.epoch},
        run=kernel.build,
        checks=vmlinuz["checks"],
        published=vmlinuz["published"],
    )
    return (config, compiled)


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


def _pinned(project: Project, key: str | None, pins: dict[str, Artifact]) -> Pinned:
    pin = pins[key or ""]
    return Pinned(
        blob=Blob(pin.sha256, pin.size),
        what=f"artifact {key!r}",
        path=project.root / pin.path if pin.path else None,
        urls=(pin.url,) if pin.url else (),
    )
