"""Owns the exceptions: each one is a sentence that says what is wrong, and a hint that says what to do.

It travels into every container, so it is in every step's key: an exception that only the host raises
stands in the module that raises it. Must not know anything else of the program.
"""


class PipelineError(Exception):
    """What a user is told: `message` names the place and quotes the value, `hint` says what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message + (f"\n  hint: {self.hint}" if self.hint else "")


class FormatError(PipelineError):
    """Bytes that are not what their format's specification asks for."""


class ConfigError(PipelineError):
    """Mistakes in files that people write; one line each, all of them at once."""

    def __init__(self, mistakes: list[str], hint: str = "") -> None:
        super().__init__("\n".join(mistakes), hint)
        self.mistakes = mistakes
