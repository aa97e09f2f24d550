"""`recipes/*/recipe.toml`: what goes into an image, as people write it."""

from dataclasses import dataclass, field
from typing import Literal

from pydantic import model_validator

from pipeline.checks.finding import POLICIES, PolicyName
from pipeline.config import (
    AbsolutePath,
    AnyRelativePath,
    DebianPackage,
    FileName,
    Generation,
    Name,
    RelativePath,
    SharedPath,
    Size,
    Text,
    UnitName,
    VolumeId,
)
from pipeline.project.boot_tree import Boot, Store
from pipeline.project.proof import BUSES, OF_MEDIA, Acceptance
from pipeline.project.trust import Trust

DiskFormat = Literal["raw.zst", "qcow2", "vhd", "vmdk", "ova", "gce"]


@dataclass(frozen=True)
class Kernel:
    """Where the kernel comes from.

    Fragments of `recipes/kernels/`, the last of which names the kernel; or `config`, a whole `.config` below
    the recipe's folder; or a bzImage of the manifest; or a distribution's `package`, of the set `packages` in
    `roots/`. Of that one's modules the initramfs gets those that `modules` names or has a pattern for
    (`virtio_*`; with a `/` of files: `drivers/ata/*`), with all that they depend on, and of the set the files
    below /usr/lib/firmware that match `firmware`.
    """

    fragments: tuple[Name, ...] = ()
    config: RelativePath | None = None
    artifact: Name | None = None
    package: DebianPackage | None = None
    packages: Name | None = None
    modules: tuple[Text, ...] = ()
    firmware: tuple[RelativePath, ...] = ()

    @model_validator(mode="after")
    def _one_source(self) -> "Kernel":
        if [self.fragments or None, self.config, self.artifact, self.package].count(None) != 3:
            raise ValueError("needs one of fragments, config, artifact and package")
        if (self.package is None) != (self.packages is None):
            raise ValueError("package and packages, the set in roots/ that it is of, go together")
        if self.package is None and (self.modules or self.firmware):
            raise ValueError("modules and firmware go with a package: other kernels are whole in themselves")
        return self


@dataclass(frozen=True)
class Program:
    """A program in /bin of the image, named by its key in the recipe.

    It is built from a Rust crate: a `builtin` one that comes with the pipeline, or `crate`, by its path from
    the recipe's folder. Or it is a finished file that the manifest pins: an `artifact`, or a `payload`, which
    stands in for the crate as soon as the manifest names one. `binary` is what the crate calls it, where
    that is not the key. The rootfs' inittab starts it.
    """

    builtin: Name | None = None
    crate: AnyRelativePath | None = None
    artifact: Name | None = None
    payload: Name | None = None
    binary: FileName | None = None

    @model_validator(mode="after")
    def _one_source(self) -> "Program":
        if [self.builtin, self.crate, self.artifact].count(None) != 2:
            raise ValueError("needs one of builtin, crate and artifact")
        if self.artifact is not None and (self.payload or self.binary):
            raise ValueError("payload and binary go with a crate")
        return self


@dataclass(frozen=True)
class Image:
    """The rest of the UKI `uki`; `rootfs` and `splash` are below the recipe's folder, or another recipe's.

    `cmdline` is joined with blanks; `{volume_id}` in it stands for the ISO's volume identifier, `{roothash}`
    for the root hash of the file system that has `verity`. `packages`
    names the set in `roots/` that BusyBox is taken from, and the files that are `packaged`; of programs come
    their libraries, too. `product` is what the image's programs know of themselves, by its path from the
    recipe's folder. Without `busybox` a program called `init` is what Linux starts. `applets` are those of
    BusyBox that have links in the image, else all. With `formats` there are disks that hold what an
    installation of the product leaves behind, in these formats. `sbat` is the UKI's generation: a higher one
    lets shim refuse all that have a lower one.
    """

    uki: FileName
    cmdline: tuple[Text, ...]
    rootfs: SharedPath
    splash: SharedPath
    packages: Name = ""
    packaged: tuple[AbsolutePath, ...] = ()
    product: AnyRelativePath | None = None
    carries: Name | None = None
    busybox: bool = True
    applets: tuple[FileName, ...] | None = None
    formats: tuple[DiskFormat, ...] = ()
    sbat: Generation = 1

    @model_validator(mode="after")
    def _of_packages(self) -> "Image":
        if not self.packages:
            raise ValueError("needs packages, the set in roots/ that BusyBox and what is packaged come from")
        return self

    @model_validator(mode="after")
    def _has_applets(self) -> "Image":
        if self.applets is not None and not self.busybox:
            raise ValueError("applets are BusyBox's, and there is none")
        return self

    @model_validator(mode="after")
    def _says_what_is_installed(self) -> "Image":
        if self.formats and self.product is None:
            raise ValueError("product is required for formats: it says how an installed disk is laid out")
        if len(set(self.formats)) < len(self.formats):
            raise ValueError("a format is there twice in formats")
        return self


@dataclass(frozen=True)
class Iso:
    """The medium that the UKI is put on; or, by `loader = "grub"`, what it is made of, for a BIOS, too."""

    volume_id: VolumeId
    loader: Literal["uki", "grub"] = "uki"


@dataclass(frozen=True)
class Netboot:
    """What a server offers beside the UKI: a `script` for iPXE, and the command line for other loaders."""

    script: FileName


@dataclass(frozen=True)
class Root:
    """A root file system: `packages` names a set in `roots/`, over which the files of `rootfs` are put.

    `enable` and `mask` are systemd's units, besides what presets say; `setuid` are the programs that may run
    as their owner or group, or have capabilities. `modules` are those of the recipe's kernel that the running
    system can load, named as `kernel.modules` are. Or it is another maker's tar, an `artifact` of the
    manifest, which is taken as it is.
    """

    packages: Name | None = None
    artifact: Name | None = None
    rootfs: SharedPath | None = None
    enable: tuple[UnitName, ...] = ()
    mask: tuple[UnitName, ...] = ()
    modules: tuple[Text, ...] = ()
    setuid: tuple[AbsolutePath, ...] = ()

    @model_validator(mode="after")
    def _one_source(self) -> "Root":
        if (self.packages is None) == (self.artifact is None):
            raise ValueError("needs one of packages and artifact")
        if self.artifact is not None and (self.rootfs or self.enable or self.mask or self.modules):
            raise ValueError("rootfs, enable, mask and modules go with packages: an artifact is finished")
        if both := sorted(set(self.enable) & set(self.mask)):
            raise ValueError(f"{both[0]!r} is in enable and in mask")
        return self


@dataclass(frozen=True)
class FileSystem:
    """A file system, which lies in a file called by its key and kind: `root.erofs`.

    `tree` is what is in it: the recipe's `root`; its `uki` as EFI/BOOT/BOOTX64.EFI; the tree of its [boot];
    `grub`, the loader of that one, as EFI/BOOT/BOOTX64.EFI and in a folder of its own; or nothing: `empty`.
    With `boot = "systemd-boot"` a UKI is started by a boot loader, which chooses among those of EFI/Linux,
    as `loader`, a loader.conf of the recipe, has it.
    Without a `size` it is the least that holds it, with `room` left free; the rest is as `Wanted` has it
    (`pipeline/steps/filesystem.py`). With `verity` comes its hash tree, `root.verity`, whose root hash
    `{roothash}` in `image.cmdline` stands for.
    """

    kind: Literal["ext4", "erofs", "squashfs", "fat"]
    tree: Literal["root", "uki", "boot", "grub", "empty"]
    label: str = ""
    size: Size | None = None
    room: Size | None = None
    grows: bool = False
    compression: str = ""
    cluster: int = 0
    verity: bool = False
    boot: Literal["uki", "systemd-boot"] = "uki"
    loader: RelativePath | None = None


@dataclass(frozen=True)
class Disk:
    """A disk with a GPT: the files of `definitions`, a folder beside the recipe or another one, are
    systemd-repart's.

    Their CopyBlocks= name file systems of the recipe, by their files: `/root.erofs`, `/root.verity`. Without
    a `size` it is the least that holds them. Besides the raw disk there are `formats` of it.
    """

    definitions: SharedPath = "repart.d"
    size: Size | None = None
    formats: tuple[DiskFormat, ...] = ()

    @model_validator(mode="after")
    def _each_once(self) -> "Disk":
        if len(set(self.formats)) < len(self.formats):
            raise ValueError("a format is there twice in formats")
        return self


@dataclass(frozen=True)
class Policy:
    """What is asked of this image beyond what any bootable image must obey.

    `checks` names the policies that its artifacts are held to (docs/checks.md). The others are files below
    `recipes/`, about its kernel and that of the image it carries: `kernels` says what one of the two has and
    the other must not have, `hardening` which recommendations hold for the carried one; each with reasons.
    """

    kernels: RelativePath | None = None
    hardening: RelativePath | None = None
    checks: tuple[PolicyName, ...] = tuple(POLICIES)


@dataclass(frozen=True)
class Recipe:
    """One image; its name is its folder's. `image.carries` is the recipe whose UKI lies in the initramfs."""

    summary: Text
    kernel: Kernel
    programs: dict[Name, Program]
    image: Image
    root: Root | None = None
    store: Store | None = None
    boot: Boot | None = None
    filesystems: dict[Name, FileSystem] = field(default_factory=dict)
    disk: Disk | None = None
    iso: Iso | None = None
    netboot: Netboot | None = None
    trust: Trust | None = None
    policy: Policy = field(default_factory=Policy)
    acceptance: Acceptance | None = None

    @property
    def has_iso_for_bios(self) -> bool:
        """Whether it ends in an ISO that a BIOS starts, too."""
        return self.iso is not None and self.iso.loader == "grub"

    @property
    def has_disk(self) -> bool:
        """Whether a machine can be started from a disk that it makes."""
        return self.disk is not None

    @property
    def proves(self) -> bool:
        """Whether there is anything that `boot-test` can prove of it."""
        told = self.acceptance or Acceptance()
        return self.iso is not None or bool((self.has_disk and told.welcome) or told.play or told.package)

    @property
    def is_system(self) -> bool:
        """Whether it makes file systems, a disk or a boot tree, or wants what only these have."""
        wants_hash = any("{roothash}" in word for word in self.image.cmdline)
        return bool(self.filesystems or self.disk or self.boot) or wants_hash

    @property
    def cmdline(self) -> str:
        """The command line of its UKI, in which a root hash is filled in only once there is one."""
        volume_id = self.iso.volume_id if self.iso else ""
        return " ".join(self.image.cmdline).replace("{volume_id}", volume_id)

    @model_validator(mode="after")
    def _has_an_init(self) -> "Recipe":
        if not self.image.busybox and "init" not in self.programs:
            raise ValueError("image.busybox: without it Linux needs another init: a program of this name")
        return self

    @model_validator(mode="after")
    def _has_modules(self) -> "Recipe":
        if self.root is not None and self.root.modules and self.kernel.package is None:
            raise ValueError(
                "root.modules: they are of kernel.package: other kernels are whole in themselves"
            )
        return self

    @model_validator(mode="after")
    def _has_packages_for_a_store(self) -> "Recipe":
        if self.store is not None and (self.root is None or self.root.packages is None):
            raise ValueError("store: it is made of a root of packages, and there is no root.packages")
        return self

    @model_validator(mode="after")
    def _has_what_plays_start(self) -> "Recipe":
        for name, play in (self.acceptance or Acceptance()).play.items():
            where, of_iso = f"acceptance.play.{name}.way: {play.way!r}", play.way in OF_MEDIA
            if of_iso and self.iso is None:
                raise ValueError(f"{where} starts an ISO, and there is no [iso]; a disk is on {BUSES}")
            if not of_iso and not (self.has_disk or self.image.carries):
                raise ValueError(f"{where} starts a whole system, and there is no [disk]")
        return self

    @model_validator(mode="after")
    def _has_one_disk(self) -> "Recipe":
        parts = {"root": self.root, "filesystems": self.filesystems, "disk": self.disk, "iso": self.iso}
        there = next((name for name, part in parts.items() if part), None)
        if self.image.formats and there:
            raise ValueError(
                f"image.formats: these disks hold a UKI that is the whole system, and there is [{there}]"
            )
        return self
