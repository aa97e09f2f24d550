"""What runs in the container `rust`, which has gcc: an EFI program's code, out of C."""

from pipeline.steps.runner import Context

SCRIPT = """\
SECTIONS {
  . = 0;
  .text : { *(.text.start) *(.text*) *(.rodata*) }
  /DISCARD/ : { *(*) }
}
"""
STRICT = ("-Wall", "-Wextra", "-Werror")
FREESTANDING = ("-Os", "-ffreestanding", "-fpie", "-fno-stack-protector", "-fno-builtin", "-mno-red-zone")


def compiled(ctx: Context) -> None:
    """Write `code`, the machine code of the input `loads.c`, which is entered at its first byte."""
    script = ctx.work / "script"
    script.write_text(SCRIPT)
    source, made = str(ctx.inputs["loads.c"]), str(ctx.work / "loads.o")
    ctx.run(["gcc", *FREESTANDING, *STRICT, "-c", source, "-o", made])
    ctx.run(["ld", "-T", str(script), "--oformat", "binary", "-o", str(ctx.out / "code"), made])
    (ctx.out / ctx.params["done"]).touch()
