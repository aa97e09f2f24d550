"""What runs in a varied container before the step, as far as it can be tried without one."""

import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

from pipeline.reproduce import vary
from pipeline.sandbox import inside
from pipeline.sandbox.environment import Conditions
from tests.fixtures.inside_tree import write_tree

STEP = b"""
import os

def run(ctx):
    print(os.environ["KEPT"], os.environ.get("HOSTILE"), os.umask(0))
    (ctx.out / "made").write_text("x")
    raise SystemExit(7)
"""


def test_configuration_files_are_written(tmp_path: Path) -> None:
    vary.write_configs({f"{tmp_path}/etc/x/y.conf": "a=b\n"})
    assert (tmp_path / "etc/x/y.conf").read_text() == "a=b\n"


def test_a_clock_that_is_not_varied_needs_nothing() -> None:
    assert vary.ahead(0, Path("/x.so")) == {}
    assert vary.ahead(3, Path("/x.so"))["FAKETIME"] == "+3d"


def test_the_step_comes_after_its_surroundings_have_been_told(tmp_path: Path) -> None:
    stream = io.BytesIO()
    write_tree(stream, STEP, "run", files={"inside.py": Path(inside.__file__).read_bytes()})
    stream.seek(0)
    inside.take(tmp_path, stream)
    # /build is a mount there, and any folder here
    script = Path(vary.__file__).read_text().replace("if mount[1] == build", "if mount[1] == '/'")
    (tmp_path / "vary.py").write_text(script)
    spec = {
        "umask": 0o027,
        "cpus": 1,
        "days": 0,
        "configs": {f"{tmp_path}/home/rc": "x"},
        "possible_configs": [f"{tmp_path}/home/rc", f"{tmp_path}/none"],
        "hostile": ["HOSTILE", "OTHER"],
    }
    (tmp_path / "vary.json").write_text(json.dumps(spec))
    place = {"build": str(tmp_path), "bytecode": str(tmp_path / "bytecode"), "user": None}
    conditions = Conditions(instead=vary.INSTEAD)
    env = os.environ | {"TZ": "<+14>-14", "LC_ALL": "C", "HOME": "/h", "HOSTILE": "1", "KEPT": "k"}
    done = subprocess.run(
        [sys.executable, *conditions.argv([])[1:-1], json.dumps(conditions.given(["KEPT"]) | place)],
        env=env, capture_output=True, check=False,
    )  # fmt: skip
    told, said = done.stderr.decode().removeprefix("\x1e").split("\n", 1)
    assert (done.returncode, said) == (7, f"k None {0o022}\n")
    event = json.loads(told)
    seen = event["seen"]
    assert (event["event"], seen["timezone"], seen["locale"], seen["home"]) == (
        "observed",
        "+1400",
        "C",
        "/h",
    )
    assert (seen["umask"], seen["environment"], seen["config"], seen["cpus"]) == ("0027", 1, 1, 1)
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar:
        assert "out/made" in tar.getnames()
