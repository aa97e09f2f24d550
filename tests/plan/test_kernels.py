"""A kernel of a distribution in the plan of the real runtime."""

from dataclasses import replace
from typing import Any

import pytest

from pipeline.plan.image import plan
from pipeline.plan.roots import root_steps
from pipeline.plan.step import Output, Step
from pipeline.project.checkout import Project
from pipeline.project.recipe import Kernel, Root

NAME = "truthdb-runtime"
SET = "linux-cloud"


def planned(project: Project, **kernel: Any) -> dict[str, Step]:
    changed = replace(
        project.recipes[NAME], kernel=Kernel(package="linux-image-cloud-amd64", packages=SET, **kernel)
    )
    steps = plan(replace(project, recipes=project.recipes | {NAME: changed}), NAME)
    return {step.name: step for step in steps}


def origins(step: Step) -> dict[str, str]:
    return {
        name: f"{source.step.name}/{source.name}"
        for name, source in step.inputs.items()
        if isinstance(source, Output)
    }


def test_a_kernel_comes_of_its_set_and_modules_go_into_the_initramfs(checkout: Project) -> None:
    steps = planned(checkout, modules=("virtio_blk",))
    assert not any(name.startswith("kernel-config:") for name in steps)
    assert origins(steps["kernel:linux-cloud"]) == {"packages.tar": "packages:linux-cloud/packages.tar"}
    assert origins(steps[f"modules:{NAME}"]) == {"modules.tar": "kernel:linux-cloud/modules.tar"}
    assert origins(steps[f"initramfs:{NAME}"])["modules.tar"] == f"modules:{NAME}/chosen.tar"
    assert origins(steps[f"uki:{NAME}"])["vmlinuz"] == "kernel:linux-cloud/vmlinuz"
    assert "vmlinuz" in steps["kernel:linux-cloud"].published


def test_firmware_is_of_the_same_set(checkout: Project) -> None:
    step = planned(checkout, firmware=("bnx2/*",))[f"modules:{NAME}"]
    assert origins(step)["packages.tar"] == "packages:linux-cloud/packages.tar"
    assert (step.params["modules"], step.params["firmware"]) == ((), ("bnx2/*",))


def test_a_root_may_have_modules_of_the_kernel_that_starts_it(checkout: Project) -> None:
    given = Kernel(package="linux-image-cloud-amd64", packages=SET, modules=("ext4",), firmware=("bnx2/*",))
    changed = replace(
        checkout.recipes[NAME], kernel=given, root=Root(packages="bare", modules=("tun", "net/*"))
    )
    steps = root_steps(replace(checkout, recipes=checkout.recipes | {NAME: changed}), NAME)
    assert [step.name for step in steps] == [
        "packages:linux-cloud",
        "kernel:linux-cloud",
        f"modules:{NAME}:root",
        f"root:{NAME}",
    ]
    *_, chosen, made = steps
    wanted = {name: chosen.params[name] for name in ("modules", "firmware", "key")}
    assert wanted == {"modules": ("tun", "net/*"), "firmware": (), "key": "root.modules"}
    assert origins(made) == {"chosen.tar": f"modules:{NAME}:root/chosen.tar"}


@pytest.mark.parametrize("modules", [(), ("virtio_blk",)])
def test_the_choice_of_modules_is_no_matter_of_the_kernel(
    checkout: Project, modules: tuple[str, ...]
) -> None:
    steps = planned(checkout, modules=modules)
    assert (f"modules:{NAME}" in steps) == bool(modules)
    assert ("modules.tar" in steps[f"initramfs:{NAME}"].inputs) == bool(modules)
    assert "modules" not in steps["kernel:linux-cloud"].params
