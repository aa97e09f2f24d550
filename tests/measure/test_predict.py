"""What is published: its shape, whose schema is in docs, and what it says of images."""

import json
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from pipeline.errors import FormatError, PipelineError
from pipeline.formats.efi_variables import Variable
from pipeline.formats.secure_boot import DATABASES, GLOBAL
from pipeline.measure import predict
from pipeline.measure.predict import Document
from pipeline.measure.ways import chains
from tests.conftest import Compare
from tests.fixtures.firmware import SHA256, entries
from tests.fixtures.iso import iso
from tests.fixtures.uki import uki
from tests.measure.test_chain import UKI, digest_of

SHAPE = TypeAdapter(Document)
NO_SECURE_BOOT = "b5710bf57d25623e4019027da116821fa99f5c81e9e38b87671cc574f9281439"


def test_the_schema_is_current(golden: Compare) -> None:
    """`pytest --update-golden` writes it anew."""
    dialect = "https://json-schema.org/draft/2020-12/schema"
    golden(
        "../../docs/measure.schema.json",
        json.dumps({"$schema": dialect, **SHAPE.json_schema()}, indent=2) + "\n",
    )


def test_all_that_is_written_is_of_the_shape() -> None:
    made = predict.published(iso(), "a.iso", "ab" * 32, predict.stores(None))
    said = SHAPE.validate_json(predict.text([made]), strict=True, extra="forbid")
    assert said.images == [made]
    assert [(one.way, one.trust) for one in made.predictions] == [
        (way, trust) for trust in ("off", "setup") for way in ("cd", "usb")
    ]
    first = made.predictions[0]
    assert list(first.pcrs) == ["4", "7", "11", "12"]
    assert first.pcrs["7"] == NO_SECURE_BOOT
    assert first.pcrs["12"] == "00" * 32
    assert [each.pcr for each in first.events] == sorted(each.pcr for each in first.events)
    assert {each.kind for each in first.events if each.pcr == 11} == {"EV_IPL"}


def test_firmware_in_setup_mode_has_another_pcr_7_alone() -> None:
    off, setup = predict.published(uki(), "a.efi", "", predict.stores(None)).predictions
    assert [pcr for pcr, value in off.pcrs.items() if setup.pcrs[pcr] != value] == ["7"]


def test_of_what_cannot_be_predicted_it_is_said_why() -> None:
    made = predict.published(b"GIF", "a.gif", "", predict.stores(None))
    assert made.predictions == []
    assert made.unknown == [
        "all of it: it is no ISO, no disk with an EFI system partition, and no program",
    ]


def test_who_refuses_an_image_is_told_beside_those_who_do_not() -> None:
    strict = {("PK", GLOBAL): Variable(0, b"p")}
    found, refused = predict.expectations(chains(UKI, "a.efi"), {"off": None, "own": strict})
    assert [one.trust for one in found] == ["off"]
    assert refused == [
        "file, own: firmware with these variables does not start a.efi: nothing in db vouches for it"
    ]
    with pytest.raises(FormatError, match="nothing in db vouches"):
        predict.expectations(chains(UKI, "a.efi"), {"own": strict})


def test_keys_of_a_folder_are_those_of_the_firmware(tmp_path: Path) -> None:
    lists = {
        "PK": b"pk",
        "KEK": b"kek",
        "db": entries((SHA256, bytes(32)), (SHA256, digest_of(UKI))),
        "db-2": entries((SHA256, digest_of(UKI))),  # to append; db has all there are
    }
    for name, data in lists.items():
        (tmp_path / f"{name}.esl").write_bytes(data)
    held = predict.enrolled(tmp_path)
    assert {name: one.data for (name, _), one in held.items()} == {
        "PK": b"pk",
        "KEK": b"kek",
        "db": lists["db"],
    }
    made = predict.published(UKI, "a.efi", "", predict.stores(tmp_path))
    assert [one.trust for one in made.predictions] == ["off", "setup", "own"]
    (tmp_path / "dbx.esl").write_bytes(b"x")
    assert predict.enrolled(tmp_path)["dbx", DATABASES].data == b"x"
    (tmp_path / "KEK.esl").unlink()
    with pytest.raises(PipelineError) as caught:
        predict.enrolled(tmp_path)
    assert caught.value.message == f"{tmp_path}/KEK.esl: cannot be read: No such file or directory"
