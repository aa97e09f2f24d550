"""How an image of one layer is written, and how one is known that an engine shows.

Attributes are what the Docker API's `GET /images/{name}/json` answers, the format is that of `docker save`
(https://docs.docker.com/reference/api/engine/).
"""

import json
import re
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

CHUNK = 1 << 20  # bytes of a layer that are sent at a time


def image_archive(tag: str, diff_id: str, architecture: str, layer: Path) -> Iterator[bytes]:
    """Yield the archive of an image of one layer, whose configuration says nothing: a layer may be large."""
    config = {
        "architecture": architecture,
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{diff_id}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [tag], "Layers": ["layer.tar"]}]
    for name, content in (("manifest.json", manifest), ("config.json", config)):
        data = json.dumps(content).encode()
        yield _header(name, len(data)) + data + _padding(len(data))
    size = layer.stat().st_size
    yield _header("layer.tar", size)
    with layer.open("rb") as file:
        while data := file.read(CHUNK):
            yield data
    yield _padding(size) + bytes(2 * tarfile.BLOCKSIZE)


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf()


def _padding(size: int) -> bytes:
    return bytes(-size % tarfile.BLOCKSIZE)


def is_bare(attributes: Mapping[str, Any], diff_id: str, architecture: str) -> bool:
    """Tell whether an image has this layer alone, and a configuration that says nothing."""
    return (
        attributes["RootFS"]["Layers"] == [f"sha256:{diff_id}"]
        and (attributes["Os"], attributes["Architecture"]) == ("linux", architecture)
        and not any((attributes.get("Config") or {}).values())
    )


def is_ours(tag: str, attributes: Mapping[str, Any], repository: str) -> bool:
    """Tell whether a tag is as this program gives them: `<repository>/<name>:<its layer's first digits>`."""
    name = re.fullmatch(rf"(?:localhost/|docker\.io/)?{re.escape(repository)}/[^/:]+:([0-9a-f]{{16}})", tag)
    layers = attributes["RootFS"].get("Layers") or []
    return name is not None and len(layers) == 1 and layers[0].startswith(f"sha256:{name[1]}")
