"""Makes the tree of hashes by which dm-verity verifies a read-only file system, and its root hash.

Salt and UUID derive from the data: the same data has the same root hash. Our own reader judges the tree.

Specifications: Linux, Documentation/admin-guide/device-mapper/verity.rst; veritysetup(8)
"""

import hashlib
import uuid

from pipeline.errors import PipelineError
from pipeline.formats.fields import open_image
from pipeline.formats.verity import verify
from pipeline.steps.runner import Context

BLOCK = 4096  # bytes
NAMESPACE = uuid.UUID("3f1e6c1e-6f3c-5a0e-9f0e-8a2f2f0a3d55")
"""For UUIDs that derive from data (RFC 9562, §5.5)."""


def names(data: str) -> tuple[str, str]:
    """Return what tree and root hash of the file system `data` are called."""
    stem = data.rpartition(".")[0] or data
    return f"{stem}.verity", f"{stem}.roothash"


def format_argv(digest: str, data: str, tree: str, root: str) -> list[str]:
    """Return veritysetup's command line for data with that SHA-256 (hex)."""
    return [
        "veritysetup",
        "format",
        "--hash=sha256",
        f"--data-block-size={BLOCK}",
        f"--hash-block-size={BLOCK}",
        f"--salt={digest}",
        f"--uuid={uuid.uuid5(NAMESPACE, digest)}",
        f"--root-hash-file={root}",
        data,
        tree,
    ]


def build(ctx: Context) -> None:
    """Make the tree and the root hash, a line of hex, of the input that `params.data` names.

    Raises PipelineError for data that is no whole number of blocks, FormatError for a tree that is not that
    of the data.
    """
    name = ctx.params["data"]
    data = ctx.inputs[name]
    size = data.stat().st_size
    if size == 0 or size % BLOCK:
        raise PipelineError(
            f"{name} has {size} bytes, and dm-verity verifies whole blocks of {BLOCK}",
            "make it with the step `filesystem`, which fills the last block up",
        )
    with data.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    tree, root = (ctx.out / each for each in names(name))
    ctx.run(format_argv(digest, str(data), str(tree), str(root)))
    text = root.read_text(encoding="ascii").strip()
    verify(open_image(data), open_image(tree), bytes.fromhex(text))
    root.write_text(text + "\n", encoding="ascii")
