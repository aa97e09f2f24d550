"""What a checkout says of the licences of its own files, in its REUSE.toml.

Specification: https://reuse.software/spec-3.3/#reusetoml. What files themselves say is not read.
"""

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.release.bom.components import Licence
from pipeline.release.bom.licences import of_crate, references

NAME = "REUSE.toml"
TOKEN = re.compile(r"\\.|\*\*|.", re.DOTALL)
WILD = {"*": "[^/]*", "**": ".*"}

Annotations = Sequence[tuple[re.Pattern[str], Licence]]
"""Which paths have which licence: the last one that fits holds."""


def read(root: Path) -> Annotations:
    """Return what a checkout says, nothing without such a file. Raises PipelineError for another form."""
    path = root / NAME
    if not path.is_file():
        return ()
    try:
        rows = tomllib.loads(path.read_text(encoding="utf-8")).get("annotations", [])
        return [(_covered(each), _licence(each)) for each in rows]
    except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise PipelineError(f"{NAME}: cannot be read: {error}", "`reuse lint` says what is wrong") from error


def licence_of(path: str, annotations: Annotations) -> Licence:
    """Return the licence of a file, by its path in the checkout."""
    return next((licence for paths, licence in reversed(annotations) if paths.fullmatch(path)), Licence())


def _covered(annotation: dict[str, str | list[str]]) -> re.Pattern[str]:
    patterns = [annotation["path"]] if isinstance(annotation["path"], str) else annotation["path"]
    return re.compile("|".join(f"({''.join(map(_matching, TOKEN.findall(each)))})" for each in patterns))


def _matching(token: str) -> str:
    return WILD.get(token) or re.escape(token.removeprefix("\\") or token)


def _licence(annotation: dict[str, str | list[str]]) -> Licence:
    """Return the licence of an annotation, unknown where a text is needed that it does not have."""
    said = annotation.get("SPDX-License-Identifier", [])
    terms = [said] if isinstance(said, str) else said
    expression = " AND ".join(f"({term})" if len(terms) > 1 and " " in term else term for term in terms)
    return Licence() if references(expression) else of_crate(expression)
