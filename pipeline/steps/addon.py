"""Makes an addon: a command line of a site's own, which the stub of a UKI puts behind the one it has.

Specification: systemd-stub(7), "Companion files"
"""

from pipeline.steps.runner import Context

STUB = "/usr/lib/systemd/boot/efi/addonx64.efi.stub"


def ukify_argv(cmdline: str, output: str) -> list[str]:
    """Return ukify's command line; what an addon says of itself in SBAT is ukify's own."""
    return [
        "ukify",
        "build",
        "--efi-arch=x64",
        "--config=/dev/null",  # else /etc/systemd/ukify.conf is read
        f"--stub={STUB}",
        f"--cmdline={cmdline}",
        f"--output={output}",
    ]


def build(ctx: Context) -> None:
    """Make the addon `params.output`, unsigned."""
    ctx.run(ukify_argv(ctx.params["cmdline"], str(ctx.out / ctx.params["output"])))
