"""Reading what may be damaged: what a reader raises becomes a value."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from pipeline.errors import FormatError

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def attempt(
    read: Callable[Arguments, Result], *args: Arguments.args, **options: Arguments.kwargs
) -> Result | FormatError:
    """Return what is read, or why it cannot be."""
    try:
        return read(*args, **options)
    except FormatError as error:
        return error


def or_none(
    read: Callable[Arguments, Result], *args: Arguments.args, **options: Arguments.kwargs
) -> Result | None:
    """Return what is read, None where it cannot be: that is nothing to report, or another rule reports it."""
    try:
        return read(*args, **options)
    except FormatError:
        return None
