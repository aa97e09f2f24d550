"""Where kernels come from: built from fragments or a whole configuration, pinned files, or packages."""

from pathlib import Path

from pipeline.checks.gate import Gate
from pipeline.errors import ConfigError
from pipeline.plan.packages import packages_step
from pipeline.plan.pinned import pinned
from pipeline.plan.step import Source, Step, made
from pipeline.project.checkout import Project
from pipeline.project.recipe import Kernel
from pipeline.steps import kernel, kernel_config, kernel_package, modules
from pipeline.steps.packages import TAR


def kernel_steps(project: Project, name: str) -> tuple[Step, ...]:
    """Return the steps that end in the kernel of the recipe `name`: built, or taken.

    One that is built from fragments is shared by all recipes that name the same ones.
    """
    recipe = project.recipes[name].kernel
    if recipe.artifact is not None:
        pin = pinned(project, recipe.artifact, project.manifest.artifacts)
        step = Step(
            name=f"kernel:{recipe.artifact}",
            summary="Take the kernel that the manifest names.",
            inputs={"vmlinuz": pin},
            **made("vmlinuz", Gate("kernel")),
        )
        return (step,)
    if recipe.packages is not None:
        return _packaged_kernel(project, recipe.packages)
    return _built_kernel(project, name, recipe)


def module_steps(project: Project, name: str, kernel: tuple[Step, ...]) -> tuple[Step, ...]:
    """Return the step that chooses modules for the initramfs of the recipe `name`, none where it names none.

    `kernel` are the steps that end in its kernel.
    """
    recipe = project.recipes[name].kernel
    if recipe.packages is None or not (recipe.modules or recipe.firmware):
        return ()
    return (_modules(project, name, "kernel", recipe.modules, kernel),)


def root_module_steps(project: Project, name: str) -> tuple[Step, ...]:
    """Return the steps from the kernel of the recipe `name` to its root's modules, none if it names none."""
    recipe = project.recipes[name]
    if recipe.root is None or not recipe.root.modules:
        return ()
    kernel = kernel_steps(project, name)
    return (*kernel, _modules(project, name, "root", recipe.root.modules, kernel))


def _modules(
    project: Project, name: str, table: str, patterns: tuple[str, ...], kernel: tuple[Step, ...]
) -> Step:
    """Return the step that chooses the modules which a table of a recipe names; `kernel` has firmware."""
    unpacked, taken = kernel
    recipe = project.recipes[name].kernel
    packages, firmware = recipe.packages or "", recipe.firmware if table == "kernel" else ()
    return Step(
        name=f"modules:{name}" if table == "kernel" else f"modules:{name}:{table}",
        summary="Choose kernel modules, with all that they need.",
        container=project.lock_of("modules"),
        inputs={
            kernel_package.MODULES_TAR: taken.output(kernel_package.MODULES_TAR),
            **({TAR: unpacked.output(TAR)} if firmware else {}),
        },
        outputs=(modules.CHOSEN,),
        params={
            "modules": patterns,
            "firmware": firmware,
            "packages": packages,
            "recipe": f"recipes/{name}/recipe.toml",
            "key": f"{table}.modules",
            "epoch": project.set_locks[packages].epoch,
        },
        run=modules.build,
    )


def _packaged_kernel(project: Project, packages: str) -> tuple[Step, ...]:
    """Return the steps that take the kernel, and its modules, of the set `packages`: it has one."""
    unpacked = packages_step(project, packages)
    taken = Step(
        name=f"kernel:{packages}",
        summary="Take Linux and its modules out of a distribution's package.",
        container=project.lock_of("modules"),
        inputs={TAR: unpacked.output(TAR)},
        outputs=("vmlinuz", kernel_config.CONFIG, "kernel.release", kernel_package.MODULES_TAR),
        params={"packages": packages, "epoch": project.set_locks[packages].epoch},
        run=kernel_package.build,
        checks={"vmlinuz": Gate("kernel")},
        published={"vmlinuz": 0o644},
    )
    return (unpacked, taken)


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
    whole = Path(recipe.config).name if recipe.config else ""
    if recipe.config:
        files = {whole: folder / name / recipe.config}
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
            "config": whole,
            "localversion": f"-{flavour}",
        },
        run=kernel_config.build,
    )
    compiled = Step(
        name=f"kernel:{flavour}",
        summary="Build Linux from Debian's source.",
        container=lock,
        inputs={kernel_config.CONFIG: config.output(kernel_config.CONFIG)},
        outputs=("vmlinuz", "kernel.release"),
        params={"source": packages[0], "epoch": lock.epoch},
        run=kernel.build,
        checks={"vmlinuz": Gate("kernel")},
        published={"vmlinuz": 0o644},
    )
    return (config, compiled)
