"""What must hold of an image and the one it carries together: steps that judge, out of a recipe's policy."""

from pipeline.plan.step import Input, Source, Step
from pipeline.project.checkout import Project
from pipeline.steps import compare_kernels, hardening, kernel_config


def policy_steps(
    project: Project, name: str, carried: tuple[Step, ...], carrying: tuple[Step, ...]
) -> tuple[Step, ...]:
    """Return the steps that judge the kernels of the recipe `name` and of the one it carries.

    There are none where one of the two is not built from fragments, the last of which is a kernel's name, or
    where the carried one starts what is in its root.
    """
    recipe = project.recipes[name]
    inside = project.recipes.get(recipe.image.carries or "")
    if inside is None or not (inside.kernel.fragments and recipe.kernel.fragments) or inside.boot:
        return ()
    kernels = (recipe.kernel.fragments[-1], inside.kernel.fragments[-1])
    config, off = kernel_config.CONFIG, kernel_config.OFF
    made_by = {
        kernel: next(step for step in steps if config in step.outputs)
        for kernel, steps in zip(kernels, (carrying, carried), strict=True)
    }
    configs: dict[str, Input] = {f"{kernel}.config": made.output(config) for kernel, made in made_by.items()}
    policy, folder = recipe.policy, project.root / "recipes"
    steps = []
    if policy.kernels is not None:
        steps.append(
            Step(
                name=f"kernels-apart:{name}",
                summary="Compare the two kernels: each lacks what is the other's.",
                container=project.lock_of("imager"),
                inputs=configs | {compare_kernels.APART: Source(folder / policy.kernels)},
                outputs=("kernels.txt",),
                params={"kernels": kernels},
                run=compare_kernels.build,
                published={"kernels.txt": 0o644},
            )
        )
    if policy.hardening is not None:
        cmdlines = (" ".join(each.image.cmdline) for each in (recipe, inside))
        steps.append(
            Step(
                name=f"hardening:{name}",
                summary="Compare the appliance with what people who harden Linux recommend.",
                container=project.lock_of("imager"),
                inputs={
                    **{f"{kernel}.off": made.output(off) for kernel, made in made_by.items()},
                    f"{kernels[1]}.config": configs[f"{kernels[1]}.config"],
                    hardening.HARDENING: Source(folder / policy.hardening),
                    "rootfs": Source(project.place(str(recipe.image.carries), inside.image.rootfs)),
                },
                outputs=("hardening.txt",),
                params={"kernels": kernels, "cmdline": dict(zip(kernels, cmdlines, strict=True))},
                run=hardening.build,
                published={"hardening.txt": 0o644},
            )
        )
    return tuple(steps)
