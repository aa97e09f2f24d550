"""Resolves container intents to exact Debian packages with apt, against an index it has verified."""

import json
import re
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, TypedDict
from urllib.parse import unquote

from pipeline.errors import PipelineError
from pipeline.inside import Context

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

APT_CONF = """\
APT::Architecture "amd64";
APT::Architectures { "amd64"; };
APT::Install-Recommends "false";
Acquire::ForceHash "SHA256";
Acquire::Languages "none";
Acquire::https::CaInfo "%(ca)s";
Acquire::Check-Valid-Until "%(valid_until)s";
Acquire::Retries "3";
Dir::Etc::parts "/dev/null";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::sourcelist "%(work)s/sources.list";
Dir::State "%(work)s/state";
Dir::State::status "/dev/null";
Dir::Cache "%(work)s/cache";
"""

URI = re.compile(
    r"'(?P<base>\S+?)/(?P<path>(?:pool)/\S+)' (?P<file>\S+)_(?P<version>[^_ ]+)_\w+\.deb (?P<size>\d+)"
    r" SHA256:(?P<sha256>[0-9a-f]{64})"
)


class Source(TypedDict):
    """Where apt looks: `urls` maps each archive to its folder, `dated` says it is a snapshot."""

    origin: str
    urls: dict[str, str]
    dated: bool


def sources_list(urls: Mapping[str, str], archives: Mapping[str, Sequence[str]]) -> str:
    """Return a sources.list(5) for the suites of each archive."""
    return "".join(
        f"deb [signed-by={KEYRING}] {urls[archive]} {suite} main\n"
        for archive, suites in archives.items()
        for suite in suites
    )


def parse_uris(text: str, urls: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the packages that `apt-get install --print-uris` lists, by name.

    Raises PipelineError for a line of another form: a package without SHA-256 must not be overlooked.
    """
    archives = {url: archive for archive, url in urls.items()}
    packages = []
    for line in text.splitlines():
        if not line.startswith("'"):
            continue
        match = URI.match(line)
        if match is None or match["base"] not in archives:
            raise PipelineError(f"apt prints a package in a form that is not known here: {line!r}")
        packages.append(
            {
                "name": match["file"],
                "version": unquote(match["version"]),
                "archive": archives[match["base"]],
                "path": match["path"],
                "size": int(match["size"]),
                "sha256": match["sha256"],
            }
        )
    return sorted(packages, key=lambda package: package["name"])


def release_dates(lists: Path) -> list[str]:
    """Return the `Date` field of every Release file that apt fetched."""
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in sorted(lists.glob("*Release"))]
    return [match[1] for text in texts if (match := re.search(r"^Date: (.+)$", text, re.MULTILINE))]


def newest(dates: Sequence[str]) -> str:
    """Return the latest of these dates (RFC 5322) as a snapshot's time stamp; a late one for none."""
    if not dates:
        return "9"
    return f"{max(parsedate_to_datetime(date) for date in dates):%Y%m%dT%H%M%SZ}"


def _update(ctx: Context, sources: Sequence[Source], env: Mapping[str, str]) -> Source:
    """Fetch the indices from the first source that has them all, with good signatures.

    An index that is newer than the snapshot names packages that the snapshot does not hold.
    """
    reasons = []
    for source in sources:
        (ctx.work / "sources.list").write_text(sources_list(source["urls"], ctx.params["archives"]))
        valid_until = "false" if source["dated"] else "true"
        conf = APT_CONF % {"work": ctx.work, "ca": ctx.inputs["ca.pem"], "valid_until": valid_until}
        (ctx.work / "apt.conf").write_text(conf)
        try:
            ctx.run(["apt-get", "update", "--error-on=any"], env=env)
        except PipelineError as error:
            reasons.append(f"{source['origin']}: {error.message}")
            continue
        stamp = newest(release_dates(ctx.work / "state/lists"))
        if stamp <= ctx.params["snapshot"]:
            return source
        reasons.append(f"{source['origin']}: its index is of {stamp}, newer than the snapshot")
    raise PipelineError(
        f"no source has Debian's index as it was at {ctx.params['snapshot']}:\n" + "\n".join(reasons),
        "to go on to newer packages, write a time stamp of now as debian.snapshot in"
        " manifests/manifest.toml and run `./doit lock` for all containers",
    )


def resolve(ctx: Context) -> None:
    """Write `<container>.json`, a list of packages, for each of `params.containers` (name to packages)."""
    for folder in ("state/lists/partial", "cache/archives/partial"):
        (ctx.work / folder).mkdir(parents=True)
    env = {"APT_CONFIG": str(ctx.work / "apt.conf")}
    source = _update(ctx, ctx.params["sources"], env)
    ctx.note(f"resolving against {source['origin']}")
    for name, packages in ctx.params["containers"].items():
        text = ctx.run(["apt-get", "install", "--print-uris", "--yes", "-qq", *packages], env=env)
        (ctx.out / f"{name}.json").write_text(json.dumps(parse_uris(text, source["urls"])))
