"""Has the built installer judge an answer file: the rules and the messages are its own.

A step's `run`.
"""

import json
import shutil
import subprocess

from pipeline.errors import PipelineError
from pipeline.steps.runner import Context

PROGRAM = "installer"
FILE = "install.toml"
"""What the file is called in here, whatever its name is outside; so each mistake's line begins."""

ABOUT = "product.toml"
"""What the program knows of its product, where it knows one from there."""

VERDICT = "verdict.json"
GOOD, BAD = 0, 1
"""The program's exit statuses, as its --help and docs/unattended.md say."""


def check(ctx: Context) -> None:
    """Write `verdict.json`: whether the program calls `inputs[FILE]` good, and what it says.

    Raises PipelineError where the program does neither: an older one, which has no such option, or a crash.
    """
    program = ctx.work / PROGRAM
    shutil.copy(ctx.inputs[PROGRAM], program)
    program.chmod(0o755)
    root = []
    if ABOUT in ctx.inputs:
        (ctx.work / "root/etc").mkdir(parents=True)
        shutil.copy(ctx.inputs[ABOUT], ctx.work / "root/etc" / ABOUT)
        root = ["--root", str(ctx.work / "root")]
    done = subprocess.run(
        [program, *root, "--check-answers", FILE],
        cwd=ctx.inputs[FILE].parent,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    if done.returncode not in (GOOD, BAD):
        print(done.stderr.decode(errors="replace"))
        raise PipelineError(
            f"the installer's check of answer files ended with status {done.returncode}",
            "is the recipe's installer one that knows --check-answers?",
        )
    verdict = {"good": done.returncode == GOOD, "text": done.stdout.decode(errors="replace")}
    (ctx.out / VERDICT).write_text(json.dumps(verdict))
