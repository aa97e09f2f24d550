"""The rules of steps, applied to what they made, wherever it was made."""

from collections.abc import Mapping
from pathlib import Path

from pipeline.checks.finding import Severity
from pipeline.errors import PipelineError
from pipeline.plan.step import Step
from pipeline.report import Line


class CheckError(PipelineError):
    """An artifact that must not be used."""


def check_rules(step: Step, outputs: Mapping[str, Path], line: Line) -> None:
    """Apply the step's rules to these of its outputs. Raises CheckError with all that is wrong with them."""
    wrong = []
    for name, check in step.checks.items():
        for finding in check(outputs[name]) if name in outputs else ():
            text = f"{name}: {finding.code}: {finding.message}"
            if finding.severity is Severity.ERROR:
                wrong.append(f"{text}\n      hint: {finding.hint}")
            else:
                line.note(f"{text} ({finding.hint})")
    if wrong:
        raise CheckError(
            f"step {step.name} made something that must not be used:\n    " + "\n    ".join(wrong)
        )
