"""PAM's common files, as pam-auth-update(8) makes them of the profiles in /usr/share/pam-configs.

Specification: https://wiki.ubuntu.com/PAMConfigFrameworkSpec
"""

import re
from collections.abc import Mapping, Sequence

NONINTERACTIVE = "Session-noninteractive"

KINDS = {
    "account": "Account",
    "auth": "Auth",
    "password": "Password",
    "session": "Session",
    "session-noninteractive": NONINTERACTIVE,
}
"""The endings of the files' names, and what profiles call them."""

NOBODY = "[default=1]\t\t\tpam_permit.so"
"""What stands in a primary block without a module: it jumps over the denial behind it."""

Profile = Mapping[str, str]


def read_profile(text: str) -> Profile:
    """Return the fields of a profile; the lines of one that has several, without blanks around them."""
    fields: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        match = re.fullmatch(r"(\S+):\s*(.*?)\s*", line)
        if match:
            name = match[1].removesuffix("-Final")
            fields[name] = match[2]
        elif name and line.strip():
            fields[name] = f"{fields[name]}\n{line.strip()}".lstrip("\n")
    if fields.get("Session-Interactive-Only") != "yes":
        for part in ("", "-Type", "-Initial"):
            if f"Session{part}" in fields:
                fields[f"{NONINTERACTIVE}{part}"] = fields[f"Session{part}"]
    return fields


def chosen(profiles: Mapping[str, Profile]) -> list[Profile]:
    """Return the profiles that are on by default, by priority, highest first, then by name.

    One that conflicts with an earlier one is left out.
    """
    ordered = sorted(profiles, key=lambda name: (-int(profiles[name].get("Priority", "0")), name))
    taken: list[str] = []
    for name in ordered:
        rivals = re.split(r",\s*", profiles[name].get("Conflicts", ""))
        others = [one for one in taken if name in re.split(r",\s*", profiles[one].get("Conflicts", ""))]
        if profiles[name].get("Default") == "yes" and not others and not set(rivals) & set(taken):
            taken.append(name)
    return [profiles[name] for name in taken]


def common(template: str, kind: str, profiles: Sequence[Profile]) -> str:
    """Return the file `common-<kind>` of its template and the profiles, which are in order."""
    word = kind.partition("-")[0]
    text = template
    for block in ("Primary", "Additional"):
        lines = _block(KINDS[kind], block, profiles)
        # `end` leads behind the block, and of the primary one also over the denial that comes next
        count = len(lines) + (block == "Primary")
        lines = [_jumping(line, count - number) for number, line in enumerate(lines, 1)]
        if block == "Primary" and not lines:
            lines = [NOBODY]
        written = "".join(f"{word}\t{line}\n" for line in lines)
        place = rf"^\$\w+_{block.lower()}\n"
        text = re.sub(place, written.replace("\\", r"\\"), text, flags=re.MULTILINE)
    return text


def _block(field: str, block: str, profiles: Sequence[Profile]) -> list[str]:
    """Return the lines of a block: the first profile in it says what comes when nobody was asked yet."""
    lines: list[str] = []
    own = [profile for profile in profiles if profile.get(f"{field}-Type") == block]
    for profile in own:
        first = profile.get(f"{field}-Initial") if profile is own[0] else None
        lines += (first or profile.get(field, "")).splitlines()
    return lines


def _jumping(line: str, over: int) -> str:
    """Return a line in whose control field `end` is how many modules are jumped over."""
    return re.sub(r"(\[[^]]*=)end\b", rf"\g<1>{over}", line)
