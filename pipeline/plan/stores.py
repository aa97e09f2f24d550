"""Where a store-shaped root comes from: a root of packages, the kernel, and an initramfs."""

from dataclasses import replace

from pipeline.checks.gate import Gate
from pipeline.plan.step import Step, made
from pipeline.project.checkout import Project
from pipeline.steps import store


def store_steps(
    project: Project, name: str, rooted: tuple[Step, ...], started: tuple[Step, ...]
) -> tuple[Step, ...]:
    """Return the steps that end in the root of the recipe `name`, as its [store] wants it.

    `rooted` end in that root, which people get in the other shape alone. `started` has the steps that make
    the kernel, and end in the one of the initramfs.
    """
    wanted = project.recipes[name].store
    if wanted is None:
        return rooted
    before, initramfs = replace(rooted[-1], published={}), started[-1]
    kernel = next(step for step in started if store.KERNEL in step.outputs)
    policies = tuple(one for one in project.recipes[name].policy.checks if one != "appliance")
    step = Step(
        name=f"store:{name}",
        summary="Put a root's programs, kernel and initramfs into a store, and systems of them.",
        container=project.lock_of("root"),
        inputs={
            store.TAR: before.output(store.TAR),
            store.KERNEL: kernel.output(store.KERNEL),
            store.INITRAMFS: initramfs.output(store.INITRAMFS),
        },
        params={
            "recipe": f"recipes/{name}/recipe.toml",
            "name": name,
            "store": wanted.folder,
            "profile": wanted.profile,
            "generations": wanted.generations,
        },
        run=store.build,
        **made(store.TAR, Gate("root", policies=policies)),
    )
    return (*rooted[:-1], before, *started, step)
