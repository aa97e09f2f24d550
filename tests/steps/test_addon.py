from pathlib import Path

from pipeline.steps import addon
from tests.fixtures.context import played


def test_every_choice_is_explicit(tmp_path: Path) -> None:
    ctx = played(tmp_path, cmdline="console=ttyS1", output="made.addon.efi")
    addon.build(ctx)
    assert ctx.calls == [
        [
            "ukify",
            "build",
            "--efi-arch=x64",
            "--config=/dev/null",
            "--stub=/usr/lib/systemd/boot/efi/addonx64.efi.stub",
            "--cmdline=console=ttyS1",
            f"--output={tmp_path}/out/made.addon.efi",
        ]
    ]
