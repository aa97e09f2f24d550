"""Where a step runs: the container engine, and how files cross into it and out of it."""

import os
import sys

if not (os.environ.get("DOCKER_HOST") or os.environ.get("CONTAINER_HOST") or "").startswith("ssh:"):
    # docker-py needs it for ssh:// alone and does without it elsewhere; loading it takes 0.1 s
    sys.modules.setdefault("paramiko", None)  # type: ignore[arg-type]
