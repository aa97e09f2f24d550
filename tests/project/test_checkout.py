"""Every mistake in every file that people or `doit lock` write: all at once, each with its place."""

import shutil
from pathlib import Path

import pytest

from pipeline.debian import lock
from pipeline.debian.mirrors import Mirror
from pipeline.errors import ConfigError
from pipeline.project.checkout import RESTORE, load
from tests.fixtures import checkout

MANIFEST = "manifests/manifest.toml"
RECIPE = "recipes/toy/recipe.toml"
INTENT = "containers/imager.toml"
LOCK = "manifests/imager.lock.json"
SET, SET_LOCK = "roots/initramfs.toml", "manifests/initramfs.lock.json"
STALE = "manifests/imager.lock.json: was made from another containers/imager.toml"
RELOCK = "run `./doit lock`: it makes the locks new"
CONFLICT = """<<<<<<< HEAD
one
=======
other
>>>>>>> theirs
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return checkout.write(tmp_path)


def edit(root: Path, file: str, old: str, new: str) -> None:
    path = root / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def mistakes(root: Path) -> tuple[list[str], str]:
    with pytest.raises(ConfigError) as caught:
        load(root)
    return caught.value.mistakes, caught.value.hint


def test_a_checkout_in_order(root: Path) -> None:
    found = load(root)
    assert found.manifest.product.name == "Toy"
    assert list(found.recipes) == ["toy"]
    assert list(found.locks) == ["imager", "kernel", "resolver", "rust"]
    assert list(found.set_locks) == ["initramfs"]
    assert list(found.all_intents) == [*found.locks, *found.set_locks]
    assert found.sources()[-1] == Mirror("https://snapshot.example/archive", "snapshot", checkout.SNAPSHOT)
    assert found.lock_of("rust").tag == "installer-iso/rust:4444444444444444"


NO_DIGEST = "is not a SHA-256 digest (64 hex digits)"
NO_NAME = "is not a name (small letters, digits, dots and dashes)"
PACKAGE_OF = "package and packages, the set in roots/ that it is of, go together"
NO_STAMP = "is not a snapshot time stamp such as 20261121T000000Z"
NO_VOLUME_ID = "is not a volume identifier (at most 16 of A-Z, 0-9 and _)"
NO_FILE_NAME = "is not a file name (letters, digits and . _ -)"
NO_STORY = "is not the name of a story (small letters, digits and dashes, no way of booting)"
NO_KEYS = "is not keys without Shift (small letters, digits, blank . - \\n)"
ONE_OF = "needs one of sees, shows, line, types, presses, waits, resets and off"
ROOT_ON_DISK = "a server offers kernel and initramfs, and this system's root is on a disk"
NO_NETBOOT = "leave [netboot] out, or put all of the system into the initramfs"
NO_LOCK = "programs.toy.crate: there is no programs/disks/Cargo.lock"
CRATE = 'crate = "installer"'
BELOW = "is not a path below this file's folder"
BESIDE = f"{BELOW}, or below one beside it (../other/rootfs)"
TWOS = "2" * 64
PATH = 'path = "vendor/vmlinuz"'

EDITS = [
    # file, what is replaced, by what, what is said
    (
        MANIFEST,
        "[product]",
        "[product",
        "Expected ']' at the end of a table declaration (at line 3, column 9)",
    ),
    (
        RECIPE,
        CRATE,
        CRATE + '\non_success = "reboot"',
        "programs.toy.on_success: unknown key",
    ),
    (
        RECIPE,
        "[kernel]",
        '[policy]\nchecks = ["loose"]\n[kernel]',
        "policy.checks.0: 'loose' is not 'strict', 'reproducible', 'appliance' or 'medium'",
    ),
    *(
        (RECIPE, "[kernel]", f"[acceptance]\n{given}\n[kernel]", f"acceptance{said}")
        for given, said in (
            ('leave = "q"', ": shows and leave are about the first screen: welcome is required for them"),
            ("play.one.rows = [{}]", f".play.one.rows.0: {ONE_OF}"),
            ('play.one.rows = [{ sees = "a", line = "b" }]', f".play.one.rows.0: {ONE_OF}"),
            ('play.one.rows = [{ types = "A" }]', f".play.one.rows.0.types: 'A' {NO_KEYS}"),
            ("play.one.rows = [{ pauses = 1 }]", ".play.one.rows.0.pauses: unknown key"),
            (
                'play.one = { rows = [], then = [] , disk = "9" }',
                ".play.one.disk: '9' is not the size of a disk (20G, 512M)",
            ),
            (
                "play.one = { rows = [], then = [{ off = true }] }",
                ".play.one: then is about what was installed: disk is required for it",
            ),
            ("play.usb.rows = []", f".play.usb.[key]: 'usb' {NO_STORY}"),
            ("play.virtio-blk.rows = []", f".play.virtio-blk.[key]: 'virtio-blk' {NO_STORY}"),
            ('long = ["one"]', ": long is about stories: play or package is required for it"),
        )
    ),
    (MANIFEST, "source_date_epoch = 1795219200\n", "", "source_date_epoch: this key is missing"),
    (MANIFEST, "1795219200", '"now"', "source_date_epoch: 'now' is not a whole number"),
    (MANIFEST, "1795219200", "1.5", "source_date_epoch: 1.5 is not a whole number"),
    (
        MANIFEST,
        "1795219200",
        "2026-11-21",
        "source_date_epoch: 2026-11-21 is a date, not a whole number: the seconds since 1970 are 1795219200",
    ),
    (
        MANIFEST,
        "1795219200",
        "2026-11-21T01:00:00+01:00",
        "source_date_epoch: 2026-11-21 01:00:00+01:00 is a date, not a whole number:"
        " the seconds since 1970 are 1795219200",
    ),
    (MANIFEST, "1795219200", "12:00:00", "source_date_epoch: 12:00:00 is a time, not a whole number"),
    (
        MANIFEST,
        "source_date_epoch =",
        "\ufeffsource_date_epoch =",
        "begins with a byte order mark: save it as UTF-8 without one",
    ),
    (MANIFEST, "1795219200", "[" * 9999, "is nested too deeply"),
    (
        MANIFEST,
        '["trixie"]',
        '["trixie main\\ndeb [trusted=yes] http://x y"]',
        "debian.archives.debian.0: 'trixie main\\ndeb [trusted=yes] http://x y'"
        " is not a suite (trixie, trixie-updates)",
    ),
    (
        MANIFEST,
        "/archive",
        "/archive\\n",
        "debian.snapshot_url: 'https://snapshot.example/archive\\n' is not a URL (https://host/path)",
    ),
    (
        MANIFEST,
        "https://example.org",
        "file://",
        "artifacts.a-program.url: 'file:///program' is not a URL (https://host/path)",
    ),
    (MANIFEST, "1795219200", "0", "source_date_epoch: 0: Input should be greater than or equal to 315532800"),
    (
        MANIFEST,
        "1795219200",
        "4354819200",
        "source_date_epoch: 4354819200: Input should be less than 4354819200",
    ),
    (MANIFEST, "source_date_epoch", "x = 1\nsource_date_epoch", "x: unknown key"),
    (MANIFEST, 'version = "1.0"', "version = 1.0", "product.version: 1.0 is not a string"),
    (
        MANIFEST,
        'version = "1.0"',
        'version = ""',
        "product.version: '' is not a plain text (letters, digits, blanks and . _ + ~ -)",
    ),
    (MANIFEST, 'version = "1.0"\n', "", "product.version: this key is missing"),
    (MANIFEST, '"20261121T000000Z"', '"today"', f"debian.snapshot: 'today' {NO_STAMP}"),
    (
        MANIFEST,
        '"20261121T000000Z"',
        '"20261399T000000Z"',
        f"debian.snapshot: '20261399T000000Z' {NO_STAMP}",
    ),
    (
        MANIFEST,
        '"20261121T000000Z"',
        "2026-11-21",
        "debian.snapshot: 2026-11-21 is a date, not a string: put it in quotes",
    ),
    (MANIFEST, '["trixie"]', '"trixie"', "debian.archives.debian: 'trixie' is not a list"),
    (MANIFEST, '["trixie"]', "[1]", "debian.archives.debian.0: 1 is not a string"),
    (MANIFEST, "archives.debian =", "archives.De =", f"debian.archives.De.[key]: 'De' {NO_NAME}"),
    (MANIFEST, TWOS, "abc", f"artifacts.a-kernel.sha256: 'abc' {NO_DIGEST}"),
    (MANIFEST, TWOS, "G" * 64, f"artifacts.a-kernel.sha256: '{'G' * 64}' {NO_DIGEST}"),
    (MANIFEST, "size = 5", "size = 0", "artifacts.a-kernel.size: 0: Input should be greater than 0"),
    (MANIFEST, "size = 5", "size = true", "artifacts.a-kernel.size: True is not a whole number"),
    (MANIFEST, PATH, "", "artifacts.a-kernel: needs either path or url"),
    (MANIFEST, PATH, PATH + '\nurl = "http://x/y"', "artifacts.a-kernel: needs either path or url"),
    (RECIPE, 'summary = "A toy."\n', "", "summary: this key is missing"),
    (RECIPE, "[kernel]", "[kernels]", "kernel: this key is missing"),
    (RECIPE, 'fragments = ["base"]', "", "kernel: needs one of fragments, config, artifact and package"),
    (
        RECIPE,
        '["base"]',
        '["base"]\nconfig = "my.config"',
        "kernel: needs one of fragments, config, artifact and package",
    ),
    (
        RECIPE,
        '["base"]',
        '["base"]\nartifact = "a-kernel"',
        "kernel: needs one of fragments, config, artifact and package",
    ),
    (RECIPE, 'fragments = ["base"]', 'package = "linux-image-x"', f"kernel: {PACKAGE_OF}"),
    (RECIPE, '["base"]', '["base"]\npackages = "initramfs"', f"kernel: {PACKAGE_OF}"),
    (
        RECIPE,
        '["base"]',
        '["base"]\nmodules = ["ext4"]',
        "kernel: modules and firmware go with a package: other kernels are whole in themselves",
    ),
    (
        RECIPE,
        'fragments = ["base"]',
        'package = "linux-image-x"\npackages = "x"',
        "kernel.packages: there is no roots/x.toml",
    ),
    (
        RECIPE,
        'fragments = ["base"]',
        'package = "linux-image-x"\npackages = "initramfs"',
        "kernel.package: 'linux-image-x' is not in manifests/initramfs.lock.json (kernels there: none)",
    ),
    (
        RECIPE,
        "[image]\n",
        "[image]\nbusybox = false\n",
        "image.busybox: without it Linux needs another init: a program of this name",
    ),
    (RECIPE, '["base"]', '["Base"]', f"kernel.fragments.0: 'Base' {NO_NAME}"),
    (RECIPE, '["base"]', '["../base"]', f"kernel.fragments.0: '../base' {NO_NAME}"),
    (RECIPE, '["base"]', '["x"]', "kernel.fragments.0: there is no recipes/kernels/x.config"),
    (
        RECIPE,
        'fragments = ["base"]',
        'artifact = "x"',
        "kernel.artifact: 'x' is not in manifests/manifest.toml (known artifacts: a-kernel, a-program)",
    ),
    (RECIPE, 'crate = "installer"', "", "programs.toy: needs one of builtin, crate and artifact"),
    (
        RECIPE,
        'crate = "installer"',
        'builtin = "x"',
        "programs.toy.builtin: 'x' does not come with the pipeline"
        " (known: appliance, console, installer, node, stage1)",
    ),
    (RECIPE, '"installer"', '"/x"', "programs.toy.crate: '/x' is not a path from this file's folder"),
    (
        RECIPE,
        '"installer"',
        '"../../../x"',
        "programs.toy.crate: '../../../x' leads out of the repository: take it as a git submodule in there",
    ),
    (RECIPE, CRATE, 'crate = "../../programs/disks"', NO_LOCK),
    (RECIPE, '"installer"', '"x"', "programs.toy.crate: there is no recipes/toy/x/Cargo.toml"),
    (
        RECIPE,
        'crate = "installer"',
        'artifact = "x"',
        "programs.toy.artifact: 'x' is not in manifests/manifest.toml (known artifacts: a-kernel, a-program)",
    ),
    (RECIPE, '"TOY"', '"toy"', f"iso.volume_id: 'toy' {NO_VOLUME_ID}"),
    (RECIPE, '"TOY"', f'"{"T" * 17}"', f"iso.volume_id: '{'T' * 17}' {NO_VOLUME_ID}"),
    (
        RECIPE,
        "[image]",
        '[acceptance]\npackage = "a.b"\n[image]',
        "acceptance.package: 'a.b' is not a Python package's name (small letters, digits and _)",
    ),
    (
        RECIPE,
        "[image]",
        '[acceptance]\npackage = "x"\n[image]',
        "acceptance.package: there is no recipes/toy/x/__init__.py",
    ),
    (RECIPE, '"rootfs"', '"../../rootfs"', f"image.rootfs: '../../rootfs' {BESIDE}"),
    (RECIPE, '"rootfs"', '"a/.."', f"image.rootfs: 'a/..' {BESIDE}"),
    (RECIPE, '"rootfs"', '"x"', "image.rootfs: there is no recipes/toy/x"),
    (RECIPE, '"splash.bmp"', '"x"', "image.splash: there is no recipes/toy/x"),
    (RECIPE, '"initramfs"', '"x"', "image.packages: there is no roots/x.toml"),
    (
        RECIPE,
        'packages = "initramfs"\n',
        'packaged = ["/x"]\n',
        "image: needs packages, the set in roots/ that BusyBox and what is packaged come from",
    ),
    (SET, "packages", "without = []\npackages", "without: unknown key"),
    (SET, "packages", "components = []\npackages", "components: [] lacks 'main', which the others depend on"),
    (
        SET,
        "packages",
        'architecture = "mips"\npackages',
        "architecture: 'mips' is not 'amd64' or 'arm64'",
    ),
    (SET_LOCK, '"initramfs"', '"x"', "set: 'x' is not 'initramfs'"),
    (SET_LOCK, '"name": "busybox-static"', '"name": "x-y"', "packages: 'busybox-static' is missing"),
    (SET_LOCK, '": "', '" : "', "is not written as `./doit lock` writes it"),
    (
        SET_LOCK,
        "20261121",
        "20261120",
        "is of the snapshot 20261120T000000Z, the manifest wants 20261121T000000Z",
    ),
    (
        RECIPE,
        CRATE,
        'artifact = "a-program"\npayload = "x"',
        "programs.toy: payload and binary go with a crate",
    ),
    (RECIPE, CRATE, CRATE + '\nbinary = "a/b"', f"programs.toy.binary: 'a/b' {NO_FILE_NAME}"),
    (RECIPE, '"Toy.efi"', '"a/b"', f"image.uki: 'a/b' {NO_FILE_NAME}"),
    (
        RECIPE,
        "[image]",
        '[image]\npackaged = ["sbin/x"]',
        "image.packaged.0: 'sbin/x' is not an absolute path (/usr/sbin/mke2fs)",
    ),
    (
        RECIPE,
        "[image]",
        '[image]\ncarries = "toy"',
        "image.carries: 'toy' is not a recipe that carries nothing itself (such recipes: none)",
    ),
    (
        RECIPE,
        "[image]",
        '[acceptance]\nfirmware = "flash"\n\n[image]',
        "acceptance.firmware: 'flash' is not a recipe (there are: toy)",
    ),
    (
        MANIFEST,
        "[artifacts.a-program]",
        "[payload.service]",
        "payload.service: no recipe has a program for it (known payloads: none)",
    ),
    (RECIPE, '"rdinit=/sbin/init"', '""', "image.cmdline.0: '' is not a line of text"),
    (INTENT, '"xorriso"', '"Xorriso"', "packages.1: 'Xorriso' is not a Debian package name"),
    (INTENT, "packages", "links = 1\npackages", "links: 1 is not a table"),
    (INTENT, "packages", 'links = {"/x" = "y"}\npackages', f"links./x.[key]: '/x' {BELOW}"),
    (RECIPE, "[iso]", "[netboot]\n\n[iso]", "netboot.script: this key is missing"),
    (RECIPE, "[iso]", '[netboot]\nscript = "a/b"\n\n[iso]', f"netboot.script: 'a/b' {NO_FILE_NAME}"),
    (
        RECIPE,
        '"rdinit=/sbin/init", "medium={volume_id}"]\n',
        '"quiet", "&&"]\n\n[netboot]\nscript = "boot.ipxe"\n',
        "image.cmdline: iPXE would not hand on '&&' as it stands, and [netboot] has it in a script for iPXE",
    ),
    (
        RECIPE,
        '"rdinit=/sbin/init", "medium={volume_id}"]\n',
        '"quiet", "root=LABEL=x"]\n\n[netboot]\nscript = "boot.ipxe"\n',
        f"netboot: {ROOT_ON_DISK} (image.cmdline has 'root=LABEL=x'): {NO_NETBOOT}",
    ),
    (
        RECIPE,
        "[iso]",
        '[root]\npackages = "initramfs"\n\n[netboot]\nscript = "boot.ipxe"\n\n[iso]',
        f"netboot: {ROOT_ON_DISK} ([root] makes one): {NO_NETBOOT}",
    ),
    (INTENT, "packages", "package = []\npackages", "package: unknown key"),
    (LOCK, '{\n  "container"', '[\n  "container"', "Expecting ',' delimiter: line 2 column 14 (char 15)"),
    (LOCK, f'"{"6" * 64}"', '"6"', f"layer: '6' {NO_DIGEST}"),
    (LOCK, "1000", "0", "packages.0.size: 0: Input should be greater than 0"),
    (LOCK, "1000", '"1000"', "packages.0.size: '1000' is not a whole number"),
    (
        LOCK,
        "pool/main/c",
        "../main/c",
        "packages.0.path: '../main/c/coreutils/coreutils_1-1_amd64.deb' is not a .deb file in pool/",
    ),
    (LOCK, '"1-1"', '"1 1"', "packages.0.version: '1 1' is not a Debian version"),
    (LOCK, '"layer"', '"layer": "", "layer"', "the key 'layer' is there twice"),
    (LOCK, '"archive": "debian"', '"archive": "x", "archive": "debian"', "the key 'archive' is there twice"),
    (LOCK, '": "', '" : "', "is not written as `./doit lock` writes it"),
    (LOCK, '"without": []', '"without": [\n    "usr/x"\n  ]', "without: ['usr/x'] is not []"),
    (LOCK, '"links": {}', '"links": {\n    "a": "b"\n  }', "links: {'a': 'b'} is not {}"),
    (LOCK, '"xorriso"', '"xorrisp"', "packages: 'xorriso' is missing"),
    (LOCK, '"name": "xorriso"', '"name": "coreutils"', "packages: 'coreutils' is there twice"),
    (LOCK, '"archive"', '"archives"', "packages.0.archive: this key is missing"),
    (LOCK, '"imager"', '"kernel"', "container: 'kernel' is not 'imager'"),
    (
        LOCK,
        "20261121",
        "20261120",
        "is of the snapshot 20261120T000000Z, the manifest wants 20261121T000000Z",
    ),
]


def says_what_is_not_wanted(said: str) -> bool:
    """Tell whether a lock can be read, and is only of another intent."""
    return said.startswith(("container:", "set:", "is of", "without:", "links: {", "packages: "))


@pytest.mark.parametrize(("file", "old", "new", "said"), EDITS)
def test_a_mistake_is_told_with_its_place(root: Path, file: str, old: str, new: str, said: str) -> None:
    edit(root, file, old, new)
    found, hint = mistakes(root)
    ours = [line for line in found if line.startswith(f"{file}: ")]
    assert f"{file}: {said}" in ours
    assert hint == (
        "" if file not in (LOCK, SET_LOCK) else RELOCK if says_what_is_not_wanted(said) else RESTORE
    )


@pytest.mark.parametrize("file", [LOCK, MANIFEST, RECIPE])
def test_a_merge_conflict_is_not_solved_by_other_pins(root: Path, file: str) -> None:
    text = (root / file).read_text()
    (root / file).write_text(text.replace("\n", f"\n{CONFLICT}", 1))
    found, hint = mistakes(root)
    assert f"{file}: line 2 has a mark of a merge conflict" in found
    assert hint == "take one side of the file whole: `git checkout --ours` or `--theirs`, and its name"


@pytest.mark.parametrize("where", ["recipes", "containers", "roots"])
@pytest.mark.parametrize("name", ["Toy", "a b", "a_b", "-a"])
def test_a_name_that_is_none(root: Path, where: str, name: str) -> None:
    if where == "recipes":
        shutil.copytree(root / "recipes/toy", root / "recipes" / name)
    else:
        shutil.copy(root / (INTENT if where == "containers" else SET), root / f"{where}/{name}.toml")
    assert mistakes(root)[0] == [f"{where}/: {name!r} {NO_NAME}"]


def test_an_intent_that_changed_makes_its_lock_stale(root: Path) -> None:
    edit(root, INTENT, '"xorriso"', '"mtools"')
    assert mistakes(root) == ([STALE], RELOCK)


def test_a_set_that_changed_makes_its_lock_stale(root: Path) -> None:
    edit(root, SET, '"busybox-static"', '"busybox"')
    assert mistakes(root) == ([f"{SET_LOCK}: was made from another {SET}"], RELOCK)


def test_a_set_that_is_called_as_a_container_is(root: Path) -> None:
    shutil.copy(root / SET, root / "roots/rust.toml")
    assert mistakes(root)[0][0] == "roots/rust.toml: a container is called 'rust', too"


def test_comments_and_order_do_not(root: Path) -> None:
    edit(root, INTENT, '["coreutils", "xorriso"]', '["xorriso", "coreutils"] # both')
    assert load(root).locks["imager"]


@pytest.mark.parametrize("file", [MANIFEST, LOCK])
def test_a_file_that_is_missing(root: Path, file: str) -> None:
    (root / file).unlink()
    assert mistakes(root)[0] == [f"{file}: no such file"]


def test_a_file_that_is_not_text(root: Path) -> None:
    (root / RECIPE).write_bytes(b"\xff")
    assert mistakes(root)[0] == [
        f"{RECIPE}: cannot be read: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"
    ]


def test_a_folder_in_a_file_s_place(root: Path) -> None:
    (root / LOCK).unlink()
    (root / LOCK).mkdir()
    assert mistakes(root)[0] == [f"{LOCK}: cannot be read: [Errno 21] Is a directory: '{root / LOCK}'"]


def test_a_lock_that_is_no_table(root: Path) -> None:
    (root / LOCK).write_text("[]")
    assert mistakes(root)[0] == [f"{LOCK}: holds list, want a table"]


def test_all_mistakes_of_all_files_at_once(root: Path) -> None:
    edit(root, MANIFEST, '"Toy"', "7")
    edit(root, MANIFEST, TWOS, "abc")
    edit(root, RECIPE, '"TOY"', '"toy"')
    edit(root, RECIPE, 'rootfs = "rootfs"', 'root = "rootfs"')
    edit(root, INTENT, '"xorriso"', '"Xorriso"')
    assert mistakes(root)[0] == [
        f"{MANIFEST}: product.name: 7 is not a string",
        f"{MANIFEST}: artifacts.a-kernel.sha256: 'abc' {NO_DIGEST}",
        f"{RECIPE}: image.rootfs: this key is missing",
        f"{RECIPE}: image.root: unknown key",
        f"{RECIPE}: iso.volume_id: 'toy' {NO_VOLUME_ID}",
        f"{INTENT}: packages.1: 'Xorriso' is not a Debian package name",
    ]


def test_mistakes_of_intent_and_locks_at_once(root: Path) -> None:
    edit(root, RECIPE, '"splash.bmp"', '"x"')
    edit(root, INTENT, '"xorriso"', '"mtools"')
    (root / "manifests/rust.lock.json").unlink()
    found, hint = mistakes(root)
    assert found == [
        f"{RECIPE}: image.splash: there is no recipes/toy/x",
        STALE,
        "manifests/rust.lock.json: no such file",
    ]
    assert hint == ""


def test_the_command_that_makes_locks_takes_what_is_there(root: Path) -> None:
    edit(root, INTENT, '"xorriso"', '"mtools"')
    (root / "manifests/rust.lock.json").unlink()
    (root / "manifests/kernel.lock.json").write_text("{}")
    assert list(load(root, match_locks=False).locks) == ["imager", "resolver"]


def test_but_not_a_mistake_in_what_people_wrote(root: Path) -> None:
    edit(root, RECIPE, '"TOY"', '"toy"')
    with pytest.raises(ConfigError):
        load(root, match_locks=False)


def test_a_container_that_nobody_locked(root: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(root).lock_of("boot")
    assert str(caught.value) == ("manifests/boot.lock.json: no such file\n  hint: run `./doit lock boot`")


def test_a_container_that_is_locked_for_two_architectures(root: Path) -> None:
    found = load(checkout.for_arm64(root, "imager"))
    locks = {each: found.lock_of("imager", each) for each in ("amd64", "arm64")}
    assert {each: lock.architecture for each, lock in locks.items()} == {each: each for each in locks}
    assert locks["amd64"] == found.lock_of("imager")
    assert list(found.locks) == ["imager", "imager.arm64", "kernel", "resolver", "rust"]
    with pytest.raises(ConfigError) as caught:
        found.lock_of("imager", "riscv64")
    assert str(caught.value) == (
        "containers/imager.toml: architectures: 'riscv64', the container engine's, is none of amd64, arm64\n"
        "  hint: add it and run `./doit lock imager`, or set DOCKER_HOST to an engine on one of those"
    )
    with pytest.raises(ConfigError, match=r"^containers/rust.toml: .*, is none of amd64\n"):
        found.lock_of("rust", "arm64")


def test_a_lock_for_an_architecture_that_is_missing(root: Path) -> None:
    missing = checkout.for_arm64(root, "imager") / "manifests/imager.arm64.lock.json"
    missing.unlink()
    assert mistakes(root) == (["manifests/imager.arm64.lock.json: no such file"], RELOCK)
    with pytest.raises(ConfigError, match=r"run `./doit lock imager.arm64`"):
        load(root, match_locks=False).lock_of("imager", "arm64")


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        ('["amd64", "riscv64"]', "architectures.1: 'riscv64' is not 'amd64' or 'arm64'"),
        ('["arm64"]', "architectures: ['arm64'] lacks 'amd64', on which all is built"),
        ('"arm64"', "architectures: 'arm64' is not a list"),
    ],
)
def test_architectures_that_nobody_knows(root: Path, listed: str, said: str) -> None:
    with (root / INTENT).open("a") as file:
        file.write(f"architectures = {listed}\n")
    assert f"{INTENT}: {said}" in mistakes(root)[0]


@pytest.mark.parametrize("folder", ["containers", "roots"])
def test_what_is_called_like_a_lock_for_an_architecture(root: Path, folder: str) -> None:
    shutil.copy(root / INTENT, root / folder / "x.arm64.toml")
    assert f"{folder}/: 'x.arm64' ends in an architecture, as locks do" in mistakes(root)[0]


def test_a_lock_of_another_container_in_its_place(root: Path) -> None:
    shutil.copy(root / lock.path_of("kernel"), root / LOCK)
    assert mistakes(root)[0] == [f"{LOCK}: container: 'kernel' is not 'imager'", STALE]


def test_a_checkout_without_recipes(root: Path) -> None:
    shutil.rmtree(root / "recipes/toy")
    with pytest.raises(ConfigError) as caught:
        load(root)
    assert caught.value.mistakes == ["recipes/: no folder in it has a recipe.toml"]
