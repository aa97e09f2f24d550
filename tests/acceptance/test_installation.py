import hashlib
import json
from pathlib import Path

import pytest

from acceptance.installation import check_receipt, with_answers
from pipeline.boot.stories import Lab
from pipeline.vm import disks
from pipeline.vm.session import NotSeenError

SYSTEM = hashlib.sha256(b"the system").hexdigest()


def receipt(**changes: object) -> str:
    """The receipt of the system that the lab's payload is."""
    return json.dumps({"system": "0.1.0", "verified": True, "files": [{"sha256": SYSTEM}]} | changes)


def test_a_receipt_of_what_was_installed(lab: Lab) -> None:
    check_receipt(lab, receipt(), verified=True)
    check_receipt(lab, receipt(verified=False), verified=False)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "the receipt cannot be read"),
        (receipt(files=None), "the receipt cannot be read"),
        (json.dumps({"system": "0.1.0"}), "the receipt cannot be read"),
        (receipt(system="0.0.9"), "the receipt says ('0.0.9'"),
        (receipt(verified=False), "the receipt says ('0.1.0', False"),
        (receipt(files=[]), "the receipt says ('0.1.0', True, set())"),
        (receipt(files=[{"sha256": "another"}]), "the receipt says ('0.1.0', True, {'another'})"),
    ],
)
def test_a_receipt_of_something_else(lab: Lab, text: str, sentence: str) -> None:
    with pytest.raises(NotSeenError) as caught:
        check_receipt(lab, text, verified=True)
    assert str(caught.value).startswith(sentence)


def test_an_answer_file_goes_into_the_machines_tables(lab: Lab) -> None:
    lab.firmware.code.write_bytes(b"")
    machine = with_answers(lab, lab.machine(), "version = 1\n")
    assert [path.read_text() for path in machine.oem_strings] == ["truthdb.install.toml=version = 1\n"]


def test_boot_entries_come_in_the_firmwares_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (
        bytes(6) + name.encode("utf-16-le") + b"\0\0path" for name in ("TruthDB", "Another system")
    )
    store = {"Boot0007": first, "Boot0001": second, "BootOrder": b"\x07\0\x03\0\x01\0", "Lang": b"eng"}
    monkeypatch.setattr(disks, "variables", lambda _: store)
    assert disks.boot_entries(tmp_path) == [first, second]
    assert disks.boot_order(tmp_path) == ["TruthDB", "Another system"]
    del store["BootOrder"]
    assert disks.boot_order(tmp_path) == []
