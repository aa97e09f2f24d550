"""Resolves intents to exact Debian packages with apt, against an index it has verified."""

import json
import re
import ssl
import urllib.request
from collections.abc import Mapping, Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from pathlib import Path
from typing import Any, TypedDict
from urllib.parse import unquote

from pipeline.errors import PipelineError
from pipeline.steps.runner import Context

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

# By itself apt calls itself essential (apt.conf(5)); `,` is no package's name.
APT_CONF = """\
APT::Architecture "%(native)s";
APT::Architectures { %(architectures)s };
APT::Install-Recommends "false";
Acquire::ForceHash "SHA256";
Acquire::Languages "none";
Acquire::https::CaInfo "%(ca)s";
Acquire::Check-Valid-Until "%(valid_until)s";
Acquire::Retries "3";
pkgCacheGen::ForceEssential ",";
Dir::Etc::parts "/dev/null";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::sourcelist "%(work)s/%(list)s";
Dir::State "%(work)s/state";
Dir::State::status "/dev/null";
Dir::Cache "%(work)s/cache";
"""

URI = re.compile(
    r"'(?P<base>\S+?)/(?P<path>(?:pool)/\S+)' (?P<file>\S+)_(?P<version>[^_ ]+)_\w+\.deb (?P<size>\d+)"
    r" SHA256:(?P<sha256>[0-9a-f]{64})"
)


MAIN = "main"
"""The component of each suite that all others depend on."""

ESSENTIAL = "?essential"
"""What stands for all essential packages in apt's arguments (apt-patterns(7))."""

SOURCES = "sources.list"

DATES = "dates"
"""The output that says of when the indices are."""

QUOTED = r"[\\|{}<>\"^~_=!@#$%&*]"
"""What apt quotes in the names of its lists."""

UNKNOWN = re.compile(
    r"^E: (?:Unable to locate package (\S+)|Package '(\S+)' has no installation candidate)$", re.MULTILINE
)
"""What apt says of a package that no index has, and of one that others only mention."""

TIMEOUT = 20  # seconds
RELEASE_LIMIT = 1 << 20  # bytes; its date stands at the beginning


class Source(TypedDict):
    """Where apt looks: `urls` maps each archive to its folder, `dated` says it is a snapshot."""

    origin: str
    urls: dict[str, str]
    dated: bool


def sources_list(
    urls: Mapping[str, str],
    archives: Mapping[str, Sequence[str]],
    kind: str = "deb",
    components: Sequence[str] = (MAIN,),
) -> str:
    """Return a sources.list(5) for the suites of each archive; `kind` is `deb`, or `deb-src` for sources.

    `components` are the parts of each suite. Raises PipelineError for a URL or a suite of more than one word:
    a line feed would begin a line.
    """
    for word in (
        *components,
        *urls.values(),
        *archives,
        *(suite for suites in archives.values() for suite in suites),
    ):
        if not re.fullmatch(r"(?!\[)[!-~]+", word):
            raise PipelineError(f"{word!r} is not a word of a sources.list")
    return "".join(
        f"{kind} [signed-by={KEYRING}] {urls[archive]} {suite} {' '.join(components)}\n"
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
            raise PipelineError(f"apt printed a package in an unknown format: {line!r}")
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


def index_dates(
    lists: Path, urls: Mapping[str, str], archives: Mapping[str, Sequence[str]]
) -> dict[str, str]:
    """Return the dates of the Release files that apt fetched, as snapshots' time stamps, by archive/suite.

    Raises PipelineError for a suite without one.
    """
    found = {}
    for archive, suites in archives.items():
        for suite in suites:
            url = re.sub(QUOTED, lambda match: f"%{ord(match[0]):02x}", urls[archive].partition("://")[2])
            name = f"{url}/dists/{suite}/".replace("/", "_")
            texts = [
                path.read_text(encoding="utf-8", errors="replace") for path in lists.glob(f"{name}*Release")
            ]
            found[f"{archive}/{suite}"] = stamp(texts[0] if texts else "", f"{archive}/{suite}")
    return found


def stamp(release: str, what: str) -> str:
    """Return a Release file's `Date` (RFC 5322) as a snapshot's time stamp. Raises PipelineError for none."""
    match = re.search(r"^Date: (.+)$", release, re.MULTILINE)
    try:
        if match:
            return f"{parsedate_to_datetime(match[1]).astimezone(UTC):%Y%m%dT%H%M%SZ}"
    except ValueError:
        pass
    raise PipelineError(f"the index of {what} has no date")


def snapshot_dates(
    sources: Sequence[Source], archives: Mapping[str, Sequence[str]], ca: Path
) -> dict[str, str]:
    """Return the dates of the snapshot archive's own indices, as `index_dates` does of a mirror's.

    Raises PipelineError where the archive cannot be asked.
    """
    found = {}
    context = ssl.create_default_context(cafile=ca)
    for source in sources:
        for archive, suites in archives.items() if source["dated"] else ():
            for suite in suites:
                url = f"{source['urls'][archive]}/dists/{suite}/InRelease"
                try:
                    with urllib.request.urlopen(url, timeout=TIMEOUT, context=context) as answer:  # noqa: S310
                        text = answer.read(RELEASE_LIMIT).decode("utf-8", "replace")
                except (OSError, HTTPException) as error:
                    raise PipelineError(f"the snapshot archive cannot be reached: {error}") from None
                found[f"{archive}/{suite}"] = stamp(text, f"{archive}/{suite}")
    return found


def _doubt(ctx: Context, source: Source, dates: Mapping[str, str]) -> str:
    """Return why these may not be the indices of the snapshot, "" where they are.

    A good signature says only that Debian once published an index: an old one has it, too.
    """
    for name, date in dates.items():
        if date > ctx.params["snapshot"]:
            return f"its index of {name} is of {date}, newer than the snapshot"
    if source["dated"]:
        return ""
    wanted = ctx.params["dates"]
    if set(wanted) != set(dates):
        try:
            wanted = snapshot_dates(ctx.params["sources"], ctx.params["archives"], ctx.inputs["ca.pem"])
        except PipelineError as error:
            if not ctx.params["trust_mirror"]:
                return f"its index may be an old one: {error.message}"
            ctx.note(f"taken without the snapshot archive's word: {error.message}")
            return ""
    for name, date in dates.items():
        if date != wanted.get(name):
            return f"its index of {name} is of {date}, the snapshot's is of {wanted.get(name)}"
    return ""


def apt_config(
    ctx: Context, architectures: Sequence[str], *, dated: bool, sources: str = SOURCES
) -> dict[str, str]:
    """Write a configuration of apt for a machine of the first architecture; return what names it to apt.

    `dated`: old indices are as good as new ones. `sources` is the sources.list(5) that it looks at: what
    others of them had fetched does not count.
    """
    path = ctx.work / f"{'-'.join(architectures)}{sources.removeprefix(SOURCES)}.conf"
    conf = APT_CONF % {
        "native": architectures[0],
        "architectures": " ".join(f'"{each}";' for each in architectures),
        "list": sources,
        "work": ctx.work,
        "ca": ctx.inputs["ca.pem"],
        "valid_until": "false" if dated else "true",
    }
    path.write_text(conf)
    return {"APT_CONFIG": str(path)}


def _update(
    ctx: Context, architectures: Sequence[str], components: Sequence[str]
) -> tuple[Source, dict[str, str]]:
    """Fetch the indices from the first source that has the snapshot's, well signed; return it and dates.

    A newer index names packages that the snapshot does not hold, an older one hides what was mended.
    """
    reasons = []
    sources: Sequence[Source] = ctx.params["sources"]
    archives = ctx.params["archives"]
    for source in sources:
        (ctx.work / SOURCES).write_text(sources_list(source["urls"], archives, components=components))
        env = apt_config(ctx, architectures, dated=source["dated"])
        try:
            ctx.run(["apt-get", "update", "--error-on=any"], env=env)
            dates = index_dates(ctx.work / "state/lists", source["urls"], archives)
            doubt = _doubt(ctx, source, dates)
        except PipelineError as error:
            doubt = error.message
        if not doubt:
            return source, dates
        reasons.append(f"{source['origin']}: {doubt}")
    raise PipelineError(
        f"no source has Debian's index as it was at {ctx.params['snapshot']}:\n" + "\n".join(reasons),
        "to go on to newer packages, write a time stamp of now as debian.snapshot in"
        " manifests/manifest.toml and run `./doit lock` for all containers; where the snapshot archive is out"
        " of reach, `./doit lock --trust-mirror` believes the mirror",
    )


def resolve(ctx: Context) -> None:
    """Write `<name>.json`, a list of packages, for each of `params.wanted`.

    That maps a name to `packages`, whether all `essential` ones join them, the `architecture` of the machine
    that has them, the `components` they may come from, and the path of the `intent` for messages. `DATES`
    gets the dates of the indices. Parameters: `sources`, `archives` and `snapshot`; `dates`, where locks of
    this snapshot have them; `trust_mirror`, to believe a mirror that nobody can vouch for.
    """
    for folder in ("state/lists/partial", "cache/archives/partial"):
        (ctx.work / folder).mkdir(parents=True)
    wanted = ctx.params["wanted"]
    components = sorted({each for one in wanted.values() for each in one["components"]})
    source, dates = _update(ctx, sorted({each["architecture"] for each in wanted.values()}), components)
    ctx.note(f"resolving against {source['origin']}")
    (ctx.out / DATES).write_text(json.dumps(dates))
    for name, each in wanted.items():
        # Of one architecture and its own components alone: apt takes from any that it knows.
        own = ".".join((SOURCES, *(one for one in sorted(each["components"]) if one != MAIN)))
        text = sources_list(source["urls"], ctx.params["archives"], components=each["components"])
        (ctx.work / own).write_text(text)
        env = apt_config(ctx, [each["architecture"]], dated=source["dated"], sources=own)
        packages = [*([ESSENTIAL] if each["essential"] else []), *each["packages"]]
        try:
            text = ctx.run(["apt-get", "install", "--print-uris", "--yes", "-qq", *packages], env=env)
        except PipelineError as error:
            raise _unknown_packages(each, error.message) or error from None
        (ctx.out / f"{name}.json").write_text(json.dumps(parse_uris(text, source["urls"])))


def _unknown_packages(wanted: Mapping[str, Any], said: str) -> PipelineError | None:
    """Return the error that tells which packages apt does not know, None where it says something else."""
    if not (names := [first or second for first, second in UNKNOWN.findall(said)]):
        return None
    unknown = ", ".join(map(repr, names))
    components = wanted["components"]
    parts = "" if list(components) == [MAIN] else f" in {', '.join(components)}"
    return PipelineError(
        f"{wanted['intent']}: packages: {unknown} is in no suite of debian.archives"
        f" for {wanted['architecture']}{parts}",
        "correct the name, or add the suite that has it to manifests/manifest.toml; "
        "packages.debian.org finds packages by the files in them",
    )
