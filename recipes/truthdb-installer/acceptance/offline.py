"""Owns a make-believe machine: a folder that looks like `/` to the installer, with one disk that is an image.

The installer itself runs here as it is, without screens: that is how a hundred power cuts can be tried.
"""

import hashlib
import shutil
from pathlib import Path

from acceptance.installation import NAME
from pipeline.boot.stories import SERIAL, Lab
from pipeline.vm import disks

DISK = "vda"
MKE2FS = Path("/usr/sbin/mke2fs")
IDENTITY = "6a4e1c2b-5f3d-4e8a-9b7c-0d1e2f3a4b5c"


def build(lab: Lab, image: Path) -> Path:
    """Make the folder around the disk `image`; return it."""
    root = lab.work / "root"
    if root.exists():
        shutil.rmtree(root)
    payload = lab.inputs["payload"].read_bytes()
    texts = {
        "etc/os-release": f"NAME={NAME}\nVERSION_ID={lab.version}\n",
        "payload/TruthDB.efi.sha256": f"{hashlib.sha256(payload).hexdigest()}  TruthDB.efi\n",
        "proc/cmdline": "quiet\n",
        "proc/cpuinfo": "processor\t: 0\nmodel name\t: make-believe\n",
        "proc/meminfo": "MemTotal: 4194304 kB\n",
        "sys/class/dmi/id/product_uuid": f"{IDENTITY}\n",
        "sys/firmware/efi/fw_platform_size": "64\n",
        f"sys/block/{DISK}/size": f"{image.stat().st_size // 512}\n",
        f"sys/block/{DISK}/serial": f"{SERIAL}\n",
        f"sys/block/{DISK}/ro": "0\n",
        f"sys/block/{DISK}/queue/logical_block_size": "512\n",
        f"sys/block/{DISK}/device/vendor": "0x1af4\n",
        "tmp/.keep": "",
        "sys/firmware/efi/efivars/.keep": "",
    }
    for name, text in texts.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    shutil.copyfile(lab.inputs["product"], root / "etc/product.toml")
    (root / "payload/TruthDB.efi").write_bytes(payload)
    (root / "dev").mkdir()
    (root / "dev" / DISK).symlink_to(image)
    (root / "usr/sbin").mkdir(parents=True)
    (root / "usr/sbin/mke2fs").symlink_to(MKE2FS)
    return root


def install(lab: Lab, image: Path, answers: str) -> str:
    """Let the installer do on the disk what the answer file says; return what it said. It must succeed."""
    root = build(lab, image)
    file = lab.work / "answers.toml"
    file.write_text(answers)
    return disks.run(str(_installer(lab)), "--root", str(root), "--install", str(file))


def _installer(lab: Lab) -> Path:
    """Return the installer as a program that can be started: inputs are not."""
    program = lab.work / "installer"
    if not program.exists():
        shutil.copyfile(lab.inputs["installer"], program)
        program.chmod(0o755)
    return program
