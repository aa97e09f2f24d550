"""The kinds of a UKI's smaller sections: device trees, hardware ids, signed PCR policies, profiles."""

import re
from dataclasses import dataclass

from pipeline.checks.kind import Kind
from pipeline.formats.devicetree import read_devicetree
from pipeline.formats.fields import Image
from pipeline.formats.hwids import read_hwids
from pipeline.formats.pcr import Policy, read_policies

MAX_TEXT = 4096  # bytes of a profile's description that are looked at
LINE = re.compile(r"""^(ID|TITLE)=(["']?)(.*)\2\s*$""", re.M)


@dataclass(frozen=True, slots=True)
class Description:
    """What a profile is called: by programs, and by people."""

    id: str
    title: str

    @property
    def in_short(self) -> str:
        """Both."""
        return ", ".join(filter(None, [self.id, self.title]))


@dataclass(frozen=True, slots=True)
class Policies:
    """What PCRs have to be, signed."""

    signed: tuple[Policy, ...]

    @property
    def in_short(self) -> str:
        """How many there are."""
        return f"{len(self.signed)} policies"


def read_description(image: Image) -> Description:
    """Read a .profile, lines as in os-release(5)."""
    text = bytes(image[:MAX_TEXT]).partition(b"\0")[0].decode(errors="replace")
    said = {key: value for key, _, value in LINE.findall(text)}
    return Description(said.get("ID", ""), said.get("TITLE", ""))


KINDS = (
    Kind("devicetree", "device tree", "DTB000", read_devicetree, ()),
    Kind("hwids", "hardware ids", "HWI000", read_hwids, ()),
    Kind("pcrsig", "signed PCR policies", "PCR000", lambda image: Policies(read_policies(image)), ()),
    Kind("profile", "UKI profile", "", read_description, ()),
)
BY_SECTION = {
    ".dtb": "devicetree",
    ".dtbauto": "devicetree",
    ".hwids": "hwids",
    ".pcrsig": "pcrsig",
    ".profile": "profile",
}
"""Which kind a section of that name is of."""
