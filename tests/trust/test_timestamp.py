"""Time stamps of an authority of our own (openssl); osslsigncode looks at one in test_judges."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.formats.authenticode import read_signatures
from pipeline.formats.authenticode_attach import attached
from pipeline.formats.pe import read_pe
from pipeline.trust.cms import authenticode_signature
from pipeline.trust.timestamp import time_stamp
from tests.conftest import lacking
from tests.fixtures.signed import UNSIGNED
from tests.fixtures.time_stamps import Authority, authority
from tests.trust.test_cms import signer


@pytest.fixture
def clock(tmp_path: Path) -> Iterator[Authority]:
    if not shutil.which("openssl"):
        lacking("openssl is not installed")
    with authority(tmp_path) as one:
        yield one


def test_a_time_stamp_is_of_the_signature(clock: Authority, tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(time_stamp(clock.url, b"signature"))
    (tmp_path / "data").write_bytes(b"signature")
    verify = ["openssl", "ts", "-verify", "-data", "data", "-in", "token", "-token_in", "-CAfile", "tsa.pem"]
    said = subprocess.run(verify, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert "OK" in said.stdout + said.stderr


def test_a_stamped_signature_is_still_one(clock: Authority) -> None:
    made = authenticode_signature(UNSIGNED, signer("vendor"), clock.url)
    plain = authenticode_signature(UNSIGNED, signer("vendor"))
    (found,) = read_signatures(read_pe(attached(UNSIGNED, [made])))
    assert (found.fault, found.subject) == ("", "Jury vendor")
    assert len(made) > len(plain) + 1000


def test_the_time_stamp_of_another_signature_is_refused(clock: Authority, tmp_path: Path) -> None:
    time_stamp(clock.url, b"another")
    clock.stored = (tmp_path / "reply").read_bytes()
    for signature in (b"signature", b"another"):  # the second has been asked for with another nonce
        with pytest.raises(PipelineError, match="the time stamp is of something else"):
            time_stamp(clock.url, signature)


@pytest.mark.parametrize("answer", [b"", b"<html>"])
def test_what_is_no_time_stamp_is_told(clock: Authority, answer: bytes) -> None:
    clock.stored = answer
    with pytest.raises(PipelineError, match=f"--timestamp {clock.url}: there is no time stamp: "):
        time_stamp(clock.url, b"signature")


def test_an_authority_that_refuses_is_quoted(tmp_path: Path) -> None:
    with authority(tmp_path, "sha512") as one, pytest.raises(PipelineError, match="the authority refuses: "):
        time_stamp(one.url, b"signature")


def test_an_authority_that_is_not_there_is_told() -> None:
    with pytest.raises(PipelineError, match=r"there is no time stamp: Connection refused(\n|$)"):
        time_stamp("http://127.0.0.1:9/", b"signature")
