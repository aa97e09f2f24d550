import json
from typing import Any

import pytest

from pipeline.errors import FormatError
from pipeline.formats.signatures_file import Signed, compact, read_signatures_file, signatures_file

OF = "ab" * 32
PCRSIG = '{"sha256":[{"pcrs":[11],"pkfp":"00","pol":"ff","sig":"cw=="}]}'
IMAGES = {
    "shimx64.efi": Signed("cd" * 32, "", ()),
    "TruthDB.efi": Signed(OF, PCRSIG, (b"\x30\x01", b"\xff")),
}
TEXT = """\
{
  "schema": 1,
  "images": {
    "TruthDB.efi": {
      "of": "%s",
      "pcrsig": {
        "sha256": [
          {
            "pcrs": [
              11
            ],
            "pkfp": "00",
            "pol": "ff",
            "sig": "cw=="
          }
        ]
      },
      "signatures": [
        "MAE=",
        "/w=="
      ]
    },
    "shimx64.efi": {
      "of": "%s",
      "pcrsig": null,
      "signatures": []
    }
  }
}
"""


def test_what_is_written_is_read() -> None:
    data = signatures_file(IMAGES)
    assert data.decode() == TEXT % (OF, "cd" * 32)
    assert read_signatures_file(data) == IMAGES


def test_policies_are_the_same_text_in_whatever_order_they_come() -> None:
    assert compact({"b": [], "a": [{"y": 1, "x": 2}]}) == compact({"a": [{"x": 2, "y": 1}], "b": []})


def changed(**fields: Any) -> bytes:
    said = json.loads(signatures_file(IMAGES))
    said["images"]["TruthDB.efi"] |= fields
    return json.dumps(said).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xff",
        b"[]",
        b'{"schema": 1}',
        b'{"schema": 1, "images": []}',
        b'{"schema": 1, "images": {"a": 1}}',
        b"[" * 100_000,
        changed(of="AB" * 32),
        changed(of=1),
        changed(pcrsig="{}"),
        changed(signatures=1),
        changed(signatures=[1]),
        changed(signatures=["#"]),
    ],
)
def test_what_is_none_is_told(data: bytes) -> None:
    with pytest.raises(FormatError, match="it is no file of signatures") as caught:
        read_signatures_file(data)
    assert caught.value.hint == "remove it, and sign again: `./doit sign --secure-boot`"


def test_another_schema_is_told() -> None:
    with pytest.raises(FormatError, match="it has the schema 2, and 1 is known here"):
        read_signatures_file(b'{"schema": 2}')
