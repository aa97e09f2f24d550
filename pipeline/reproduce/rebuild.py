"""One of the two builds: this process, on its own copy of the checkout and its own empty cache.

It is started with a `Task`'s JSON on standard input, and leaves what it made and saw in a file.
"""

import json
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pipeline.build.build import build_step
from pipeline.build.builder import Builder
from pipeline.build.session import Session
from pipeline.errors import PipelineError
from pipeline.plan.step import Step
from pipeline.report import Report
from pipeline.reproduce import vary
from pipeline.reproduce.variations import CONFIGS, HOSTILE, Side
from pipeline.sandbox import inside
from pipeline.sandbox.containers import Containers
from pipeline.sandbox.environment import Conditions
from pipeline.steps.runner import BUILD


@dataclass(frozen=True)
class Task:
    """What a build is asked for: the image, the steps to make, under which side; where `libfaketime` lies."""

    image: str
    steps: tuple[str, ...]
    side: Side
    faketime: str
    answer: str

    def to_json(self) -> str:
        """Return it as text."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> "Task":
        """Return what `to_json` made a text of."""
        data = json.loads(text)
        return Task(**data | {"steps": tuple(data["steps"]), "side": Side(**data["side"])})


@dataclass(frozen=True)
class Made:
    """What a step left: where each output lies, and what its surroundings were seen to be."""

    outputs: Mapping[str, str]
    seen: Mapping[str, Any] = field(default_factory=dict)


def conditions(side: Side, faketime: bytes, seen: dict[str, Any]) -> Conditions:
    """Return a container's surroundings on a side; what is seen of them goes to `seen`, by step."""
    spec = {
        "umask": side.umask,
        "cpus": side.cpus,
        "days": side.days,
        "configs": dict(CONFIGS) if side.configs else {},
        "possible_configs": list(CONFIGS),
        "hostile": list(HOSTILE),
    }
    owner = f"uid={side.user},gid={side.user}"
    tmpfs = [(BUILD, "exec,mode=755")] if side.in_memory else []
    if side.configs:
        folders = {str(Path(path).parent) for path in CONFIGS if path.startswith("/etc/")}
        tmpfs += [(folder, owner) for folder in sorted(folders)]
    return Conditions(
        instead=vary.INSTEAD,
        files={
            "inside.py": Path(inside.__file__).read_bytes(),
            "vary.py": Path(vary.__file__).read_bytes(),
            "vary.json": json.dumps(spec).encode(),
            vary.FAKETIME: faketime,
        },
        backwards=side.backwards,
        env=tuple(side.env.items()),
        user=side.user,
        hostname=side.hostname,
        tmpfs=tuple(tmpfs),
        observe=seen.__setitem__,
    )


def build(task: Task, root: Path) -> dict[str, Made]:
    """Make the task's steps in the checkout `root`; return them by name. Raises PipelineError."""
    seen: dict[str, Any] = {}
    session = Session(root, Report(), from_source=True)
    given = conditions(task.side, Path(task.faketime).read_bytes(), seen)
    mirrors = session.project.sources
    builder = Builder(session.store, lambda: Containers(session.store, mirrors(), given), mirrors)
    made = {}
    for step in session.whole(task.image):
        if step.name in task.steps:
            with session.report.step(step.name) as line:
                build_step(step, builder, session.folder(task.image), line, again=_again(session, task, step))
            made[step.name] = _made(step, builder, seen)
    return made


def _again(session: Session, task: Task, step: Step) -> bool:
    steps = [each for each in session.whole(task.image) if each.name in task.steps]
    return any(each.container == step.container for each in steps[steps.index(step) + 1 :])


def _made(step: Step, builder: Builder, seen: Mapping[str, Any]) -> Made:
    result = builder.result(step)
    blobs = result.outputs if result else {}
    paths = {name: str(builder.store.find(blob)) for name, blob in blobs.items()}
    return Made(paths, seen.get(step.name, {}))


def main() -> int:
    """Do what standard input asks for; the answer is JSON in the file that it names."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a container has to be removed
    task = Task.from_json(sys.stdin.read())
    if task.side.cpus:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: task.side.cpus])
    answer: dict[str, Any]
    try:
        made = build(task, Path.cwd())
        answer = {"made": {name: asdict(step) for name, step in made.items()}}
    except PipelineError as error:
        answer = {"error": error.message, "hint": error.hint}
    except KeyboardInterrupt:
        return 130
    Path(task.answer).write_text(json.dumps(answer))
    return 1 if "error" in answer else 0
