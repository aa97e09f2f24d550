"""Names in a store: those that Nix 2.8 itself gives (`nix-hash --type sha256`, `nix-store --add`)."""

import pytest

from pipeline.errors import FormatError
from pipeline.formats.nar import File, Folder, Link, Node, base32, digest, path_of

SAME = File(b"hello")
TREE = Folder(
    {
        "run": File(b"#!/bin/sh\n", runs=True),
        "a": SAME,
        "sub": Folder({"link": Link("../a")}),
        "nothing": File(b""),
        "empty": Folder({}),
    }
)
OTHERS = {
    "a name": Folder({"b" if name == "a" else name: node for name, node in TREE.entries.items()}),
    "a right": Folder({**TREE.entries, "a": File(b"hello", runs=True)}),
    "a byte": Folder({**TREE.entries, "a": File(b"hellp")}),
    "a target": Folder({**TREE.entries, "sub": Folder({"link": Link("../b")})}),
    "a kind": Folder({**TREE.entries, "nothing": Folder({})}),
}


def test_it_is_called_as_nix_calls_it() -> None:
    known = "015695c7f101393530a27ffe7d15f3e1b3fddee7b320c58e07f9cb41eebe9b4b"
    assert digest(TREE) == known
    assert base32(bytes.fromhex(known)) == "0jwvpvp43jzr0y7ca85kwzggvcz1ycapvzkzl8q3af81y73ramh1"
    assert path_of("/nix/store", "tree", TREE) == "/nix/store/3a9r3mv34ibz5jn2bigi8q7wz5i7hnfw-tree"
    assert path_of("/gnu/store", "tree", TREE) == "/gnu/store/aa86vp39d6psnjpnx6mxqsiq57mcw2ra-tree"


def test_what_it_leads_to_is_in_its_name_whatever_the_order() -> None:
    alone, led = path_of("/s", "tree", TREE), path_of("/s", "tree", TREE, ("/s/b", "/s/a"))
    assert led == path_of("/s", "tree", TREE, ("/s/a", "/s/b", "/s/a")) != alone


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_another_tree_has_another_name(other: Node) -> None:
    assert digest(other) != digest(TREE)


def test_an_order_is_no_other_tree() -> None:
    assert digest(Folder(dict(sorted(TREE.entries.items(), reverse=True)))) == digest(TREE)


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "a b", "x" * 212])
def test_a_name_that_no_store_has(name: str) -> None:
    with pytest.raises(FormatError, match="cannot be the name of what lies in a store"):
        path_of("/gnu/store", name, TREE)
