"""A TPM 2.0 for a machine: swtpm, which keeps its state in a folder from one run to the next."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pipeline.vm.processes import running


@asynccontextmanager
async def attached_tpm(state: Path) -> AsyncIterator[int]:
    """Run the TPM whose state is in a folder, as it leaves the factory if there is none yet.

    Gives the descriptor that leads to its control channel. It ends with the block.
    """
    state.mkdir(parents=True, exist_ok=True)
    ours, theirs = socket.socketpair()
    control = f"type=unixio,clientfd={theirs.fileno()}"
    words = ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={state}", "--ctrl", control]
    with ours, theirs:
        async with running(words, fds=[theirs.fileno()]):
            yield ours.fileno()
