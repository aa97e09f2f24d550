"""A cache that one machine fills, and another builds from."""

import io
from pathlib import Path

import pytest

from pipeline.build.record import made
from pipeline.build.session import MORE_CACHES, Session
from pipeline.cli import commands
from pipeline.cli.push import bundles, judge, push, taken_from_outside
from pipeline.errors import PipelineError
from pipeline.plan.step import LockedPackage, Pinned
from pipeline.project import outputs
from pipeline.report import Report, size_text
from pipeline.store.cache import Blob
from pipeline.store.envelope import opened
from tests.fixtures import checkout
from tests.fixtures.artifact_server import CONTENT
from tests.fixtures.caches import KEY, STRANGER, blob_of, public, served, write_key
from tests.fixtures.machines import MADE, Machine, have, plan
from tests.fixtures.registry import State, running
from tests.fixtures.toy_step import Shop


def test_a_folder_on_a_web_server(ours: Machine, theirs: Machine, shop: Shop) -> None:
    push(ours.session(), ["push", "others"], "")
    assert not (ours.root / "others/results").exists()
    with served(ours.root / "others") as (url, asked):
        theirs.ask(url)
        session = theirs.build()
    assert (theirs.artifacts(), shop.engine.runs) == (MADE, ["upper"])  # of the third nobody vouched
    assert (session.fetched, session.left) == ({"toy:double"}, {"toy:x"})
    assert session.built == {"toy:third"}
    first, second, _ = plan(shop)
    result = session.builder.result(first)
    assert result
    assert not session.store.holds(result.outputs["made"])  # nobody needs it
    assert session.remotes
    assert session.remotes.taken == len("ABC!ABC!")
    digest = blob_of(b"ABC!").sha256
    assert [each for each in asked if digest in each] == [f"HEAD /blobs/{digest}"]
    assert second.published
    again = theirs.build()
    assert (again.fetched | again.left | again.built) == set()
    assert again.cached == {"toy:x", "toy:double", "toy:third"}


def test_what_is_signed_needs_no_lock(ours: Machine, theirs: Machine, shop: Shop) -> None:
    write_key(ours.root / "key")
    push(ours.session(), ["push", "others"], "key")
    files = (ours.root / "others/results").iterdir()
    claims = {path.stem: opened(path.read_bytes(), [public(KEY)]) for path in files}
    assert len(claims) == 3
    assert all(claim and claim.key == key for key, claim in claims.items())
    (theirs.root / outputs.PATH).unlink()
    theirs.ask(f"file:{ours.root}/others", keys=(public(KEY),))
    session = theirs.build()
    assert (theirs.artifacts(), shop.engine.runs, session.built) == (MADE, [], set())


@pytest.mark.parametrize("how", ["no key", "from source"])
def test_what_nobody_vouches_for_is_built(ours: Machine, theirs: Machine, shop: Shop, how: str) -> None:
    write_key(ours.root / "key")
    push(ours.session(), ["push", "others"], "key")
    if how == "no key":
        (theirs.root / outputs.PATH).unlink()
        theirs.ask(f"file:{ours.root}/others")
    else:
        theirs.ask(f"file:{ours.root}/others", keys=(public(KEY),))
    have(theirs, CONTENT)
    session = theirs.build(from_source=how == "from source")
    assert (session.fetched, shop.engine.runs) == (set(), ["upper", "double", "upper"])
    assert theirs.artifacts() == MADE


def test_a_registry(ours: Machine, theirs: Machine, shop: Shop) -> None:
    write_key(ours.root / "key")
    with running(State()) as host:
        name = f"oci+http://{host}/team/iso"
        push(ours.session(), ["push", name], "key")
        theirs.ask(name, keys=(public(KEY),))
        theirs.build()
    assert (theirs.artifacts(), shop.engine.runs) == (MADE, [])


def test_what_is_said_of_a_push(ours: Machine, screen: io.StringIO) -> None:
    push(ours.session(), ["push", "others"], "")
    lines = screen.getvalue().splitlines()
    assert [line.partition("  ")[0] for line in lines] == [
        "✓ packages of container toy",
        "✓ toy:x",
        "✓ files for toy:double",
        "✓ toy:double",
        "not pushed, as nobody vouches for it: toy:third; `--key FILE` signs it",
        "others: 3 blobs, 8.0 kB",
    ]


def test_what_a_machine_lacks_is_not_pushed(theirs: Machine, ours: Machine, screen: io.StringIO) -> None:
    push(ours.session(), ["push", "others"], "")
    theirs.ask(f"file:{ours.root}/others")
    theirs.build()
    screen.truncate(screen.seek(0))
    theirs_again = theirs.session()
    push(theirs_again, ["push", "more"], "")
    said = screen.getvalue()
    assert "not pushed, as this machine has not all of it: toy:x\n" in said
    assert "✓ toy:double" in said
    theirs_again.store.forget(theirs_again.builder.key(plan(ours.shop)[2]) or "")
    push(theirs.session(), ["push", "more"], "")
    assert "not pushed, as it was not built: toy:third\n" in screen.getvalue()


def there(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_a_cache_is_copied_to_another_and_nothing_is_built(
    ours: Machine, theirs: Machine, shop: Shop, screen: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(ours.session(), ["push", "others"], "")
    monkeypatch.setenv(MORE_CACHES, f"file:{ours.root}/others")
    push(theirs.session(), ["push", "more"], "")
    assert not (theirs.root / "more").exists()
    push(theirs.session(), ["push", "more"], "", fetch=True)
    assert there(theirs.root / "more") == there(ours.root / "others")
    assert shop.engine.runs == []
    assert "not pushed, as it was not built: toy:third\n" in screen.getvalue()  # of which no lock knows


def test_what_the_other_cache_lacks_keeps_nothing_else_from_being_copied(
    ours: Machine, theirs: Machine, screen: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(ours.session(), ["push", "others"], "")
    (ours.root / "others/blobs" / blob_of(b"ABC!").sha256).unlink()
    monkeypatch.setenv(MORE_CACHES, f"file:{ours.root}/others")
    push(theirs.session(), ["push", "more"], "", fetch=True)
    assert there(theirs.root / "more") == there(ours.root / "others")
    assert "not pushed, as this machine has not all of it: toy:x\n" in screen.getvalue()
    assert "✓ toy:double" in screen.getvalue()


def test_caches_that_the_environment_names(
    ours: Machine, theirs: Machine, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(ours.session(), ["push", "others"], "")
    monkeypatch.setenv(MORE_CACHES, f"file:{ours.root}/none  file:{ours.root}/others")
    session = theirs.build()
    assert (session.fetched, shop.engine.runs) == ({"toy:double"}, ["upper"])
    theirs.ask("file:first", f"file:{ours.root}/none")
    remotes = theirs.session().remotes
    assert remotes
    assert [remote.name for remote in remotes.remotes] == [
        "file:first",
        f"file:{ours.root}/none",
        f"file:{ours.root}/others",
    ]
    assert theirs.session(from_source=True).remotes is None


def test_what_the_environment_names_that_is_no_cache(ours: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MORE_CACHES, "ftp://x")
    with pytest.raises(PipelineError) as caught:
        _ = ours.session().remotes
    assert caught.value.message == "INSTALLER_ISO_CACHE_SOURCES: 'ftp://x' is not a cache"
    assert ours.session(from_source=True).remotes is None
    monkeypatch.setenv(MORE_CACHES, "")
    assert ours.session().remotes is None


def test_a_blob_that_was_spoiled_there_is_pushed_again(ours: Machine) -> None:
    for _ in range(2):
        push(ours.session(), ["push", "others"], "")
        path = ours.root / "others/blobs" / blob_of(b"ABC!").sha256
        assert path.read_bytes() == b"ABC!"
        path.write_bytes(b"ABD!")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "cache takes `push` and a cache, got nothing"),
        (["push"], "cache takes `push` and a cache, got push"),
        (["pull", "x"], "cache takes `push` and a cache, got pull x"),
        (["push", "https://x.example/y"], "'https://x.example/y' cannot be filled"),
        (["push", "oci://x.example/UPPER"], "'oci://x.example/UPPER' cannot be filled"),
    ],
)
def test_what_cannot_be_filled(arguments: list[str], message: str) -> None:
    with pytest.raises(PipelineError) as caught:
        judge(arguments)
    assert caught.value.message == message


def test_a_manifest_with_mistakes_names_no_caches(ours: Machine) -> None:
    assert ours.session().remotes is None
    ours.ask("ftp://x")
    assert Session(ours.root, Report()).remotes is None


def test_the_packages_of_a_container_and_what_is_downloaded(ours: Machine, shop: Shop) -> None:
    package = checkout.package("toy")
    inputs = {"a": LockedPackage(package, "x"), "b": Pinned(Blob("1" * 64, 1), "x")}
    step = shop.step(inputs=inputs)
    wanted = {"a": Blob(package.sha256, package.size), "b": Blob("1" * 64, 1)}
    assert taken_from_outside(step) == wanted
    found = dict(bundles(ours.session()))
    assert list(found) == ["packages of container toy", "toy:x", "files for toy:double", "toy:double"]
    assert found["packages of container toy"].tag == f"installer-iso-toy-{'2' * 16}"


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "build_record", lambda *_, **__: None)
    monkeypatch.setattr(commands, "verify_outputs", lambda _: True)


@pytest.mark.usefixtures("told")
def test_the_summary_says_what_was_fetched_and_what_was_built(
    ours: Machine, theirs: Machine, screen: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(ours.session(), ["push", "others"], "")
    theirs.ask(f"file:{ours.root}/others")
    session = theirs.build()
    screen.truncate(screen.seek(0))
    commands.summarise(session)
    lines = screen.getvalue().splitlines()
    assert "fetched (8 B): toy:double" in lines
    assert "left in the caches, as nothing needs it: toy:x" in lines
    assert "built: toy:third" in lines
    assert next(line for line in lines if line.startswith("doubled")).endswith("fetched")


@pytest.mark.usefixtures("told")
def test_the_summary_says_that_what_a_step_took_was_fetched(
    ours: Machine, theirs: Machine, shop: Shop, screen: io.StringIO
) -> None:
    push(ours.session(), ["push", "others"], "")
    outputs.write(theirs.root, "Toy 1.0", made({"toy": plan(shop)[:1]}, ours.session().builder))
    theirs.ask(f"file:{ours.root}/others")
    session = theirs.build()
    screen.truncate(screen.seek(0))
    commands.summarise(session)
    size = size_text(len(b"ABC!") + len(CONTENT))
    lines = screen.getvalue().splitlines()
    assert lines[lines.index(f"fetched ({size}): toy:x") :] == [
        f"fetched ({size}): toy:x",
        "built: toy:double, toy:third",
    ]


def test_nobody_signs_what_another_machine_made(ours: Machine, theirs: Machine) -> None:
    write_key(ours.root / "key", STRANGER)
    push(ours.session(), ["push", "others"], "key")
    (theirs.root / outputs.PATH).unlink()
    theirs.ask(f"file:{ours.root}/others", keys=(public(STRANGER),))
    session = theirs.build()
    assert session.fetched | session.left == {"toy:x", "toy:double", "toy:third"}
    assert [what for what, bundle in bundles(session, KEY) if bundle.envelope] == []
