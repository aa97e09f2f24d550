"""What runs in a varied container before the step, as far as it can be tried without one."""

import json
import os
import subprocess
import sys
from pathlib import Path

from pipeline.reproduce import vary

WAIT = """\
import os, sys
open("{build}/out/made", "w").write(os.environ["KEPT"] + " ".join(sys.argv[1:]))
print(os.umask(0))
sys.exit(7)
"""


def test_files_are_copied_in_order_or_against_it(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "in").mkdir(parents=True)
    for name in ("a", "b", "c"):
        (source / "in" / name).write_text(name)
    (source / "in" / "a").chmod(0o555)
    (source / "link").symlink_to("in/a")
    for backwards in (False, True):
        target = tmp_path / str(backwards)
        (target / "in").mkdir(parents=True)
        vary.copy(source, target, backwards=backwards)
        made = sorted((target / "in").iterdir(), key=lambda path: path.stat().st_ino)
        assert sorted(path.name for path in made) == ["a", "b", "c"]
        born = sorted((target / "in").iterdir(), key=lambda path: path.stat().st_ctime_ns)
        assert [path.name for path in born] == (["c", "b", "a"] if backwards else ["a", "b", "c"])
        assert (target / "in" / "a").stat().st_mode & 0o777 == 0o555
        assert (target / "link").readlink() == Path("in/a")


def test_configuration_files_are_written(tmp_path: Path) -> None:
    vary.write_configs({f"{tmp_path}/etc/x/y.conf": "a=b\n"})
    assert (tmp_path / "etc/x/y.conf").read_text() == "a=b\n"


def test_a_clock_that_is_not_varied_needs_nothing() -> None:
    assert vary.ahead(0, Path("/x.so")) == {}
    assert vary.ahead(3, Path("/x.so"))["FAKETIME"] == "+3d"


def test_the_step_comes_after_its_surroundings_have_been_told(tmp_path: Path) -> None:
    place, build = tmp_path / "feed", tmp_path / "build"
    for folder in (place / "src/pipeline", place / "out", build):
        folder.mkdir(parents=True)
    for name in ("a.py", "b.py"):
        (place / "src/pipeline" / name).touch()
    (place / "go").touch()
    (place / "vary.py").write_text(Path(vary.__file__).read_text())
    spec = {
        "build": str(build),
        "clean": "import os\n",
        "wait": WAIT.format(build=build),
        "umask": 0o027,
        "cpus": 1,
        "days": 0,
        "backwards": True,
        "configs": {f"{tmp_path}/home/rc": "x"},
        "possible_configs": [f"{tmp_path}/home/rc", f"{tmp_path}/none"],
        "hostile": ["HOSTILE", "OTHER"],
    }
    (place / "vary.json").write_text(json.dumps(spec))
    code = vary.BOOTSTRAP.format(place=place)
    env = os.environ | {"TZ": "<+14>-14", "LC_ALL": "C", "HOME": "/h", "HOSTILE": "1", "KEPT": "k "}
    # /build is a mount there, and any folder here
    script = (place / "vary.py").read_text().replace("if mount[1] == build", "if mount[1] == '/'")
    (place / "vary.py").write_text(script)
    done = subprocess.run(
        [sys.executable, "-c", code, "KEPT"], env=env, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.returncode == 7
    told, umask = done.stdout.removeprefix("\x1e").split("\n", 1)
    event = json.loads(told)
    seen = event["seen"]
    assert (event["event"], umask) == ("observed", f"{0o027}\n")
    assert (seen["timezone"], seen["locale"], seen["home"]) == ("+1400", "C", "/h")
    assert (seen["umask"], seen["environment"], seen["config"], seen["cpus"]) == ("0027", 1, 1, 1)
    assert seen["order"] == ["pipeline/b.py", "pipeline/a.py"]
    assert (place / "out" / "made").read_text() == "k KEPT PYTHONHASHSEED"
