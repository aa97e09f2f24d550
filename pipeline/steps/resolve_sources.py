"""Finds the files of Debian source packages with apt, by indices it has verified."""

import json
import re
from collections.abc import Mapping
from typing import Any

from pipeline.errors import PipelineError
from pipeline.steps.resolve import apt_config, sources_list
from pipeline.steps.runner import Context

SOURCE_URI = re.compile(
    r"'(?P<base>\S+?)/(?P<path>pool/\S+)' \S+ (?P<size>\d+) SHA256:(?P<sha256>[0-9a-f]{64})"
)


def resolve(ctx: Context) -> None:
    """Write `sources.json`: of each of `params.wanted`, source package and version, the files that it is.

    Of when an index is does not matter, as versions are exact: each source is asked for what those before it
    lack. Parameters besides are `sources` and `archives`. Raises PipelineError for what no source has.
    """
    for folder in ("state/lists/partial", "cache/archives/partial"):
        (ctx.work / folder).mkdir(parents=True)
    env, archives = apt_config(ctx, ["amd64"], dated=True), ctx.params["archives"]
    found: dict[str, list[dict[str, Any]]] = {}
    wanted = [f"{name}={version}" for name, version in ctx.params["wanted"]]
    for source in ctx.params["sources"]:
        if len(found) == len(wanted):
            break
        (ctx.work / "sources.list").write_text(sources_list(source["urls"], archives, "deb-src"))
        bases = {url: archive for archive, url in source["urls"].items()}
        try:
            ctx.run(["apt-get", "update", "--error-on=any"], env=env)
        except PipelineError as error:
            ctx.note(f"{source['origin']}: {error.message}")
            continue
        for each in wanted:
            if each not in found and (files := _source_files(ctx, each, bases, env)):
                found[each] = files
    if missing := [each for each in wanted if each not in found]:
        raise PipelineError(
            f"no source has the source packages {', '.join(missing)}",
            "set INSTALLER_ISO_DEBIAN_MIRROR to the folder above `debian` of a mirror that has them",
        )
    (ctx.out / "sources.json").write_text(json.dumps(found))


def _source_files(
    ctx: Context, wanted: str, bases: Mapping[str, str], env: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Return the files of a source package, none where apt does not know it."""
    try:
        command = ["apt-get", "source", "--print-uris", "--only-source", "-qq", wanted]
        matches = SOURCE_URI.finditer(ctx.run(command, env=env))
    except PipelineError:
        return []
    return [
        {
            "archive": bases[match["base"]],
            "path": match["path"],
            "size": int(match["size"]),
            "sha256": match["sha256"],
        }
        for match in matches
        if match["base"] in bases
    ]
