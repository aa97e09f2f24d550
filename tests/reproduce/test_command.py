"""What is rebuilt, and the proof that its surroundings differed."""

from collections.abc import Mapping
from typing import Any

import pytest

from pipeline.build.session import Session
from pipeline.errors import PipelineError
from pipeline.plan.image import plan
from pipeline.plan.step import Step
from pipeline.project.checkout import Project
from pipeline.report import Report
from pipeline.reproduce.builds import Built, needed
from pipeline.reproduce.command import plans, prepared, select, surroundings
from pipeline.reproduce.rebuild import Made, Task
from pipeline.reproduce.variations import Side, chosen
from pipeline.sandbox.run import StepError
from tests.conftest import ROOT

IMAGE = "truthdb-installer"


@pytest.fixture
def steps(checkout: Project) -> tuple[Step, ...]:
    return plan(checkout, IMAGE)


def names(steps: tuple[Step, ...]) -> list[str]:
    return [step.name.partition(":")[0] for step in steps]


def test_steps_are_selected(steps: tuple[Step, ...]) -> None:
    assert select(steps, "", "") == steps
    assert names(select(steps, "iso", "")) == ["iso"]
    assert [step.name for step in select(steps, "uki:truthdb-runtime", "")] == ["uki:truthdb-runtime"]
    kernel = ("kernel-config", "kernel")
    assert names(select(steps, "", "kernel")) == [name for name in names(steps) if name not in kernel]
    assert names(select(steps, "kernel", "")) == ["kernel-config", "kernel"] * 2
    assert names(select(steps, "", "kernel-config")).count("kernel") == 2


def test_what_no_image_needs_is_made_twice_where_its_recipe_is_named() -> None:
    session = Session(ROOT, Report())
    assert [*plans(session, "")] == [IMAGE]
    disks = plans(session, "truthdb-runtime")["truthdb-runtime"]
    assert [step.name for step in select(disks, "disk:truthdb-runtime:vhd", "")] == [
        "disk:truthdb-runtime:vhd"
    ]
    host = {step.name for step in plans(session, "nix-host")["nix-host"]}
    assert {"root:nix-host", "disk:nix-host:qcow2"} <= host
    with pytest.raises(PipelineError) as caught:
        plans(session, "nix")
    known = ", ".join(sorted(path.parent.name for path in ROOT.glob("recipes/*/recipe.toml")))
    assert str(caught.value) == f"'nix' is not a recipe\n  hint: name one of {known}"


@pytest.mark.parametrize(
    ("only", "without", "said"), [("is", "", "--step is"), ("", "kernelz", "--without kernelz")]
)
def test_an_unknown_step_is_told(steps: tuple[Step, ...], only: str, without: str, said: str) -> None:
    with pytest.raises(PipelineError) as caught:
        select(steps, only, without)
    assert str(caught.value) == (
        f"{said}: unknown step\n  hint: choose from kernel-config, kernel, rust-std, crates, dependencies, "
        "appliance, node, packages, initramfs, uki, installer, kernels-apart, hardening, efi-img, iso, "
        "netboot"
    )


def test_what_is_not_rebuilt_has_to_be_there(steps: tuple[Step, ...]) -> None:
    assert needed(steps, steps) == ()
    assert names(needed(steps, select(steps, "", "kernel"))) == ["kernel-config", "kernel"] * 2
    before = {"kernel-config", "kernel", "rust-std", "crates", "dependencies", "initramfs"}
    before |= {"installer", "appliance", "node", "packages"}
    assert set(names(needed(steps, select(steps, "uki", "")))) == before


@pytest.mark.parametrize(
    ("only", "without"),
    [
        ("", ""),
        ("", "kernel"),
        ("", "kernel:runtime"),
        ("", "initramfs"),
        ("", "uki"),
        ("uki", ""),
        ("iso", ""),
        ("node", ""),
    ],
)
def test_what_is_made_before_comes_after_all_that_it_takes(
    steps: tuple[Step, ...], only: str, without: str
) -> None:
    wanted = select(steps, only, without)
    made: set[str] = set()
    for step in prepared(steps, wanted):
        assert {need.name for need in step.needs()} <= made
        made.add(step.name)
    assert {step.name for step in needed(steps, wanted)} <= made
    for step in wanted:
        assert {need.name for need in step.needs()} <= made | {each.name for each in wanted}


def built(name: str, steps: tuple[Step, ...], seen: Mapping[str, Any]) -> Built:
    return Built(Side(folder=name), {step.name: Made({}, seen) for step in steps})


def test_what_was_varied_is_shown(steps: tuple[Step, ...]) -> None:
    two = (
        built("a", steps, {"clock": 86400, "order": ["x", "y"], "cpus": 2}),
        built("b", steps, {"clock": 200 * 86400, "order": ["y", "x"], "cpus": 1}),
    )
    assert surroundings(steps, two, chosen("clock,order,cpus,path")) == [
        ("clock", "1 days after 1970", "200 days after 1970"),
        ("path", "a", "b"),
        ("cpus", "2", "1"),
        ("order", "x, y", "y, x"),
    ]


def test_what_was_not_in_force_fails(steps: tuple[Step, ...]) -> None:
    two = (built("a", steps, {"cpus": 1}), built("b", steps, {"cpus": 1}))
    with pytest.raises(StepError) as caught:
        surroundings(steps, two, chosen("cpus"))
    assert str(caught.value) == (
        "cpus was not varied: step kernel-config:runtime saw '1' in both builds\n"
        "  hint: name the others with --vary, if this machine cannot vary it"
    )


def test_a_task_survives_its_way_into_the_other_process() -> None:
    task = Task("image", ("a", "b"), Side(env={"A": "b"}, umask=0o077), "/x.so", "/answer")
    assert Task.from_json(task.to_json()) == task
