"""The pipeline as a wheel that a project brings along, pinned by its digest: it needs nothing else."""

import shutil
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.project import engine
from pipeline.store.files import sha256_of


def pinned_wheel(root: Path, folder: Path) -> str:
    """Put the wheel of this pipeline into `folder`, and return its line for requirements.lock.

    It is made of the checkout that this is; in the project `root` of another product it is that one's own.
    Raises PipelineError where that has none.
    """
    folder.mkdir()
    if (engine.TREE / "pyproject.toml").is_file():
        from hatchling.builders.wheel import WheelBuilder

        wheel = Path(next(WheelBuilder(str(engine.TREE)).build(directory=str(folder), versions=["standard"])))
    else:
        found = sorted((root / "wheels").glob("installer_iso-*.whl"))
        if len(found) != 1:
            raise PipelineError(
                f"{root / 'wheels'}: {len(found)} wheels of installer-iso, want the one that runs",
                "call the ./doit of a checkout of installer-iso instead",
            )
        wheel = Path(shutil.copy2(found[0], folder))
    return f"./{folder.name}/{wheel.name} --hash=sha256:{sha256_of(wheel)}"
