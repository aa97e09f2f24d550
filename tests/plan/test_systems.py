"""Whole systems in plans; and one that is built for real, by `./doit image NAME`, from packages to disks."""

import gzip
import json
import shutil
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.build.session import Session
from pipeline.checks.catalog import take_apart
from pipeline.checks.finding import Severity
from pipeline.checks.gate import Gate
from pipeline.cli.bench_systems import FILES
from pipeline.cli.new import new
from pipeline.debian import lock
from pipeline.errors import ConfigError
from pipeline.formats import gpt
from pipeline.formats.fields import open_image
from pipeline.plan.image import plan
from pipeline.plan.step import Step
from pipeline.plan.systems import FORMATS
from pipeline.project import systems
from pipeline.project.checkout import load
from pipeline.project.recipe import DiskFormat, Program
from pipeline.report import Report
from pipeline.steps import disk_formats, filesystem, filesystem_of_files, uki, verified_uki
from tests.conftest import ROOT, Compare
from tests.fixtures import checkout, system_boots
from tests.fixtures.disk import disk as make_disk
from tests.fixtures.disk_tools import ask
from tests.fixtures.workshop import Workshop
from tests.plan.test_image import keys, listing
from tests.plan.test_roots import with_root
from tests.products.test_acme import doit

A_ROOT = """
[root]
packages = "bare"
"""
RECIPE = FILES["recipe.toml"]
FILE_SYSTEMS = RECIPE[RECIPE.index("[filesystems.root]") : RECIPE.index("formats = ")]
REPART = {
    path.removeprefix("repart.d/"): text for path, text in FILES.items() if path.startswith("repart.d/")
}


def write_files(folder: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def with_system(
    root: Path, *changes: tuple[str, str], disk: str = 'size = "1G"\nformats = ["vhd", "ova"]\n'
) -> Path:
    """Write a checkout whose recipe is a whole system, with these changes of its tables."""
    table = A_ROOT + FILE_SYSTEMS + disk
    for old, other in changes:
        assert old in table
        table = table.replace(old, other)
    with_root(root, table)
    recipe = root / "recipes/toy/recipe.toml"
    recipe.write_text(recipe.read_text().replace('"rdinit=', '"roothash={roothash}", "rdinit='))
    write_files(root / "recipes/toy/repart.d", REPART)
    tools = lock.Intent("Tools.", ("python3",))
    (root / "containers/disk.toml").write_text('summary = "Tools."\npackages = ["python3"]\n')
    lock.write(checkout.lock_of("disk", tools), root / lock.path_of("disk"))
    return root


def without_iso(root: Path, more: str = "") -> Path:
    """Write a checkout whose recipe is a whole system alone, with `more` tables."""
    recipe = with_system(root) / "recipes/toy/recipe.toml"
    text = recipe.read_text().replace('[iso]\nvolume_id = "TOY"\n', "")
    recipe.write_text(text.replace(', "medium={volume_id}"', "") + more)
    return root


def steps_of(root: Path) -> dict[str, Step]:
    return {step.name: step for step in plan(load(root), "toy")}


def test_the_plan_of_a_whole_system(tmp_path: Path, golden: Compare) -> None:
    root = with_system(tmp_path)
    ours = ("root", "filesystem", "verity", "uki", "disk")
    steps = tuple(step for step in plan(load(root), "toy") if step.name.partition(":")[0] in ours)
    golden("plan-system.txt", listing(steps, root))
    assert {step.name: step.params for step in steps if step.name.startswith(("disk", "filesystem"))} == {
        "filesystem:toy:root": asked("root", "erofs", label="host-root", compression="zstd,3"),
        "filesystem:toy:var": asked("var", "ext4", label="VAR", room=64 << 20, grows=True),
        "filesystem:toy:esp": asked("esp", "fat", label="ESP"),
        "disk:toy": {
            "output": "toy.raw",
            "size": 1 << 30,
            "verity": ("root.erofs",),
            "seed": systems.seed("Toy", "toy"),
            "architecture": "x86-64",
            "image": "toy",
            "version": "1.0",
            "epoch": checkout.EPOCH,
        },
        "disk:toy:vhd": {"outputs": {"vhd": "toy.vhd"}, "epoch": checkout.EPOCH},
        "disk:toy:ova": {
            "outputs": {"ova": "toy.ova"},
            "epoch": checkout.EPOCH,
            "machine": {"name": "toy", "product": "Toy", "version": "1.0", "memory": 2048, "cpus": 2},
        },
    }


def asked(name: str, kind: str, **given: object) -> dict[str, object]:
    """Return the parameters of a file system of the toy."""
    usual = {"size": 0, "room": 0, "grows": False, "compression": "", "cluster": 0}
    seed = systems.seed("Toy", "toy", name)
    mine = {"output": f"{name}.{kind}", "kind": kind, "seed": seed, "epoch": checkout.EPOCH}
    return usual | mine | given


def test_identifiers_are_those_of_names() -> None:
    seeds = [systems.seed(*names) for names in (("a", "b", "c"), ("a", "b"), ("ab", "", "c"), ("a", "bc"))]
    assert seeds[0] == "5acf7d4f-5786-59ea-bc65-98c087d28dbb"
    assert len(set(seeds)) == len(seeds)


def test_only_what_holds_the_root_hash_asks_for_it(tmp_path: Path) -> None:
    steps = steps_of(with_system(tmp_path))
    bundled = steps["uki:toy"]
    assert bundled.inputs["roothash"] == steps["verity:toy:root"].output("root.roothash")
    assert (bundled.run, bundled.params["cmdline"]) == (
        verified_uki.build,
        "roothash={roothash} rdinit=/sbin/init medium=TOY",
    )
    made_by = {name: steps[f"filesystem:toy:{name}"].run for name in ("root", "var", "esp")}
    files = filesystem_of_files.build
    assert made_by == {"root": filesystem.build, "var": files, "esp": files}


def test_a_recipe_without_verity_has_the_uki_that_it_had(tmp_path: Path) -> None:
    root = checkout.write(tmp_path)
    (bundled,) = (step for step in plan(load(root), "toy") if step.name == "uki:toy")
    assert (bundled.run, list(bundled.inputs)) == (uki.build, ["vmlinuz", "initramfs.cpio.zst", "splash.bmp"])


CHANGES = [
    # file, and what is other bytes then
    ("recipes/toy/repart.d/40-var.conf", ["disk:toy", "disk:toy:vhd", "disk:toy:ova"]),
    (
        "recipes/toy/splash.bmp",
        [
            "uki:toy",
            "efi-img:toy",
            "iso:toy",
            "filesystem:toy:esp",
            "disk:toy",
            "disk:toy:vhd",
            "disk:toy:ova",
        ],
    ),
]


@pytest.mark.parametrize(("file", "changed"), CHANGES)
def test_what_an_edit_makes_anew(tmp_path: Path, file: str, changed: list[str]) -> None:
    root = with_system(tmp_path)
    before = keys(plan(load(root), "toy"))
    with (root / file).open("a") as edited:
        edited.write("\n")
    after = keys(plan(load(root), "toy"))
    assert [name for name in before if after[name] != before[name]] == changed


def test_a_carried_image_may_have_a_disk(tmp_path: Path) -> None:
    project = load(with_system(tmp_path))
    toy = project.recipes["toy"]
    around = replace(
        toy,
        programs={"x": Program(artifact="a-program")},
        root=None,
        filesystems={},
        disk=None,
        image=replace(toy.image, carries="toy", cmdline=()),
    )
    both = replace(project, recipes={"around": around, "toy": toy})
    steps = {step.name: step for step in plan(both, "around")}
    assert steps["initramfs:around"].inputs["payload"] == steps["uki:toy"].output("Toy.efi")


RECIPE = "recipes/toy/recipe.toml"
MISTAKES = [
    # what is replaced, by what, what is said
    ('"erofs"', '"btrfs"', "filesystems.root.kind: 'btrfs' is not 'ext4', 'erofs', 'squashfs' or 'fat'"),
    (
        'tree = "uki"',
        'tree = "esp"',
        "filesystems.esp.tree: 'esp' is not 'root', 'uki', 'boot', 'grub' or 'empty'",
    ),
    ('"64M"', '"64"', "filesystems.var.room: '64' is not the size of a disk (20G, 512M)"),
    (
        '"ESP"',
        '"efi"',
        "filesystems.esp.label: 'efi' has 'efi', and a label of FAT is of capitals, digits, - and _",
    ),
    (
        '"zstd,3"',
        '"xz"',
        "filesystems.root.compression: erofs cannot be packed with 'xz', but with lz4, lz4hc, zstd",
    ),
    (
        'label = "ESP"',
        "verity = true",
        "filesystems.esp.verity: the tree 'uki' is not verified; that of a root file system is",
        "filesystems.esp.verity: 'root' has it, too, and a command line has one root hash",
    ),
    (
        'label = "ESP"',
        'label = "VAR"',
        "filesystems.esp.label: 'VAR' is that of 'var', too, and has to find one",
    ),
    (
        'label = "ESP"',
        "grows = true",
        "filesystems.esp.grows: fat cannot grow; ext4 can",
    ),
    (
        "verity = true",
        "",
        "image.cmdline: {roothash} is that of a file system with verity = true, and none has it",
    ),
    (
        "[filesystems.esp]",
        "[filesystems.ESP]",
        "filesystems.ESP.[key]: 'ESP' is not a name (small letters, digits, dots and dashes)",
    ),
    ('[root]\npackages = "bare"\n', "", "filesystems.root.tree: there is no [root] that it could be of"),
    (
        "[disk]",
        '[disk]\ndefinitions = "x"',
        "disk.definitions: there is no folder recipes/toy/x",
    ),
    ('"ova"', '"iso"', "disk.formats.1: 'iso' is not 'raw.zst', 'qcow2', 'vhd', 'vmdk', 'ova' or 'gce'"),
    ('"ova"', '"vhd"', "disk: a format is there twice in formats"),
]


@pytest.mark.parametrize(("old", "other", "said"), [(old, other, said) for old, other, *said in MISTAKES])
def test_mistakes_of_file_systems_and_disks(tmp_path: Path, old: str, other: str, said: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        load(with_system(tmp_path, (old, other)))
    found = [one for one in caught.value.mistakes if "repart.d" not in one]
    assert found == [f"{RECIPE}: {one}" for one in said]


def test_a_root_hash_that_nobody_asks_for(tmp_path: Path) -> None:
    root = with_system(tmp_path)
    recipe = root / RECIPE
    recipe.write_text(recipe.read_text().replace('"roothash={roothash}", ', ""))
    with pytest.raises(ConfigError) as caught:
        load(root)
    assert caught.value.mistakes == [
        f"{RECIPE}: image.cmdline: the root hash of filesystems.root is not in it, so nothing would be "
        "verified: write roothash={roothash}"
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "CopyBlocks=/home.ext4",
            ":3: CopyBlocks=/home.ext4 is no file system of the recipe; "
            "there are /esp.fat, /root.erofs, /root.verity, /var.ext4",
        ),
        (
            "Label=ESP\nCopyBlocks=/var.ext4",
            ": the label 'ESP' is given twice, also in repart.d/10-esp.conf: it has to find one partition",
        ),
        (
            "Format=ext4\nSizeMinBytes=1G",
            ":3: Format= is not taken: its own filling leaks times and the order of files: "
            "name a finished file system by CopyBlocks=",
        ),
        ("", ": neither CopyBlocks= nor SizeMinBytes=: an empty partition needs a size"),
    ],
)
def test_definitions_are_read_before_anything_is_built(tmp_path: Path, text: str, said: str) -> None:
    root = with_system(tmp_path)
    (root / "recipes/toy/repart.d/40-var.conf").write_text(f"[Partition]\nType=var\n{text}\n")
    with pytest.raises(ConfigError) as caught:
        load(root)
    assert caught.value.mistakes == [f"recipes/toy/repart.d/40-var.conf{said}"]


def test_definitions_in_another_folder(tmp_path: Path) -> None:
    root = with_system(tmp_path, disk='definitions = "vm"\n')
    write_files(root / "recipes/toy/vm", {"a.conf": "Type=esp\n"})
    with pytest.raises(ConfigError) as caught:
        load(root)
    assert caught.value.mistakes[0] == (
        "recipes/toy/vm/a.conf:1: Type= stands in no section: write [Partition] above it"
    )


def test_an_empty_folder_of_definitions(tmp_path: Path) -> None:
    root = with_system(tmp_path, disk='definitions = "vm"\n')
    (root / "recipes/toy/vm").mkdir()
    with pytest.raises(ConfigError) as caught:
        load(root)
    assert caught.value.mistakes == [
        "recipes/toy/vm: there is no file that ends in .conf, and a disk has partitions"
    ]


def test_the_handbook_has_that_recipe() -> None:
    page = (ROOT / "docs/systems.md").read_text(encoding="utf-8")
    shown, ours = (
        tomllib.loads(text) for text in (page.split("```")[1].removeprefix("toml"), FILES["recipe.toml"])
    )
    assert set(shown["root"].pop("setuid")) < set(ours["root"].pop("setuid"))
    assert shown | {"summary": ours["summary"]} == ours
    for name, text in REPART.items():
        settings = " ".join(f"`{line}`" for line in text.splitlines()[1:])
        assert f"| `{name}` | {settings} |" in page
    assert FILES["root/etc/fstab"].strip() in page


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `./doit image host` has left what it made, in a project of its own that has no other recipe."""
    root = tmp_path_factory.mktemp("project") / "toys"
    new(Session(ROOT, Report()), [str(root)], "Toys")
    write_files(root / "recipes/host", FILES)
    shutil.copy(root / "recipes/toys-runtime/splash.bmp", root / "recipes/host")
    for made in (root / "recipes").glob("toys-*"):
        shutil.rmtree(made)
    manifest = root / "manifests/manifest.toml"
    lines = manifest.read_text().splitlines(keepends=True)
    gone = ("installer = ", "appliance = ", "service = ")
    manifest.write_text("".join(line for line in lines if not line.startswith(gone)))
    ran = doit(root, "image", "host")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return root / "artifacts/host"


PLACES = {
    "raw": "host.raw",
    "qcow2": "host.qcow2",
    "root": "root.erofs",
    "hashes": "root.verity",
    "var": "var.ext4",
    "esp": "esp.fat",
}
QUESTIONS = {
    "sfdisk": "sfdisk --verify {raw}",
    "verity": "veritysetup verify {root} {hashes} HASH",
    "erofs": "fsck.erofs {root}",
    "ext4": "e2fsck -fn {var}",
    "fat": "fsck.vfat -n {esp}",
    "qcow2": "qemu-img check {qcow2}",
    "same": "qemu-img compare -f raw -F qcow2 {raw} {qcow2}",
}
ANSWERS = {
    "sfdisk": "No errors detected.",
    "ext4": "VAR: 11/",
    "fat": "files, ",
    "qcow2": "No errors were found on the image.",
    "same": "Images are identical.",
}


def partition(disk: Path, name: str) -> gpt.Partition:
    found = gpt.read_table(open_image(disk), 1).partitions
    return next(one for one in found if one.name == name)


@pytest.mark.container
def test_a_whole_system_is_built_of_a_recipe_alone(host: Path, workshop: Workshop) -> None:
    root_hash = (host / "root.roothash").read_text().strip()
    inputs = {name: host / file for name, file in PLACES.items()}
    questions = {name: text.replace("HASH", root_hash).split() for name, text in QUESTIONS.items()}
    out, said = workshop.run("disk", ask, inputs, questions=questions)
    assert (out / "answers").is_file(), said
    answers = json.loads((out / "answers").read_text())
    assert {name for name, answer in answers.items() if answer.startswith("FAILED")} == set()
    assert {name for name, part in ANSWERS.items() if part not in answers[name]} == set()
    disk = host / "host.raw"
    data, tree = (partition(disk, name).guid for name in ("host-root", "host-root-verity"))
    assert (data.hex, tree.hex) == (root_hash[:32], root_hash[32:])
    assert f"roothash={root_hash} console=tty0".encode() in (host / "Host.efi").read_bytes()
    node = take_apart(open_image(disk), disk.name)
    assert [one for one in node.all_findings() if one.severity is Severity.ERROR] == []


@pytest.mark.container
@pytest.mark.boot
@pytest.mark.parametrize("story", ["starts", "refuses"])
def test_it_starts_and_with_one_byte_changed_it_refuses(host: Path, workshop: Workshop, story: str) -> None:
    disk = host / "host.raw"
    params = {"stories": [story], "accel": "auto", "version": "1", "seed": 1, "folder": "boot-test"}
    changed = partition(disk, "host-root").first_lba * 512  # erofs itself does not look at its first KiB
    out, said = workshop.run("boot", system_boots.run, {system_boots.DISK: disk}, changed=changed, **params)
    assert (out / story / "result.json").is_file(), said
    assert json.loads((out / story / "result.json").read_text())["failure"] == "", said


@pytest.mark.container
@pytest.mark.parametrize("wanted", FORMATS)
def test_what_a_format_is_held_to_is_what_it_is(workshop: Workshop, wanted: DiskFormat) -> None:
    ending, kind = FORMATS[wanted]
    machine = {"name": "toy", "product": "Toy", "version": "1", "memory": 512, "cpus": 1}
    inputs = {disk_formats.DISK: make_disk()}
    out, said = workshop.run(
        "disk", disk_formats.build, inputs, outputs={wanted: f"x.{ending}"}, machine=machine
    )
    assert (out / f"x.{ending}").is_file(), said
    assert Gate(kind, policies=())(out / f"x.{ending}") == []
    others = {name for _, name in FORMATS.values()} - {kind}
    assert all(Gate(other, policies=())(out / f"x.{ending}") for other in others)


def test_a_packed_disk_is_judged_too(tmp_path: Path) -> None:
    disk = bytearray(make_disk())
    (tmp_path / "good.gz").write_bytes(gzip.compress(disk))
    disk[512 + 16] ^= 1  # the checksum of the primary GPT's header (UEFI 2.10, §5.3.2)
    (tmp_path / "bad.gz").write_bytes(gzip.compress(disk))
    gate = Gate("packed", policies=())
    assert [[one.code for one in gate(tmp_path / name)] for name in ("good.gz", "bad.gz")] == [
        [],
        ["DISK004"],
    ]
