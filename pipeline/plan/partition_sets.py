"""The set of partitions that an installer puts on disks: of what a recipe's own disk consists of."""

from collections.abc import Iterable

from pipeline.checks.gate import Gate
from pipeline.errors import ConfigError
from pipeline.formats import boot_menu
from pipeline.plan import boot_trees
from pipeline.plan.step import Input, Output, Step, made
from pipeline.project import systems
from pipeline.project.checkout import Project
from pipeline.steps import partition_set


def partition_set_steps(project: Project, name: str, steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Return the step that makes the set, of what `steps` make; none for a disk that GRUB does not start."""
    recipe, by_name = project.recipes[name], {step.name: step for step in steps}
    tree, loader = by_name.get(f"boot-tree:{name}"), by_name.get(f"grub:{name}")
    disk = by_name.get(f"disk:{name}")
    if recipe.boot is None or tree is None or loader is None or disk is None:
        return ()
    esp = boot_trees.esp_files(project, name, loader)
    inputs: dict[str, Input] = {
        **disk.inputs,
        **{f"{partition_set.FILES}/{path}": source for path, source in esp.items()},
        partition_set.ENTRIES: tree.output(boot_menu.ABOUT),
    }
    product, output = project.manifest.product, f"{name}.partitions.tar"
    step = Step(
        name=f"partition-set:{name}",
        summary="Make a set of partitions for installers.",
        container=project.lock_of("disk"),
        inputs=inputs,
        params={
            "output": output,
            "name": name,
            "title": f"{name} {product.version}",
            "version": product.version,
            "folder": recipe.boot.folder,
            "trees": {systems.file_of(key, one): one.tree for key, one in recipe.filesystems.items()},
            "epoch": project.manifest.source_date_epoch,
        },
        run=partition_set.build,
        **made(output, Gate("partition-set", policies=recipe.policy.checks)),
    )
    return (step,)


def carried_set(project: Project, name: str, carried: str, steps: Iterable[Step]) -> Output:
    """Return the set that the recipe `name` carries, of `carried`, which `steps` make.

    Raises ConfigError where that one has no disk that a set could be made of.
    """
    recipe = project.recipes[carried]
    step = next((step for step in steps if step.name == f"partition-set:{carried}"), None)
    if step is None:
        lacks = "[disk]" if recipe.disk is None else "file system with the tree 'grub'"
        raise ConfigError(
            [f"recipes/{name}/recipe.toml: image.carries: {carried} has no {lacks}"],
            "an installer starts its boot tree by GRUB: give it one, or leave its [boot] out",
        )
    return step.output(step.outputs[0])


def needed_for(output: Output) -> set[str]:
    """Return the names of the steps that an output takes, its own among them."""
    found: set[str] = set()
    waiting = [output.step]
    while waiting:
        step = waiting.pop()
        if step.name not in found:
            found.add(step.name)
            waiting += step.needs()
    return found
