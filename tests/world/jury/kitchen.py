"""What runs in the container `tools`: the recipes, each a few lines of shell in a folder of its own."""

import shutil
from contextlib import nullcontext, suppress

from pipeline.errors import PipelineError
from pipeline.steps.runner import Context

PRELUDE = """\
set -e
export MTOOLS_SKIP_CHECK=1 SOURCE_DATE_EPOCH=1700000000
# blank FILE KIB [options of mkfs.vfat]: an empty FAT
blank() { file=$1 kib=$2; shift 2; mkfs.vfat --invariant -n EFI "$@" -C $file $kib > /dev/null; }
# put FILE PROGRAM [PATH] [OFFSET]: copy a program into it, in place of firmware's default one
put() { path=${3:-EFI/BOOT/BOOTX64.EFI}; at=$1${4:+@@$4}
    folder=; old=$IFS; IFS=/; for each in ${path%/*}; do
        folder=$folder/$each; IFS=$old; mmd -D s -i $at ::$folder 2> /dev/null || true; done; IFS=$old
    mcopy -o -i $at $2 ::$path; }
# fat FILE KIB [options]: a FAT with the program
fat() { blank "$@"; put $1 $IN/bootx64.efi; }
# iso ARGUMENTS: an ISO 9660 image, made by xorriso
iso() { xorriso -as mkisofs -quiet -r -J -V JURY -o $OUT "$@" > log 2>&1 || { cat log; exit 1; }; }
# tree [FAT]: a folder for an ISO, with the FAT as boot/efi.img
tree() { mkdir -p tree/boot; echo text > tree/README; [ -z "$1" ] || cp $1 tree/boot/efi.img; }
# hollow FILE SIZE: a file of zeros
hollow() { truncate -s $2 $1; }
# over FILE OFFSET: write standard input into it
over() { dd of=$1 bs=1 seek=$2 conv=notrunc status=none; }
# align FILE: zeros up to a multiple of four
align() { truncate -s %4 $1; }
"""


def make(ctx: Context) -> None:
    """Make an output for each of `params.recipes`: name to shell commands that write `$OUT`.

    `$IN` is the folder of the inputs. Where they are only `tried`, what a tool refuses has no output.
    """
    prelude = ctx.work / "prelude"
    prelude.write_text(PRELUDE)
    for name, recipe in ctx.params["recipes"].items():
        folder = ctx.work / f"{name}.folder"
        folder.mkdir()
        env = {"OUT": str(ctx.out / name), "IN": str(next(iter(ctx.inputs.values())).parent)}
        refusal = suppress(PipelineError) if ctx.params["tried"] else nullcontext()
        with refusal:
            ctx.run(["sh", "-c", f". {prelude}; {recipe}"], cwd=folder, env=env)
        shutil.rmtree(folder)
    (ctx.out / ctx.params["done"]).touch()
