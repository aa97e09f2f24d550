"""Reports on all that differs between two files, with diffoscope: https://diffoscope.org/"""

import shutil

from pipeline.errors import PipelineError
from pipeline.steps.runner import Context

LIBARCHIVE = (
    "libarchive.so.13"  # Python's module asks ldconfig for its name, and there is none in a container
)


def compare(ctx: Context) -> None:
    """Write `diffoscope.txt` on the inputs `first` and `second`, which are called `params.name`."""
    places = []
    for side in ("first", "second"):
        place = ctx.work / side / ctx.params["name"]
        place.parent.mkdir()
        shutil.copyfile(ctx.inputs[side], place)  # of links it would compare where they point
        places.append(f"{side}/{ctx.params['name']}")
    report = ctx.out / "diffoscope.txt"
    command = ["diffoscope", "--no-progress", "--text", str(report), *places]
    try:
        ctx.run(command, env={"TMPDIR": str(ctx.work), "LIBARCHIVE": LIBARCHIVE})
    except PipelineError:
        if not report.is_file():  # it fails where files differ, too
            raise
