"""What stories need of firmware that verifies /boot as Heads does: an owner with a key, and a stand-in.

The stand-in is a kernel and an initramfs, the inputs VMLINUZ and INITRAMFS. The owner's public key is added
as the file KEYRING: Heads has it in flash memory.
"""

import io
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.boot.stories import INITRAMFS, VMLINUZ, Lab, must
from pipeline.formats import cpio, heads
from pipeline.formats.boot_files import Files
from pipeline.formats.boot_views import of_file_system
from pipeline.formats.ext4 import read_ext4
from pipeline.formats.fields import open_image
from pipeline.formats.signed_boot import boot_in
from pipeline.steps import boot_signature, openpgp
from pipeline.vm import disks
from pipeline.vm.machine import Disk, Machine

KEYRING = "etc/owner.gpg"
APPEND = "console=ttyS0,115200 no_timer_check panic=5 quiet"
STICKS = {"vfat": "4845-4144", "ext4": "6a4e1c2b-5f3d-4e8a-9b7c-0d1e2f3a4b5c"}
"""The file systems that a stick may have, and how it is known then: the UUID, as blkid(8) says it."""

REFUSED, STARTS = "stand-in: refused: ", "stand-in: starts entry "
"""What the stand-in says on the serial console, before why, and before which one."""

PATIENCE = 600.0
"""Seconds for what firmware does: nothing says how fast the machine is."""


@dataclass(frozen=True)
class Owner:
    """Somebody with a key of OpenPGP, which is made for one story, in the folder `home`."""

    home: Path

    def secret(self) -> Path:
        """Return a file with the secret key."""
        path = self.home / "secret"
        path.write_text(self._gpg("--armor", "--export-secret-keys"), encoding="ascii")
        return path

    def public(self) -> bytes:
        """Return the public key, as gpgv takes it for a keyring."""
        path = self.home / "public"
        self._gpg("--yes", "--output", str(path), "--export")
        return path.read_bytes()

    def sign_iso(self, iso: Path) -> None:
        """Write the signature of an ISO beside it."""
        iso.with_name(f"{iso.name}.asc").write_text(openpgp.signature(iso, self.secret()), encoding="ascii")

    def _gpg(self, *words: str) -> str:
        return disks.run("gpg", "--batch", "--quiet", "--homedir", str(self.home), *words)


def owner(lab: Lab, name: str = "owner") -> Owner:
    """Return somebody with a new key."""
    made = Owner(lab.work / name)
    made.home.mkdir(mode=0o700)
    made._gpg(
        "--passphrase", "", "--quick-generate-key", f"{name} <{name}@example.org>", "ed25519", "sign", "never"
    )
    return made


def machine(lab: Lab, keeper: Owner, *parts: Disk, say: str = "") -> Machine:
    """Return a machine whose firmware is the stand-in, with the key of `keeper`.

    `say` is put behind its command line: `entry=2`, or `medium=stick`.
    """
    initramfs = lab.work / "initramfs"
    initramfs.write_bytes(with_files(lab.inputs[INITRAMFS], {KEYRING: keeper.public()}))
    return Machine(
        parts,
        code=None,
        variables=lab.variables,
        accel=lab.accel,
        kernel=lab.inputs[VMLINUZ],
        initrd=initramfs,
        append=f"{APPEND} {say}".strip(),
    )


def with_files(initramfs: Path, files: Mapping[str, bytes], mode: int = 0o644) -> bytes:
    """Return an initramfs with files besides: in an archive behind it, which Linux unpacks, too."""
    more = io.BytesIO()
    folders = dict.fromkeys(str(Path(name).parent) for name in files if "/" in name)
    members: list[cpio.Member] = [
        *(cpio.Directory(name) for name in folders),
        *(cpio.File(name, data, mode) for name, data in files.items()),
    ]
    cpio.write(members, more, 0)
    data = initramfs.read_bytes()
    return data + bytes(-len(data) % cpio.BLOCK_SIZE) + more.getvalue()


@dataclass(frozen=True)
class BootDisk:
    """A disk with a /boot that has Heads' lists: the file, and where in it the file system begins."""

    path: Path
    offset: int

    def files(self) -> Files:
        """Return what is in its /boot, whatever its lists say."""
        return of_file_system(read_ext4(open_image(self.path)[self.offset :]))

    def edit(self, *commands: str) -> None:
        """Have debugfs(8) change its /boot; paths begin at the top."""
        script = self.path.with_name("edits")
        script.write_text("\n".join(commands) + "\n", encoding="utf-8")
        disks.run("debugfs", "-w", "-f", str(script), f"{self.path}?offset={self.offset}")

    def put(self, path: str, data: bytes) -> None:
        """Write a file, in place of one that is there."""
        file = self.path.with_name("content")
        file.write_bytes(data)
        self.edit(f"rm {path}", f"write {file} {path}")

    def list_again(self) -> None:
        """Make both lists of what is there now."""
        files = self.files()
        self.put(heads.HASHES, heads.make_hashes(files))
        self.put(heads.TREE, heads.make_tree(files))

    def sign(self, keeper: Owner) -> None:
        """Sign it, in place of an earlier signature. Raises FormatError where the lists are stale."""
        boot = boot_in(open_image(self.path))
        text, signature = keeper.home / "text", keeper.home / heads.SIGNATURE
        text.write_bytes(boot.text)
        signature.write_text(openpgp.signature(text, keeper.secret()), encoding="ascii")
        boot_signature.attach(
            lambda argv: disks.run(*argv, errors=True),
            self.path,
            signature,
            keeper.home,
            time=boot.time,
            offset=self.offset,
        )

    def listed(self, begins: str) -> str:
        """Return the first path of the list of hashes whose name begins so."""
        hashes = heads.read_hashes(self.files().read(heads.HASHES))
        found = [path for path in hashes if Path(path).name.startswith(begins)]
        must(bool(found), f"{heads.HASHES} has no {begins}: {', '.join(hashes)}")
        return found[0]


def boot_disk(path: Path) -> BootDisk:
    """Return the disk in a file. Raises FormatError unless it has one /boot with lists of what is in it."""
    return BootDisk(path, boot_in(open_image(path)).offset)


def _change(disk: BootDisk, _stranger: Owner) -> str:
    kernel = disk.listed("vmlinuz")
    data = bytearray(bytes(disk.files().image(kernel)))
    data[-1] ^= 1
    disk.put(kernel, bytes(data))
    return f"./{kernel} was changed"


def _add(disk: BootDisk, _stranger: Owner) -> str:
    disk.put("added", b"in no list\n")
    return "./added was added"


def _remove(disk: BootDisk, _stranger: Owner) -> str:
    initrd = disk.listed("initrd")
    disk.edit(f"rm {initrd}")
    return f"./{initrd} is missing"


def _change_a_list(disk: BootDisk, _stranger: Owner) -> str:
    disk.put("added", b"in both lists\n")
    disk.list_again()
    return f"{heads.SIGNATURE} is a signature of something else: what is signed was changed afterwards"


def _remove_the_signature(disk: BootDisk, _stranger: Owner) -> str:
    disk.edit(f"rm {heads.SIGNATURE}")
    return f"/boot is not signed: there is no {heads.SIGNATURE}"


def _sign_as_another(disk: BootDisk, stranger: Owner) -> str:
    disk.sign(stranger)
    return f"{heads.SIGNATURE} is a signature by another key than the owner's"


CHANGES: dict[str, Callable[[BootDisk, Owner], str]] = {
    "changed": _change,
    "added": _add,
    "missing": _remove,
    "list": _change_a_list,
    "unsigned": _remove_the_signature,
    "stranger": _sign_as_another,
}
"""What may be done to a signed /boot, by name: each is given a stranger besides, and returns why firmware
refuses what it has made.
"""


def signed_system(lab: Lab, keeper: Owner) -> Disk:
    """Return a whole system's disk, whose owner has signed its /boot."""
    disk = lab.system()
    boot_disk(disk.image).sign(keeper)
    return disk


async def refuses_changes(lab: Lab, keeper: Owner, signed: Path, bus: str = "virtio-blk") -> None:
    """Change a signed disk in each of these ways, and see each refused."""
    stranger = owner(lab, "stranger")
    for name, change in CHANGES.items():
        disk = boot_disk(disks.copy(signed, lab.work / f"{name}.img"))
        sentence = change(disk, stranger)
        await refuses(lab, machine(lab, keeper, Disk("system", disk.path, bus)), sentence, name)
        disk.path.unlink()


def stick(lab: Lab, kind: str, iso: Path) -> Disk:
    """Return a stick with an ISO on it, and its signature, if there is one; `kind` is one of STICKS."""
    image, tree = lab.work / f"stick-{kind}.img", lab.work / "stick"
    found = [path for path in (iso, iso.with_name(f"{iso.name}.asc")) if path.exists()]
    size = sum(path.stat().st_size for path in found) + (16 << 20)
    disks.blank(image, size >> 20 << 20)
    if kind == "vfat":
        disks.run("mkfs.vfat", "-n", "STICK", "-i", STICKS[kind].replace("-", ""), str(image))
        disks.run("mcopy", "-i", str(image), *map(str, found), "::")
    else:
        tree.mkdir(exist_ok=True)
        for path in found:
            disks.copy(path, tree / path.name)
        disks.run("mke2fs", "-q", "-t", kind, "-U", STICKS[kind], "-d", str(tree), str(image))
        shutil.rmtree(tree)
    return Disk("stick", image, "virtio-blk")


async def refuses_iso(lab: Lab, keeper: Owner, iso: Path, sentence: str, name: str) -> None:
    """Switch a machine on with an ISO on a stick, which the firmware has to refuse."""
    await refuses(lab, machine(lab, keeper, stick(lab, "vfat", iso), say="medium=stick"), sentence, name)


async def refuses(lab: Lab, firmware: Machine, sentence: str, name: str) -> None:
    """Switch a machine on, whose firmware has to say why it starts nothing, and to start nothing."""
    async with lab.start(firmware, name) as vm:
        await vm.hear(REFUSED, PATIENCE)
        await vm.is_off(PATIENCE)
        said = vm.terminal.history.partition(REFUSED)[2]
        must(
            said.startswith(sentence), f"the firmware does not say {sentence!r}, but {said.splitlines()[0]!r}"
        )


async def starts_iso(lab: Lab, welcome: str) -> None:
    """See the medium, as a file on a stick that its owner signed, come to its first screen; and refused when
    a byte of it was changed.
    """
    keeper, iso = owner(lab), disks.copy(lab.inputs["iso"], lab.work / "medium.iso")
    keeper.sign_iso(iso)
    async with lab.start(machine(lab, keeper, stick(lab, "vfat", iso), say="medium=stick"), "signed") as vm:
        await vm.hear(STARTS, PATIENCE)
        await vm.see(welcome, timeout=PATIENCE)
        lab.took(vm, "Welcome", repr(welcome))
    with iso.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        last = file.read(1)[0]
        file.seek(-1, os.SEEK_END)
        file.write(bytes([last ^ 1]))
    changed = "medium.iso.asc is a signature of something else: what is signed was changed afterwards"
    await refuses_iso(lab, keeper, iso, changed, "changed")
