"""The command line: what is none is one sentence, before anything is built."""

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT

OPTIONS = "`./doit help COMMAND` shows a command's options"
LIST = "`./doit list` shows all"
WAYS = "choose from cd, usb, disk"
ANSWER_FILE = "name one: `./doit answers --check install.toml`"


def doit(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Call the program where no engine and no cache are: whatever builds something fails otherwise."""
    return subprocess.run(
        [sys.executable, "-I", "-X", "utf8", ROOT / "dodo.py", *arguments],
        env=os.environ | {"DOCKER_HOST": "unix:///nowhere", "INSTALLER_ISO_CACHE": "/nowhere"} | env,
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )


@pytest.mark.parametrize(
    ("arguments", "status", "message", "hint"),
    [
        (["isoo"], 3, "'isoo' is not a command", f"did you mean `iso`? {LIST}"),
        (["boottest"], 3, "'boottest' is not a command", f"did you mean `boot-test`? {LIST}"),
        (["x"], 3, "'x' is not a command", LIST),
        ([""], 3, "'' is not a command", LIST),
        (["a=b"], 3, "'a=b' is not a command", LIST),
        (["iso", "x"], 3, "'x' is not a command", LIST),
        (["clean", "kernl"], 3, "'kernl' is not a command", f"did you mean `kernel`? {LIST}"),
        (["info", "uki:x"], 3, "'uki:x' is not a command", f"did you mean `uki`? {LIST}"),
        (["forget", "x"], 3, "'x' is not a command", LIST),
        (["help", "x"], 3, "'x' is not a command", LIST),
        (["--bogus"], 3, "--bogus not recognized", OPTIONS),
        (["boot-test", "--bogus"], 3, "--bogus not recognized", OPTIONS),
        (["boot-test", "--only"], 3, "--only requires argument", OPTIONS),
        (["boot-test", "--seed", "x"], 3, "--seed: 'x' is not a whole number", OPTIONS),
        (
            ["boot-test", "--only", "cd,usbb"],
            1,
            "'usbb' is neither a way of booting nor an installation",
            WAYS,
        ),
        (["boot-test", "--accel", "xen"], 1, "'xen' is an unknown accelerator", "choose from auto, kvm, tcg"),
        (["boot", "--way", "floppy"], 1, "'floppy' is an unknown way of booting", WAYS),
        (["boot", "--accel", "xen"], 1, "'xen' is an unknown accelerator", "choose from auto, kvm, tcg"),
        (["answers"], 1, "no file is named", ANSWER_FILE),
        (["answers", "--check", "x"], 1, "x: no such file", "name an existing answer file"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_told_before_anything_is_built(
    arguments: list[str], status: int, message: str, hint: str
) -> None:
    done = doit(*arguments)
    assert (done.returncode, done.stdout) == (status, "")
    told = done.stderr.splitlines()
    assert told[0] == f"error: {message}"
    assert told[1].startswith(f"  hint: {hint}")
    assert len(told) == 2


@pytest.mark.parametrize("arguments", [["--help"], ["help"], ["-h"], ["list"]])
def test_all_commands_are_listed(arguments: list[str]) -> None:
    done = doit(*arguments)
    assert done.returncode == 0
    assert done.stdout.startswith("iso ")


def test_the_options_of_a_command_are_listed() -> None:
    assert "--only" in doit("help", "boot-test").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["burn", "--help"], "burn  DEVICE: "),
        (["bench", "-h"], "bench  measure builds"),
        (["boot", "--debug", "--way", "usb", "--help"], "boot  boot it "),
        (["--help", "new"], "new  FOLDER "),
        (["list", "--help"], "PURPOSE\n    list tasks"),
        (["auto", "--help"], "PURPOSE\n    "),
        (["-n", "--help"], "iso "),
        (["verify", "--help"], "usage: ./doit verify "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_every_command_takes_help(arguments: list[str], said: str) -> None:
    done = doit(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(said)


def test_help_on_what_is_no_command() -> None:
    done = doit("burnn", "--help")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == f"error: 'burnn' is not a command\n  hint: did you mean `burn`? {LIST}\n"


@pytest.mark.parametrize("arguments", [["list", "--deps"], ["help", "iso"], ["doctor"], ["diff", "--help"]])
def test_who_has_read_enough_is_told_nothing(arguments: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)  # as that of `head`, once it has its lines
    done = subprocess.run(
        [sys.executable, "-I", "-X", "utf8", ROOT / "dodo.py", *arguments],
        env=os.environ | {"DOCKER_HOST": "unix:///nowhere", "INSTALLER_ISO_CACHE": "/nowhere"},
        stdout=write,
        stderr=subprocess.PIPE,
        check=False,
        cwd="/",
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (1, b"")


def test_a_character_that_the_terminal_does_not_have(latin1: dict[str, str]) -> None:
    """The locale's encoding is written; what it lacks is a plain character, never an error."""
    program = (
        f"import sys; sys.path.append({str(ROOT)!r})\n"
        "from pipeline.cli.entry import write_as_the_terminal_reads\n"
        "write_as_the_terminal_reads()\n"
        "print('✓ ✗ é …')\n"
        "print('✗', file=sys.stderr)\n"
    )
    command = [sys.executable, "-I", "-X", "utf8", "-c", program]
    done = subprocess.run(command, env=os.environ | latin1, capture_output=True, check=False)
    assert (done.stdout, done.stderr) == (b"+ x \xe9 ?\n", b"x\n")
    done = subprocess.run(command, env=os.environ | {"LC_ALL": "C"}, capture_output=True, check=False)
    assert (done.stdout, done.stderr) == ("✓ ✗ é …\n".encode(), "✗\n".encode())


def test_an_examination_under_such_a_locale(latin1: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-X", "utf8", ROOT / "dodo.py", "doctor"],
        env=os.environ | {"DOCKER_HOST": "unix:///nowhere"} | latin1,
        capture_output=True,
        check=False,
    )
    assert b"\n+ KVM" in done.stdout or b"\n! KVM" in done.stdout
    assert b"\nx container engine" in done.stdout
    assert b"Traceback" not in done.stderr
