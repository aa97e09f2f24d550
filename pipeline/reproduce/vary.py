"""What is varied inside a container: it brings a side into force, says so, and starts the step.

It runs as a program before the step's own process, and is in no step's key. It travels alone, so it imports
nothing but the standard library.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

FAKETIME = "libfaketime.so.1"
"""What it is called among the files; from Debian's package libfaketime."""

BOOTSTRAP = """\
import os, runpy, time
while not os.path.exists("{place}/go"):
    time.sleep(0.005)
runpy.run_path("{place}/vary.py", run_name="__main__")
"""
"""What a varied container starts with."""

OBSERVE = """\
import json, time
build = "{build}"
files = (os.path.join(folder, name) for folder, _, names in os.walk(build + "/src") for name in names)
mounts = [line.split() for line in open("/proc/self/mounts")]
print(json.dumps({{
    "clock": int(time.time()),
    "user": f"{{os.getuid()}}:{{os.getgid()}}",
    "hostname": os.uname().nodename,
    "cpus": len(os.sched_getaffinity(0)),
    "filesystem": [mount[2] for mount in mounts if mount[1] == build][-1],
    "order": [os.path.relpath(path, build + "/src") for path in sorted(files, key=os.path.getctime)[:3]],
    "hashseed": hash("installer-iso"),
}}))
"""
"""What a process in the step's place sees, with the step's own variables."""


def write_configs(configs: Mapping[str, str]) -> None:
    """Write the configuration files that a tool could see: path to text."""
    for name, text in configs.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text)


def copy(source: Path, target: Path, *, backwards: bool) -> None:
    """Copy what lies in a folder, in the order of names or against it; modes stay, owners do not."""
    for path in sorted(source.iterdir(), reverse=backwards):
        place = target / path.name
        if path.is_dir() and not path.is_symlink():
            place.mkdir(exist_ok=True)
            copy(path, place, backwards=backwards)
        else:
            shutil.copy(path, place, follow_symlinks=False)


def ahead(days: int, library: Path) -> dict[str, str]:
    """Return the variables that put a process's clock ahead; the times of files stay what they are."""
    if not days:
        return {}
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME": f"+{days}d",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }


def main(place: Path, kept: Sequence[str]) -> int:
    """Bring the side of `vary.json` into force, and run the step as a plain container would.

    `kept` names the variables that the step needs besides its own. Returns the step's exit status.
    """
    spec = json.loads((place / "vary.json").read_text())
    build = Path(spec["build"])
    seen: dict[str, object] = {
        "timezone": time.strftime("%z"),
        "locale": os.environ.get("LC_ALL", ""),
        "home": os.environ["HOME"],
        "environment": sum(name in os.environ for name in spec["hostile"]),
    }
    os.umask(spec["umask"])
    seen["umask"] = f"{os.umask(spec['umask']):04o}"
    write_configs(spec["configs"])
    seen["config"] = sum(Path(path).is_file() for path in spec["possible_configs"])
    if spec["cpus"]:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: spec["cpus"]])
    if place != build:
        copy(place, build, backwards=spec["backwards"])
    clock = ahead(spec["days"], build / FAKETIME)
    names = [*kept, *clock, "PYTHONHASHSEED"]

    def python(code: str) -> list[str]:
        return [sys.executable, "-P", "-c", code, *names]

    env = os.environ | clock
    observe = spec["clean"] + OBSERVE.format(build=build)
    seen |= json.loads(subprocess.check_output(python(observe), env=env))
    print("\x1e" + json.dumps({"event": "observed", "seen": seen}), flush=True)
    status = subprocess.run(python(spec["wait"]), env=env, check=False).returncode
    if place != build:
        copy(build / "out", place / "out", backwards=spec["backwards"])
    return status


if __name__ == "__main__":
    sys.exit(main(Path(__file__).parent, sys.argv[1:]))
