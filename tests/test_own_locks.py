"""The locks of the tests' own containers."""

import pytest

from pipeline.debian import lock
from pipeline.store.reply import FetchError
from tests.fixtures import own_locks


@pytest.mark.parametrize("name", own_locks.PLACES)
def test_a_lock_is_that_of_its_container(name: str) -> None:
    found = own_locks.locked(name)
    assert lock.mismatches(found, name, own_locks.intent_of(name), found.snapshot) == []


def test_a_package_that_is_gone_is_told_with_what_to_do() -> None:
    with pytest.raises(pytest.fail.Exception) as caught, own_locks.fetching("registry"):
        raise FetchError("download of Debian package x 1 failed")
    assert str(caught.value) == (
        "the tests' container registry: download of Debian package x 1 failed\n"
        "  hint: `.venv/bin/python -m tests.fixtures.own_locks registry` renews its lock"
    )
