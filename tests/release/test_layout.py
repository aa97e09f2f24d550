import pytest

from pipeline.errors import FormatError
from pipeline.release.documents import RUN_TEXTS, TEXTS
from pipeline.release.layout import DOCUMENTS, RUN_SUMS, RUNS, SUMS, read_sums, sums_text

A, B = "a" * 64, "b" * 64


def test_a_list_is_read_as_it_was_written() -> None:
    text = sums_text({"b.iso": B, "a 1+x~y_z.efi": A})
    assert text == f"{A}  a 1+x~y_z.efi\n{B}  b.iso\n"
    assert read_sums(text.encode()) == {"a 1+x~y_z.efi": A, "b.iso": B}
    assert read_sums(f"{A} *b.iso".encode()) == {"b.iso": A}


def test_the_list_of_a_run_names_that_of_the_release() -> None:
    found = dict.fromkeys((SUMS, *RUNS), A)
    assert read_sums(sums_text(found).encode(), RUN_SUMS) == found
    for name in ("a.iso", RUN_SUMS):
        with pytest.raises(FormatError, match="which is no file of a run"):
            read_sums(f"{A}  {name}\n".encode(), RUN_SUMS)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "line 1 is no SHA-256 and a name: ''"),
        (f"{A}  a\n\n".encode(), "line 2 is no SHA-256 and a name: ''"),
        (f"{A.upper()}  a\n".encode(), f"line 1 is no SHA-256 and a name: '{A.upper()}  a'"),
        (f"\\{A}  a\n".encode(), f"line 1 is no SHA-256 and a name: '\\\\{A}  a'"),
        (f"{A}  a\r\n".encode(), r"line 1 names 'a\r', which is no file of a release"),
        (f"{A}  ../a\n".encode(), "line 1 names '../a', which is no file of a release"),
        (f"{A}  .a\n".encode(), "line 1 names '.a', which is no file of a release"),
        (f"{A}  /etc/passwd\n".encode(), "line 1 names '/etc/passwd', which is no file of a release"),
        (f"{A}  {'a' * 201}\n".encode(), f"line 1 names '{'a' * 100}', which is no file of a release"),
        (f"{A}  a\xff\n".encode("latin-1"), r"line 1 names 'a\\xff', which is no file of a release"),
        (f"{A}  run.json\n".encode(), "line 1 names 'run.json', which is no file of a release"),
        (f"{A}  RUNSUMS\n".encode(), "line 1 names 'RUNSUMS', which is no file of a release"),
        (f"{A}  RUNSUMS.sig\n".encode(), "line 1 names 'RUNSUMS.sig', which is no file of a release"),
        (f"{A}  SHA256SUMS.sig\n".encode(), "line 1 names 'SHA256SUMS.sig', which is no file of a release"),
        (f"{A}  a\n{B}  a\n".encode(), "line 2 names 'a' again"),
    ],
)
def test_what_is_no_list(data: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_sums(data)
    assert caught.value.message == message


def test_what_every_release_has_is_made() -> None:
    assert tuple(TEXTS) == DOCUMENTS
    assert tuple(RUN_TEXTS) == RUNS
