"""Reads a machine's screen: text out of a screenshot, and whether the text has what it should."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.vm.processes import running

ALIKE = ("0o@©", "1il|!", "2z", "5s", "8b", "uvy")
"""Letters and digits that OCR takes for one another in a console font."""

FOLDED = {ord(character): group[0] for group in ALIKE for character in group}


async def read(image: Path) -> str:
    """Return the text in a screenshot, line by line, as tesseract reads it; light on dark works too.

    Raises PipelineError when tesseract cannot read the file.
    """
    # One block of text (6): the default looks for columns and drops parts of a console. On an image
    # this small more than one thread makes tesseract slower.
    command = ["tesseract", str(image), "-", "--psm", "6", "-l", "eng"]
    async with running(command, env=os.environ | {"OMP_THREAD_LIMIT": "1"}) as process:
        text, said = await process.communicate()
    if process.returncode:
        raise PipelineError(
            f"{image.name}: tesseract cannot read it: {said.decode(errors='replace').strip()}"
        )
    return text.decode(errors="replace")


def _pattern(word: str) -> str:
    """Return the expression that finds `word`; a number must not be part of a longer one."""
    letters = r"\s*".join(re.escape(letter) for letter in word.lower().translate(FOLDED))
    before = r"(?<![\d.])" if word[0].isdigit() else ""
    after = r"(?!\d)" if word[-1].isdigit() else ""
    return before + letters + after


def missing(text: str, words: Iterable[str]) -> list[str]:
    """Return which of `words` do not stand in OCR text; case, spaces and lookalike letters do not count."""
    folded = text.lower().translate(FOLDED)
    return [word for word in words if not re.search(_pattern(word), folded)]
