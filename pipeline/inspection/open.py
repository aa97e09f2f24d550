"""Getting at a stranger's file: what may be opened at all, and reading it without a surprise."""

import os
import shutil
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pipeline.errors import FormatError, PipelineError
from pipeline.formats.budget import Spent
from pipeline.formats.fields import Extents, Image, open_image

Result = TypeVar("Result")

OTHERS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFCHR: "a character device, which has no end",
    stat.S_IFSOCK: "a socket",
}


def open_file(name: str) -> Image:
    """Return what lies in the file or block device `name`, relative to where the command was called.

    Of a pipe it is all that comes out. Raises PipelineError when it is not there, may not be read, or is
    something else.
    """
    path = located(name)
    try:
        mode = path.stat().st_mode
        if stat.S_ISFIFO(mode):
            return _of_pipe(path)
        if not (stat.S_ISREG(mode) or stat.S_ISBLK(mode)):
            what = OTHERS.get(stat.S_IFMT(mode), "no file")
            raise PipelineError(f"is {what}", "name a file, a pipe, or a block device")
        return open_image(path)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise PipelineError(
            f"cannot be read: {why}", "name a file that is there, and yours to read"
        ) from error


def _of_pipe(path: Path) -> Image:
    """Return what comes out of a pipe, kept in a temporary file while it is read."""
    with path.open("rb") as pipe:
        file = tempfile.TemporaryFile()  # noqa: SIM115  the last image of it closes it
        shutil.copyfileobj(pipe, file)
    file.flush()
    return Extents(file, [(0, file.tell())])


def located(name: str) -> Path:
    """Return the path that `name` means at the prompt that ./doit was called at."""
    return Path(os.environ.get("INSTALLER_ISO_CALLED_FROM", "."), name)


def guarded(read: Callable[[], Result]) -> Result:
    """Return what `read` does. Raises PipelineError for whatever it meets in a stranger's file.

    Readers raise FormatError for all damage that is known of. What else comes out of them is a defect of
    theirs, and still one sentence here: nobody who asks about a file is served by a traceback.
    """
    try:
        return read()
    except FormatError as error:
        raise PipelineError(error.message, error.hint) from error
    except PipelineError:
        raise
    except Spent as spent:
        raise PipelineError(
            f"more is not looked at: it takes too many {spent} for a file of its size",
            "make it again; a file that is made to keep its readers busy is of no use",
        ) from spent
    except MemoryError as error:
        raise PipelineError(
            "more is not looked at: it takes too much memory", "close other programs, and try again"
        ) from error
    except OSError as error:
        raise PipelineError(
            f"cannot be read: {error.strerror or error}", "look at the disk, or copy the file again"
        ) from error
    except Exception as error:
        raise defect(error) from error


def defect(error: Exception) -> PipelineError:
    """Return the sentence for an exception that should never have come out."""
    last = error.__traceback__
    while last and last.tb_next:
        last = last.tb_next
    where = f"{Path(last.tb_frame.f_code.co_filename).name}:{last.tb_lineno}" if last else "nowhere"
    return PipelineError(
        f"reading it failed in a way that nobody thought of: {type(error).__name__} at {where}",
        "this is a defect of inspect: report it, with the file",
    )
