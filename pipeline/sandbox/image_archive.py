"""How an image of one layer is written, and how one is known that an engine shows.

Attributes are what the Docker API's `GET /images/{name}/json` answers, the format is that of `docker save`
(https://docs.docker.com/reference/api/engine/).
"""

import json
import re
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from pipeline.sandbox.transfer import add_bytes


def write_image(tag: str, diff_id: str, layer: Path, file: IO[bytes]) -> None:
    """Write the image `tag` of one layer, whose configuration says nothing, and go back to the beginning."""
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{diff_id}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [tag], "Layers": ["layer.tar"]}]
    with tarfile.open(fileobj=file, mode="w") as tar:
        add_bytes(tar, "manifest.json", json.dumps(manifest).encode())
        add_bytes(tar, "config.json", json.dumps(config).encode())
        tar.add(layer, "layer.tar")
    file.seek(0)


def is_bare(attributes: Mapping[str, Any], diff_id: str) -> bool:
    """Tell whether an image has this layer alone, and a configuration that says nothing."""
    return (
        attributes["RootFS"]["Layers"] == [f"sha256:{diff_id}"]
        and (attributes["Os"], attributes["Architecture"]) == ("linux", "amd64")
        and not any((attributes.get("Config") or {}).values())
    )


def is_ours(tag: str, attributes: Mapping[str, Any], repository: str) -> bool:
    """Tell whether a tag is as this program gives them: `<repository>/<name>:<its layer's first digits>`."""
    name = re.fullmatch(rf"(?:localhost/|docker\.io/)?{re.escape(repository)}/[^/:]+:([0-9a-f]{{16}})", tag)
    layers = attributes["RootFS"].get("Layers") or []
    return name is not None and len(layers) == 1 and layers[0].startswith(f"sha256:{name[1]}")
