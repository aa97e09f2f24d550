"""Where Debian packages come from: the sources at which a path inside an archive is tried."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from pipeline.config import is_url
from pipeline.errors import PipelineError

APT = Path("/etc/apt")


@dataclass(frozen=True)
class Mirror:
    """The folder above `debian` and `debian-security`, and how people know it.

    One with a time stamp is the snapshot archive, which has every state that Debian ever published.
    """

    base: str
    origin: str
    timestamp: str = ""

    def url(self, archive: str, path: str) -> str:
        """Return the URL of a file in an archive, as it was at the time stamp."""
        return f"{self.base}/{archive}/{f'{self.timestamp}/' if self.timestamp else ''}{path}"


def _apt_uris(apt: Path) -> list[str]:
    """Return the URIs of apt's sources, both formats of sources.list(5), in apt's order."""
    uris: list[str] = []
    for path in [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*"))]:
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        if path.suffix == ".sources":
            from debian.deb822 import Deb822  # it takes longer to load than doing nothing

            for paragraph in Deb822.iter_paragraphs(text, use_apt_pkg=False):
                if paragraph.get("Enabled", "yes") != "no":
                    uris += paragraph.get("URIs", "").split()
        elif path.suffix == ".list":
            uris += re.findall(r"^\s*deb\s+(?:\[[^\]]*\]\s*)?(\S+)", text, re.MULTILINE)
    return uris


def _host_and_path(mirror: Mirror) -> str:
    """Return what of a mirror's URL says who it is: the same files come by http and https."""
    return mirror.base.partition("://")[2]


def sources(snapshot_url: str, timestamp: str, mirror: str | None = None, apt: Path = APT) -> list[Mirror]:
    """Return where Debian's files are looked for, in the order in which they are tried.

    INSTALLER_ISO_DEBIAN_MIRROR (the folder above `debian`), the mirrors that this machine's apt is
    set up with, the manifest's `mirror`, and for what they dropped the snapshot archive, which asks to be
    spared. What apt names and is no URL is left out: apt says so itself.
    Raises PipelineError for a variable that is none.
    """
    found: list[Mirror] = []
    if chosen := os.environ.get("INSTALLER_ISO_DEBIAN_MIRROR"):
        if not is_url(chosen):
            raise PipelineError(
                f"INSTALLER_ISO_DEBIAN_MIRROR: {chosen!r} is not a URL",
                "name the folder above `debian` of a mirror, such as https://mirror.example.org",
            )
        found.append(Mirror(chosen.rstrip("/"), "INSTALLER_ISO_DEBIAN_MIRROR"))
    for uri in _apt_uris(apt):
        base, _, archive = uri.rstrip("/").rpartition("/")
        one = Mirror(base, "this machine's apt")
        if archive in ("debian", "debian-security") and is_url(uri):
            found += [one] if one not in found else []
    named = Mirror((mirror or "").rstrip("/"), "the manifest's mirror")
    if mirror and _host_and_path(named) not in map(_host_and_path, found):
        found.append(named)
    return [*found, Mirror(snapshot_url.rstrip("/"), "snapshot", timestamp)]
