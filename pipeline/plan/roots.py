"""Where root file systems come from: Debian packages and a recipe's files, or a pinned tar."""

from pipeline.checks.gate import Gate
from pipeline.debian import lock
from pipeline.debian.lock import AMD64, SetIntent
from pipeline.plan.kernels import root_module_steps
from pipeline.plan.pinned import pinned
from pipeline.plan.step import Input, LockedPackage, Source, Step, made
from pipeline.project.checkout import Project
from pipeline.steps import root


def root_steps(project: Project, name: str) -> tuple[Step, ...]:
    """Return the steps that end in the root file system of the recipe `name`; none if it has no root."""
    recipe = project.recipes[name].root
    if recipe is None:
        return ()
    inputs: dict[str, Input] = {}
    intent = project.all_intents.get(recipe.packages or "")
    if recipe.artifact is not None:
        inputs["artifact"] = pinned(project, recipe.artifact, project.manifest.artifacts)
    else:
        pins, path = project.set_locks[recipe.packages or ""], lock.path_of(recipe.packages or "")
        inputs |= {f"packages/{each.name}.deb": LockedPackage(each, path) for each in pins.packages}
    if recipe.rootfs is not None:
        inputs["rootfs"] = Source(project.place(name, recipe.rootfs))
    modules = root_module_steps(project, name)
    if modules:
        inputs[root.MODULES_TAR] = modules[-1].output(modules[-1].outputs[0])
    # the policy `appliance` is about static programs; a root has libraries
    policies = tuple(one for one in project.recipes[name].policy.checks if one != "appliance")
    # what another maker's system is started with is named on its command line, and may be anywhere
    named = recipe.artifact is not None and project.recipes[name].boot is not None
    allowed = ("ROOT001",) if named else ()
    step = Step(
        name=f"root:{name}",
        summary="Make a root file system of Debian packages and the recipe's files.",
        container=project.lock_of("root"),
        inputs=inputs,
        params={
            "recipe": f"recipes/{name}/recipe.toml",
            "intent": f"roots/{recipe.packages}.toml",
            "architecture": intent.architecture if isinstance(intent, SetIntent) else AMD64,
            "links": dict(sorted(intent.links.items())) if isinstance(intent, SetIntent) else {},
            "enable": recipe.enable,
            "mask": recipe.mask,
            "image": name,
            "version": project.manifest.product.version,
            "epoch": project.manifest.source_date_epoch,
        },
        run=root.build,
        **made(root.TAR, Gate("root", allowed, policies, setuid=recipe.setuid)),
    )
    return (*modules, step)
