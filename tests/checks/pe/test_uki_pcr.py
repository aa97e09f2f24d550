"""PCR 11 as the stub makes it out of a UKI, and policies that are for it or for another."""

import hashlib
import struct
from collections.abc import Sequence

import pytest

from pipeline.checks.catalog import take_apart
from pipeline.checks.pe.uki_pcr import expected, values
from pipeline.checks.pe.uki_profiles import profiles
from pipeline.formats.pcr import phases, policy_digest
from pipeline.formats.pe import read_pe
from tests.fixtures import patch
from tests.fixtures.devicetree import dtb
from tests.fixtures.pcrsig import EC_KEY, RSA_KEY, Key, pcrsig, public
from tests.fixtures.pe import pe, section_field
from tests.fixtures.uki import uki

VIRTUAL_SIZE = 8
TREE = dtb(model="Board", compatible=["acme,board"])
MAIN, RESCUE = (".profile", b"ID=main\n"), (".profile", b"ID=rescue\n")

Sections = Sequence[tuple[str, bytes]]


def measured(*sections: tuple[str, bytes]) -> bytes:
    """PCR 11 after these sections, name and contents each."""
    value = bytes(32)
    for name, data in sections:
        for event in (name.encode() + b"\0", data):
            value = hashlib.sha256(value + hashlib.sha256(event).digest()).digest()
    return value


def all_values(image: bytes) -> list[list[bytes]]:
    uki = read_pe(image)
    return [list(values(uki, profile, "sha256", {})) for profile in profiles(uki)]


def test_sections_are_measured_in_the_stub_s_order() -> None:
    image = pe(
        [
            (".text", b"\xc3"),
            (".hwids", b"h"),
            (".uname", b"u"),
            (".pcrsig", b"s"),
            (".initrd", b"i"),
            (".cmdline", b"c"),
            (".osrel", b""),
            (".linux", b"l"),
        ]
    )
    value = measured(
        (".linux", b"l"), (".cmdline", b"c"), (".initrd", b"i"), (".uname", b"u"), (".hwids", b"h")
    )
    assert all_values(image) == [[value]]
    (profile,) = profiles(read_pe(image))
    assert expected(read_pe(image), profile) == {
        path: after.hex() for path, after in phases("sha256", value).items()
    }


def test_a_section_is_measured_as_long_as_it_is_in_memory() -> None:
    image = pe([(".linux", b"kernel")])
    longer = patch(image, section_field(image, ".linux", VIRTUAL_SIZE), struct.pack("<I", 0x800))
    shorter = patch(image, section_field(image, ".linux", VIRTUAL_SIZE), struct.pack("<I", 3))
    assert all_values(longer) == [[measured((".linux", b"kernel".ljust(0x800, b"\0")))]]
    assert all_values(shorter) == [[measured((".linux", b"ker"))]]


def test_each_choice_of_the_stub_makes_a_value() -> None:
    linux, one, two, firmware = (".linux", b"l"), (".dtbauto", b"1"), (".dtbauto", b"2"), (".efifw", b"f")
    assert all_values(pe([linux, one, two])) == [
        [measured(linux), measured(linux, one), measured(linux, two)]
    ]
    assert all_values(pe([linux, one, firmware])) == [
        [measured(linux), measured(linux, firmware), measured(linux, one), measured(linux, one, firmware)]
    ]


def test_each_profile_makes_a_value() -> None:
    linux, first, second = (".linux", b"l"), (".cmdline", b"a"), (".cmdline", b"b")
    assert all_values(pe([linux, first, MAIN, RESCUE, second])) == [
        [measured(linux, first, MAIN)],
        [measured(linux, second, RESCUE)],
    ]


def digests(image: bytes, profile: int = 0) -> list[bytes]:
    """The policies for a profile, as ukify signs them."""
    (value, *_) = all_values(image)[profile]
    return [policy_digest("sha256", after) for after in phases("sha256", value).values()][1:5]


def signed(image: bytes, more: Sections = (), key: Key = EC_KEY) -> bytes:
    """A UKI with the policies that are for another."""
    return uki(more=[*more, (".pcrpkey", public(EC_KEY)), (".pcrsig", pcrsig(digests(image), key))])


def told(image: bytes) -> list[tuple[str, str, str]]:
    findings = take_apart(image, "uki").all_findings()
    return [(finding.code, finding.severity.value, finding.message) for finding in findings]


WITH_KEY = uki(more=[(".pcrpkey", public(EC_KEY))])


@pytest.mark.parametrize("more", [[], [(".dtbauto", b"")], [(".mine", b"is not measured")]])
def test_policies_that_fit(more: Sections) -> None:
    assert told(signed(WITH_KEY, more)) == []


def test_policies_for_another_command_line() -> None:
    image = signed(WITH_KEY).replace(b"tty0 quiet", b"tty0 debug")
    value = phases("sha256", all_values(image)[0][0])["enter-initrd"].hex()
    assert told(image) == [
        (
            "UKI020",
            "warning",
            f"the UKI's .pcrsig is for another PCR 11 than it will have (sha256 {value} after enter-initrd): "
            "none of its policies (4) fits, and what the TPM seals to them will not unlock",
        )
    ]


def test_policies_of_another_key() -> None:
    assert told(signed(WITH_KEY, key=RSA_KEY)) == [
        ("UKI020", "warning", "no policy in the UKI's .pcrsig was signed with the key of its .pcrpkey")
    ]


def test_policies_for_other_pcrs_are_not_judged() -> None:
    assert told(uki(more=[(".pcrsig", pcrsig([bytes(32)], pcr=4))])) == []


def test_what_is_no_policy_is_told_once() -> None:
    ((code, severity, message),) = told(uki(more=[(".pcrsig", b"milk, eggs")]))
    assert (code, severity) == ("PCR000", "error")
    assert message.startswith(".pcrsig: .pcrsig: it is no JSON of signed policies: ")


def test_each_profile_needs_policies_of_its_own() -> None:
    plain = [MAIN, RESCUE, (".cmdline", b"rdinit=/sbin/init")]
    first = digests(uki(more=plain))
    joined = [*first, *digests(uki(more=plain), 1)]
    assert told(uki(more=[(".pcrsig", pcrsig(joined)), *plain])) == []
    ((code, _, message),) = told(uki(more=[(".pcrsig", pcrsig(first)), *plain]))
    assert (code, message[:47]) == ("UKI020", "profile @1 (rescue): the UKI's .pcrsig is for a")


def test_policies_for_one_of_several_device_trees() -> None:
    trees: Sections = [(".dtbauto", b""), (".dtbauto", TREE)]
    (_, value) = all_values(uki(more=trees))[0][:2]
    assert told(uki(more=[*trees, (".pcrsig", pcrsig([policy_digest("sha256", value)]))])) == []
