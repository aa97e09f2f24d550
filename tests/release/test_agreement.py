"""Documents of any shape are compared; what differs has its rows in `test_verify`."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from pipeline.release.agreement import judge
from tests.fixtures import release_folder as release

ODD: tuple[object, ...] = (None, 7, "x", [], {}, [7], [[]], {"name": []})


def places(value: Any, *path: str | int) -> Iterator[tuple[str | int, ...]]:
    """Yield the paths to all values in a document."""
    rows = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in rows:
        yield (*path, key)
        yield from places(inner, *path, key)


@pytest.mark.parametrize("name", release.documents())
def test_nothing_in_a_document_raises(name: str) -> None:
    tried = 0
    for path in places(release.documents()[name]):
        for odd in ODD:
            documents: Any = copy.deepcopy(release.documents())
            place = documents[name]
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = odd
            assert all(verdict.sentence for verdict in judge(documents))
            tried += 1
    assert tried > 100


def test_what_is_alone_is_compared_with_nothing() -> None:
    for name, document in release.documents().items():
        assert list(judge({name: document})) == []
    assert list(judge({})) == []
