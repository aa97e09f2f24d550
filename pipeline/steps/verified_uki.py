"""Bundles a UKI as `uki` does, with the root hash of a file system for dm-verity in its command line.

The hash is known only once the file system is made: so it is an input, and no parameter.

Specification: systemd-veritysetup-generator(8), `roothash=`
"""

import re
from copy import copy

from pipeline.errors import PipelineError
from pipeline.steps import uki
from pipeline.steps.runner import Context

ROOTHASH = "roothash"
"""The input with the root hash, and the name that stands for it between braces in a command line."""


def build(ctx: Context) -> None:
    """Make the UKI `params.output`, with what the input ROOTHASH says for `{roothash}` in `params.cmdline`.

    Raises PipelineError for a file that is no line of 64 hex digits.
    """
    text = ctx.inputs[ROOTHASH].read_text(encoding="ascii", errors="replace").strip()
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise PipelineError(
            f"{text[:80]!r} is no root hash, which has 64 hex digits", "take the output of the step `verity`"
        )
    filled = copy(ctx)
    filled.params = {**ctx.params, "cmdline": ctx.params["cmdline"].replace(f"{{{ROOTHASH}}}", text)}
    uki.build(filled)
