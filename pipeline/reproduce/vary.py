"""What is varied inside a container: it brings a side into force, says so, and starts the step.

It runs before the step's own process, and is in no step's key. It travels alone, so it imports
nothing but the standard library.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

FAKETIME = "libfaketime.so.1"
"""What it is called among the files; from Debian's package libfaketime."""

INSTEAD = """\
import runpy
runpy.run_path(f"{given['build']}/vary.py")["main"](given)
"""
"""What a varied container runs instead of the step's function."""

OBSERVE = """\
clean(given["environment"], given["kept"])
build = given["build"]
files = (os.path.join(folder, name) for folder, _, names in os.walk(build + "/src") for name in names)
mounts = [line.split() for line in open("/proc/self/mounts")]
print(json.dumps({
    "clock": int(time.time()),
    "user": f"{os.getuid()}:{os.getgid()}",
    "hostname": os.uname().nodename,
    "cpus": len(os.sched_getaffinity(0)),
    "filesystem": [mount[2] for mount in mounts if mount[1] == build][-1],
    "order": [os.path.relpath(path, build + "/src") for path in sorted(files, key=os.path.getctime)[:3]],
    "hashseed": hash("installer-iso"),
}))
"""
"""What a process in the step's place sees, with the step's own variables."""


def write_configs(configs: Mapping[str, str]) -> None:
    """Write the configuration files that a tool could see: path to text."""
    for name, text in configs.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text)


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


def main(given: Mapping[str, Any]) -> NoReturn:
    """Bring the side of `vary.json` into force, and run the step as a plain container would.

    `given` is what `inside` was given, which runs the step; it lies beside this file. The process ends with
    the step's exit status.
    """
    build = Path(given["build"])
    spec = json.loads((build / "vary.json").read_text())
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
    clock = ahead(spec["days"], build / FAKETIME)
    env = os.environ | clock
    here = {**given, "user": None, "kept": [*given["kept"], *clock, "PYTHONHASHSEED"]}

    def python(instead: str) -> list[str]:
        return [sys.executable, "-P", str(build / "inside.py"), json.dumps(here | {"instead": instead})]

    seen |= json.loads(subprocess.check_output(python(OBSERVE), env=env))
    print("\x1e" + json.dumps({"event": "observed", "seen": seen}), file=sys.stderr, flush=True)
    sys.exit(subprocess.run(python(""), env=env, check=False).returncode)
