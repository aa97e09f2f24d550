"""Registries as caches: what is asked of them, with which credentials, and what they may answer."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.store import registry, reply, upload
from pipeline.store.cache import Store
from pipeline.store.download import fetch
from pipeline.store.envelope import Claim, seal
from pipeline.store.registry import CONTENT, ENVELOPE, LOG_IN, NOTHING, Registry
from pipeline.store.remote import Remotes
from pipeline.store.reply import FetchError
from tests.fixtures.caches import KEY, blob_of, public
from tests.fixtures.registry import PASSWORD, State, running

DATA, TAG = b"made" * 1000, "1" * 64
BLOB = blob_of(DATA)
SEALED = seal(Claim(TAG, {"made": BLOB}, 1), KEY)


@pytest.fixture(params=["", "basic", "bearer"])
def state(request: pytest.FixtureRequest) -> State:
    return State(request.param)


@pytest.fixture
def host(state: State) -> Iterator[str]:
    with running(state) as host:
        yield host


@pytest.fixture(autouse=True)
def docker_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    monkeypatch.setattr("time.sleep", lambda _: None)
    (tmp_path / "docker").mkdir()
    return tmp_path / "docker/config.json"


def log_in(path: Path, host: str) -> None:
    path.write_text(json.dumps({"auths": {host: {"auth": PASSWORD.removeprefix("Basic ")}}}))


@pytest.fixture
def logged_in(docker_config: Path, host: str) -> None:
    log_in(docker_config, host)


def at(host: str) -> Registry:
    return Registry(f"oci+http://{host}/team/iso", threading.Event())


def push(place: Registry, tmp_path: Path, envelope: bytes = b"") -> None:
    for data in (DATA, envelope or b"{}"):
        (tmp_path / "x").write_bytes(data)
        place.put(blob_of(data), tmp_path / "x")
    config = blob_of(envelope or b"{}")
    place.note(TAG, {"made": BLOB}, (config, ENVELOPE if envelope else NOTHING))


@pytest.mark.parametrize("large", [False, True])
def test_what_is_pushed_is_there(
    state: State,
    host: str,
    docker_config: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    large: bool,
) -> None:
    log_in(docker_config, host)
    if large:
        monkeypatch.setattr(registry, "LARGE", 0)
    push(at(host), tmp_path, SEALED)
    manifest = json.loads(state.manifests[TAG])
    assert manifest["config"]["mediaType"] == ENVELOPE
    assert manifest["layers"] == [
        {
            "mediaType": CONTENT,
            "digest": f"sha256:{BLOB.sha256}",
            "size": BLOB.size,
            "annotations": {"org.opencontainers.image.title": "made"},
        }
    ]
    said: list[str] = []
    remotes = Remotes([at(host)], [public(KEY)], said.append)
    store = Store(tmp_path / "cache", lambda: remotes)
    assert remotes.claim(TAG) == Claim(TAG, {"made": BLOB}, 1)
    assert remotes.offers(BLOB)
    assert not remotes.offers(blob_of(b"other"))
    assert remotes.claim("2" * 64) is None
    assert fetch(store, BLOB, (), "it").read_bytes() == DATA
    assert said == []


def test_what_is_there_is_not_sent_again(
    state: State, host: str, docker_config: Path, tmp_path: Path
) -> None:
    log_in(docker_config, host)
    push(at(host), tmp_path)
    state.asked.clear()
    (tmp_path / "x").write_bytes(DATA)
    at(host).put(BLOB, tmp_path / "x")
    assert not [each for each in state.asked if each.startswith("PUT")]


@pytest.mark.usefixtures("logged_in")
def test_one_login_serves_many_requests(state: State, host: str) -> None:
    place = at(host)
    for _ in range(3):
        place.offers(BLOB)
    assert len([each for each in state.asked if each.startswith("GET")]) == 1 + (state.kind == "bearer")


def test_a_token_that_expires_under_way_is_renewed_and_what_came_is_kept(
    docker_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reply, "CHUNK", 1000)  # what a connection that breaks may lose
    state = State("bearer", {f"sha256:{BLOB.sha256}": DATA}, breaks=True)
    with running(state) as host:
        log_in(docker_config, host)
        said: list[str] = []
        store = Store(tmp_path / "cache", lambda: Remotes([at(host)], [], said.append))
        assert fetch(store, BLOB, (), "it").read_bytes() == DATA
    assert said == []
    place = f"GET /v2/team/iso/blobs/sha256:{BLOB.sha256}"
    login = ["GET /v2/team/iso/manifests/none", "GET /token"]
    assert state.asked == [*login, place, f"{place} bytes=3000-", *login, f"{place} bytes=3000-"]


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        (["HTTP 401 Unauthorized"] * 2, "HTTP 401 Unauthorized"),
        (["HTTP 403 Forbidden"], "HTTP 403 Forbidden"),
    ],
)
@pytest.mark.usefixtures("logged_in")
def test_what_a_new_token_does_not_change(host: str, answers: list[str], reason: str) -> None:
    left = iter(answers)
    assert at(host).bring(BLOB, Path(), lambda *_: next(left)) == reason
    assert list(left) == []


@pytest.mark.usefixtures("logged_in")
def test_what_a_netrc_says_replaces_no_credentials(
    state: State, host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login other password other\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    push(at(host), tmp_path, SEALED)
    assert at(host).claim(TAG) == SEALED
    assert f"sha256:{BLOB.sha256}" in state.blobs


def refused(host: str) -> str:
    with pytest.raises(FetchError) as caught:
        at(host).offers(BLOB)
    return str(caught.value)


def test_nobody_listens() -> None:
    assert refused("127.0.0.1:1") == f"[Errno 111] Connection refused\n  hint: {LOG_IN}"


@pytest.mark.parametrize(
    ("challenge", "message"),
    [
        ("basic", f"wants a name and a password\n  hint: {LOG_IN}"),
        ("bearer", "HTTP 401 Unauthorized"),
        ("", f"wants a name and a password\n  hint: {LOG_IN}"),
        ("Negotiate", f"wants a name and a password\n  hint: {LOG_IN}"),
        ("Bearer", "wants a token from '', which is no HTTPS URL"),
        (
            'Bearer realm="file:///etc/passwd"',
            "wants a token from 'file:///etc/passwd', which is no HTTPS URL",
        ),
        ('Bearer realm="{base}/nothing"', f"gives no token\n  hint: {LOG_IN}"),
        ('Bearer realm="{base}/list"', f"gives no token\n  hint: {LOG_IN}"),
        ('Bearer realm="{base}/lines"', f"gives no token\n  hint: {LOG_IN}"),
    ],
)
def test_without_what_is_needed(challenge: str, message: str) -> None:
    with running(State(challenge or "Basic")) as host:
        assert refused(host) == message


def test_a_password_is_sent_to_no_realm_without_tls() -> None:
    place = Registry("oci://x.example/team", threading.Event())
    with pytest.raises(FetchError) as caught:
        place._token('Bearer realm="http://x.example/token"', {})
    assert caught.value.message == "wants a token from 'http://x.example/token', which is no HTTPS URL"


def test_a_configuration_without_sense(docker_config: Path) -> None:
    with running(State("basic")) as host:
        docker_config.write_text("no JSON")
        assert refused(host) == f"wants a name and a password\n  hint: {LOG_IN}"
        docker_config.write_text(json.dumps({"auths": {host: {"auth": "JSU="}}}))
        wrong = f"what docker's config.json has for {host} is no name and password"
        assert refused(host) == f"{wrong}\n  hint: {LOG_IN}"


def test_credentials_of_another_registry_are_not_sent(docker_config: Path) -> None:
    log_in(docker_config, "registry.example.org")
    with running(State("basic")) as host, pytest.raises(FetchError, match="wants a name and a password"):
        at(host).offers(BLOB)


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"config": []}',
        b'{"config": {"mediaType": "other"}}',
        b'{"config": {"mediaType": "%s"}}' % ENVELOPE.encode(),
        b"[" * 100_000,
    ],
    ids=range(8),
)
def test_a_manifest_that_leads_to_no_record(manifest: bytes) -> None:
    with running(State(manifests={TAG: manifest})) as host:
        assert at(host).claim(TAG) is None


def test_a_digest_in_a_manifest_leads_nowhere_else() -> None:
    config = {"mediaType": ENVELOPE, "digest": "../../../token"}
    with running(State(manifests={TAG: json.dumps({"config": config}).encode()})) as host:
        assert at(host).claim(TAG) is None


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize(
    ("status", "reason", "times"),
    [(401, "Unauthorized", 2), (403, "Forbidden", 1), (413, "Request Entity Too Large", 1)],
)
def test_one_that_takes_nothing(
    docker_config: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    reason: str,
    times: int,
    *,
    large: bool,
) -> None:
    (tmp_path / "x").write_bytes(DATA)
    monkeypatch.setattr(registry, "LARGE", 0 if large else len(DATA))
    state = State("bearer", refuses=status)
    with running(state) as host:
        log_in(docker_config, host)
        with pytest.raises(PipelineError) as caught:
            at(host).put(BLOB, tmp_path / "x")
    said = f"oci+http://{host}/team/iso: does not take x: HTTP {status} {reason}"
    assert str(caught.value) == f"{said}\n  hint: {LOG_IN}"
    logins = state.asked.count("GET /token")
    assert (logins, state.asked.count("POST /v2/team/iso/blobs/uploads/")) == (times, 2 * times)


@pytest.mark.parametrize("large", [False, True])
def test_a_token_that_expires_within_an_upload_is_renewed(
    docker_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, large: bool
) -> None:
    monkeypatch.setattr(registry, "LARGE", 0 if large else len(DATA))
    state = State("bearer", lasts=1)
    with running(state) as host:
        log_in(docker_config, host)
        push(at(host), tmp_path, SEALED)
    assert state.blobs[f"sha256:{BLOB.sha256}"] == DATA
    assert TAG in state.manifests
    parts = 3 if large else 2
    assert state.asked.count("GET /token") == 2 * parts + 1  # one for each request: two blobs and a manifest


def test_a_blob_is_sent_elsewhere_without_credentials(docker_config: Path, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(DATA)
    other = State("basic", uploads={"uploads/0": b"", "uploads/1": b""})
    with running(other) as elsewhere, running(State("basic", elsewhere=f"http://{elsewhere}")) as host:
        log_in(docker_config, host)
        with pytest.raises(PipelineError, match="does not take x: HTTP 401 Unauthorized\n"):
            at(host).put(BLOB, tmp_path / "x")
        other.kind = ""
        at(host).put(BLOB, tmp_path / "x")
    assert other.blobs == {f"sha256:{BLOB.sha256}": DATA}


@pytest.mark.parametrize("moves", [True, False])
def test_an_upload_ends_when_nothing_moves_and_not_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, moves: bool
) -> None:
    data = bytes(6 << 20)  # more than sockets take
    (tmp_path / "x").write_bytes(data)
    monkeypatch.setattr(upload, "WINDOW", 0.8 if moves else 0.1)
    state = State(pace=0.1 if moves else 9)
    with running(state) as host:
        if moves:
            at(host).put(blob_of(data), tmp_path / "x")
            assert state.blobs == {f"sha256:{blob_of(data).sha256}": data}
        else:
            with pytest.raises(PipelineError, match="does not take x: timed out\n"):
                at(host).put(blob_of(data), tmp_path / "x")


def test_credentials_that_are_wrong_are_told_at_once(docker_config: Path, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(DATA)
    with running(State("basic")) as host:
        docker_config.write_text(json.dumps({"auths": {host: {"auth": "bWU6d3Jvbmc="}}}))
        with pytest.raises(PipelineError) as caught:
            at(host).put(BLOB, tmp_path / "x")
    said = f"oci+http://{host}/team/iso: does not take x: HTTP 401 Unauthorized"
    assert str(caught.value) == f"{said}\n  hint: {LOG_IN}"
