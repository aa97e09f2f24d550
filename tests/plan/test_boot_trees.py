"""Boot trees and GRUB in plans, and what a recipe may say of them."""

import re
from pathlib import Path

import pytest

from pipeline.checks.gate import Gate
from pipeline.errors import ConfigError
from pipeline.plan.boot_trees import esp_files, grub_iso_step
from pipeline.plan.image import plan
from pipeline.plan.step import Step
from pipeline.project.checkout import load
from pipeline.steps import grub
from tests.conftest import ROOT, Compare
from tests.fixtures import boot_system
from tests.fixtures import checkout as toys
from tests.plan.test_image import listing

RECIPE, REPART = "recipes/toy/recipe.toml", "recipes/toy/repart.d"
DIFFERS = "of which GRUB, the shell of Heads and systemd-boot make different things"
BIOS = boot_system.BIOS_BOOT
EXT4 = '[filesystems.boot]\nkind = "ext4"'
FAT = '[filesystems.boot]\nkind = "fat"'
NO_HEADS = ("heads = true\n", "")


def steps_of(root: Path) -> dict[str, Step]:
    return {step.name: step for step in plan(load(root), "toy")}


def test_the_plan_of_a_system_that_grub_starts(tmp_path: Path, golden: Compare) -> None:
    root = boot_system.write(tmp_path)
    ours = ("boot-tree:toy", "grub:toy", "filesystem:toy:boot", "filesystem:toy:esp", "disk:toy")
    steps = steps_of(root)
    golden("plan-boot-tree.txt", listing(tuple(steps[name] for name in ours), root))
    assert steps["boot-tree:toy"].params == {
        "recipe": "toy",
        "version": "1.0",
        "systems": ("/var/system", "/var/system-1-link"),
        "cmdline": "root=LABEL=TOY_ROOT system={system}",
        "folder": "toy",
        "kernel": "kernel",
        "initrd": "initrd",
        "timeout": 5,
        "heads": True,
        "epoch": toys.EPOCH,
    }
    assert steps["grub:toy"].params == {"label": "TOY_BOOT", "folder": "toy", "epoch": toys.EPOCH}


def test_what_a_boot_loader_starts_is_no_medium_and_no_appliance(tmp_path: Path) -> None:
    steps = steps_of(boot_system.write(tmp_path))
    gates = [gate for name in ("filesystem:toy:esp", "disk:toy") for gate in steps[name].checks.values()]
    assert [gate.policies for gate in gates if isinstance(gate, Gate)] == [("strict", "reproducible")] * 2


def test_a_root_of_another_maker_will_do(tmp_path: Path) -> None:
    root = boot_system.write(tmp_path, ('packages = "bare"', 'artifact = "a-program"'))
    steps = steps_of(root)
    assert steps["boot-tree:toy"].inputs == {"root.tar": steps["root:toy"].output("root.tar")}
    assert "artifact" in steps["root:toy"].inputs


def test_what_systemd_boot_starts_is_on_fat(tmp_path: Path) -> None:
    steps = steps_of(boot_system.write(tmp_path, (EXT4, FAT), ("boot.ext4", "boot.fat"), NO_HEADS))
    assert steps["filesystem:toy:boot"].params["kind"] == "fat"
    assert not steps["boot-tree:toy"].params["heads"]


def test_a_disk_for_uefi_alone(tmp_path: Path) -> None:
    root = boot_system.write(tmp_path, (boot_system.REPART["10-bios.conf"], ""))
    assert "grub:toy" in steps_of(root)


def test_a_boot_tree_without_grub(tmp_path: Path) -> None:
    esp = (('tree = "grub"', 'tree = "uki"'), (boot_system.REPART["10-bios.conf"], ""))
    steps = steps_of(boot_system.write(tmp_path, *esp))
    assert "grub:toy" not in steps
    assert "boot.img" not in steps["disk:toy"].inputs


def test_an_esp_of_others_gets_the_folder_alone(tmp_path: Path) -> None:
    project = load(boot_system.write(tmp_path))
    loader = {step.name: step for step in plan(project, "toy")}["grub:toy"]
    found = {path: source.name for path, source in esp_files(project, "toy", loader).items()}
    assert found == {
        "EFI/BOOT/BOOTX64.EFI": "grubx64.efi",
        "EFI/toy/grubx64.efi": "grubx64.efi",
        "EFI/toy/grub.cfg": "grub.cfg",
        "EFI/toy/grubenv": "grubenv",
    }


def test_an_iso_is_found_by_its_volume(tmp_path: Path) -> None:
    step = grub_iso_step(load(boot_system.write(tmp_path)), "toy")
    assert (step.outputs, step.params["label"]) == (grub.ISO_PARTS, "TOY")


MISTAKES = [
    # what is replaced, by what, what is said
    (
        ('[boot]\nsystems = ["/var/system", "/var/system-1-link"]', ""),
        ('cmdline = ["root=LABEL=TOY_ROOT", "system={system}"]\nfolder = "toy"\nheads = true\n', ""),
        [f"{RECIPE}: filesystems.boot.tree: there is no [boot] that it could be of"],
    ),
    (
        ('tree = "boot"', 'tree = "empty"'),
        [
            f"{RECIPE}: filesystems.esp.tree: GRUB starts what a menu leads to, "
            'and no file system has tree = "boot"',
            f'{RECIPE}: boot: no file system has tree = "boot", so nothing of it would be on a disk',
        ],
    ),
    (
        ('[root]\npackages = "bare"\n', ""),
        [
            f"{RECIPE}: filesystems.root.tree: there is no [root] that it could be of",
            f"{RECIPE}: boot: systems are looked for in a root, and there is no [root]",
        ],
    ),
    (
        ("[disk]", '[filesystems.more]\nkind = "ext4"\ntree = "boot"\nlabel = "MORE"\n\n[disk]'),
        [f"{RECIPE}: filesystems.more.tree: 'boot' has 'boot', too, and only one of them would be found"],
    ),
    (
        ("[disk]", '[filesystems.more]\nkind = "fat"\ntree = "grub"\nlabel = "MORE"\n\n[disk]'),
        [f"{RECIPE}: filesystems.more.tree: 'esp' has 'grub', too, and only one of them would be found"],
    ),
    (
        (EXT4, EXT4.replace("ext4", "squashfs")),
        ("boot.ext4", "boot.squashfs"),
        ('label = "TOY_BOOT"\n', ""),
        [
            f"{RECIPE}: filesystems.boot.kind: what is started has to lie on ext4 or fat, not on squashfs",
            f"{RECIPE}: filesystems.boot.label: '' is no word of letters, digits, dots, _ and -, "
            "by which it is found",
            f"{RECIPE}: boot.heads: Heads signs what is on ext4, and filesystems.boot is squashfs",
        ],
    ),
    (
        (EXT4, FAT),
        ("boot.ext4", "boot.fat"),
        [f"{RECIPE}: boot.heads: Heads signs what is on ext4, and filesystems.boot is fat"],
    ),
    (
        ('label = "TOY_BOOT"', 'label = "TOY BOOT"'),
        [
            f"{RECIPE}: filesystems.boot.label: 'TOY BOOT' is no word of letters, digits, dots, _ and -, "
            "by which it is found"
        ],
    ),
    (
        ('kind = "fat"\ntree = "grub"', 'kind = "ext4"\ntree = "grub"'),
        ("esp.fat", "esp.ext4"),
        [f"{RECIPE}: filesystems.esp.kind: firmware finds GRUB on fat, not on ext4"],
    ),
    (
        ('tree = "grub"', 'tree = "grub"\nboot = "systemd-boot"'),
        [
            f"{RECIPE}: filesystems.esp.boot: firmware finds a boot loader on FAT, "
            'and this one boots what tree = "uki" is'
        ],
    ),
    (
        ('folder = "toy"', 'folder = "Boot"'),
        [f"{RECIPE}: boot.folder: 'Boot' is where any system's firmware looks first: choose one of your own"],
    ),
    (
        ("heads = true", "heads = true\ntimeout = -1"),
        [f"{RECIPE}: boot.timeout: -1 seconds cannot be waited: 0 starts at once"],
    ),
    (
        ('"system={system}"', '"system={system}", "a=$b", "{roothash}"'),
        [
            f"{RECIPE}: boot.cmdline: 'a=$b' has '$', {DIFFERS}",
            f"{RECIPE}: boot.cmdline: '{{roothash}}' has '{{', {DIFFERS}",
            f"{RECIPE}: boot.cmdline: '{{roothash}}' has '}}', {DIFFERS}",
        ],
    ),
    (
        ('"/var/system-1-link"', '"/var/system|1"'),
        [f"{RECIPE}: boot.systems: the title 'toy system|1' has '|', which not every menu shows as it is"],
    ),
    (
        ('"/var/system-1-link"', '"/var/system"'),
        [f"{RECIPE}: boot: systems: one is there twice"],
    ),
    (
        ('["/var/system", "/var/system-1-link"]', "[]"),
        [f"{RECIPE}: boot: systems: there is none, so nothing could be started"],
    ),
    (
        (f"Type={BIOS}", "Type=linux-generic"),
        [
            f"{REPART}/10-bios.conf: CopyBlocks=/core.img wants Type={BIOS}, not linux-generic: "
            "GRUB has it for itself"
        ],
    ),
    (
        ("CopyBlocks=/core.img\n", ""),
        [f"{REPART}/10-bios.conf: Type={BIOS} is for what a BIOS starts: write CopyBlocks=/core.img"],
    ),
    (
        ("Type=xbootldr\nCopyBlocks=/boot.ext4", f"Type={BIOS}\nCopyBlocks=/core.img"),
        [
            f"{REPART}/30-boot.conf: CopyBlocks=/core.img is in repart.d/10-bios.conf, too, "
            "and a BIOS starts one"
        ],
    ),
    (
        ("Type=esp", "Type=linux-generic"),
        [
            f"{REPART}/20-esp.conf: CopyBlocks=/esp.fat wants Type=esp, not linux-generic: "
            "firmware finds GRUB on an EFI system partition"
        ],
    ),
    (
        (EXT4, FAT),
        NO_HEADS,
        ("boot.ext4", "boot.fat"),
        ("Type=xbootldr", "Type=linux-generic"),
        [
            f"{REPART}/30-boot.conf: CopyBlocks=/boot.fat wants Type=xbootldr, not linux-generic: "
            "a boot loader finds entries on such a partition"
        ],
    ),
    (
        ('tree = "grub"', 'tree = "uki"'),
        [
            f"{REPART}/10-bios.conf:3: CopyBlocks=/core.img is no file system of the recipe; "
            "there are /boot.ext4, /esp.fat, /root.ext4"
        ],
    ),
]


@pytest.mark.parametrize(
    ("changes", "said"), [(changes, said) for *changes, said in MISTAKES], ids=lambda row: str(row)[:60]
)
def test_mistakes(tmp_path: Path, changes: list[tuple[str, str]], said: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        load(boot_system.write(tmp_path, *changes))
    assert caught.value.mistakes == said


def test_the_handbook_has_a_recipe_that_is_right(tmp_path: Path) -> None:
    page = (ROOT / "docs/boot-trees.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\d\d-.+\.conf)` \| (.+) \|$", page, re.MULTILINE)
    files = {name: "\n".join(["[Partition]", *cells.split("` `")]).replace("`", "") for name, cells in rows}
    assert list(files) == list(boot_system.REPART)
    root = boot_system.write(tmp_path)
    recipe = root / RECIPE
    own = recipe.read_text().partition("[boot]")[0]
    recipe.write_text(own + page.split("```")[1].removeprefix("toml"))
    for name, text in files.items():
        (root / REPART / name).write_text(f"{text}\n")
    boot = load(root).recipes["toy"].boot
    assert boot
    assert boot.heads


@pytest.mark.parametrize("kind", ["C12A7328-F81F-11D2-BA4B-00A0C93EC93B", "c12a7328f81f11d2ba4b00a0c93ec93b"])
def test_types_may_be_written_out(tmp_path: Path, kind: str) -> None:
    assert load(boot_system.write(tmp_path, ("Type=esp", f"Type={kind}"))).recipes["toy"].boot
