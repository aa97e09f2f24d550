"""What GRUB comes to on a machine: which kernel it loads, or where it ends and why."""

from collections.abc import Mapping

import pytest

from pipeline.formats.boot_files import of_bytes
from pipeline.formats.budget import ENDLESS
from pipeline.formats.grub_commands import Outcome, start
from pipeline.formats.grub_machine import Loaded, System

MODULES = ("normal", "linux", "search", "configfile", "test", "ext2", "part_gpt", "fat")
ENTRY = "menuentry 'One' --id one {\n linux /vmlinuz quiet\n initrd /initrd.img\n}\n"
FILES = {"vmlinuz": b"", "initrd.img": b"", "grub/grub.cfg": ENTRY.encode(), "two": b""}
LOADED = Loaded(("hd0,gpt2", "/vmlinuz"), "quiet", (("hd0,gpt2", "/initrd.img"),))


def outcome(
    config: str | None = ENTRY,
    early: str = "",
    modules: tuple[str, ...] = MODULES,
    more: Mapping[str, str] | None = None,
    unread: tuple[str, ...] = (),
) -> Outcome:
    """Start GRUB with a grub.cfg in the second of two partitions, `more` files beside it."""
    files = {name: data for name, data in FILES.items() if name != "grub/grub.cfg" or config is not None}
    files |= {name: text.encode() for name, text in (more or {}).items()}
    if config is not None:
        files["grub/grub.cfg"] = config.encode()
    systems = {
        "hd0,1": System("EFI", "1234-ABCD", of_bytes({"only": b""}), ("fat", "part_gpt")),
        "hd0,2": System("BOOT", "1111-22", of_bytes(files, {"link": "vmlinuz"}), ("ext2", "part_gpt")),
    }
    return start(systems, modules, {"root": "hd0,gpt2", "prefix": "(hd0,gpt2)/grub"}, early, ENDLESS, unread)


def test_the_first_entry_is_started() -> None:
    found = outcome()
    assert (found.loaded, found.title) == (LOADED, "One")
    assert found.way == ("(hd0,gpt2)/grub/grub.cfg",)


SECOND = ENTRY + "menuentry Two --id second { linux (hd0,2)/two }"


@pytest.mark.parametrize(
    ("config", "kernel"),
    [
        (f"set default=1\n{SECOND}", "/two"),
        (f"set default=second\n{SECOND}", "/two"),
        (f'default="Two"\n{SECOND}', "/two"),
        (f"set default=7\n{SECOND}", "/vmlinuz"),
        (f"set default=0\n{SECOND}", "/vmlinuz"),
        (f"submenu More {{ {SECOND} }}\nset default='0>1'", "/two"),
        (f"submenu More --id m {{ {SECOND} }}\nset default='m>second'", "/two"),
        ("set fallback=1\nmenuentry gone { linux /gone }\nmenuentry b { linux /two }", "/two"),
        ("menuentry x { linux /link }", "/link"),
        ("menuentry x { set k=two\n linux /$k }", "/two"),
        ("menuentry x { linux16 /two }", None),
        ("linux /two\nboot", "/two"),
        ("linux /two", "/two"),
        ("function f { linux $1; }\nmenuentry x { f /two }", "/two"),
        (
            "for k in /gone /two; do if [ -f $k ]; then set found=$k; fi; done\nmenuentry x { linux $found }",
            "/two",
        ),
        ("if [ -e /two -a ! -e /gone ]; then menuentry x { linux /two }; fi", "/two"),
        ("if [ -d /grub ]; then menuentry x { linux /two }; fi", "/two"),
        ("if [ -d /two -o x = y ]; then true; else menuentry x { linux /two }; fi", "/two"),
        ('if [ -z "$nothing" ]; then menuentry x { linux /two }; fi', "/two"),
        ('if [ -n "$root" ]; then menuentry x { linux /two }; fi', "/two"),
        ("if search --label GONE; then true; else menuentry x { linux /two }; fi", "/two"),
        ("if insmod ext2; then menuentry x { linux /two }; fi", "/two"),
        ("if keystatus --shift; then true; else menuentry x { linux /two }; fi", "/two"),
        (
            "set root=hd0,gpt1\nsearch --no-floppy --fs-uuid --set=root 1111-22\nmenuentry x { linux /two }",
            "/two",
        ),
        ("set root=hd0,gpt1\nsearch --set -f /two --hint hd0,gpt1\nmenuentry x { linux /two }", "/two"),
        ("search.fs_label EFI other\nmenuentry x { linux /two }", "/two"),
    ],
)
def test_a_configuration_is_followed(config: str, kernel: str | None) -> None:
    found = outcome(config, modules=(*MODULES, "search_label"))
    assert (found.loaded.kernel[1] if found.loaded else None) == kernel, found


def test_another_menu_is_followed() -> None:
    found = outcome(
        "set root=hd0,2\nconfigfile /more.cfg", more={"more.cfg": "source /x.cfg", "x.cfg": ENTRY}
    )
    assert found.way == ("(hd0,gpt2)/grub/grub.cfg", "(hd0,2)/more.cfg", "(hd0,2)/x.cfg")
    assert found.loaded == Loaded(("hd0,2", "/vmlinuz"), "quiet", (("hd0,2", "/initrd.img"),))


def test_the_core_image_s_configuration_comes_first() -> None:
    early = "search --label --set=root EFI\nsearch --label --set=other BOOT\nset prefix=($other)/grub"
    found = outcome("menuentry x { linux (hd0,2)/two }", early)
    assert found.loaded == Loaded(("hd0,2", "/two"), "", ())


@pytest.mark.parametrize(
    ("config", "because"),
    [
        (None, "GRUB's prompt comes: (hd0,gpt2)/grub/grub.cfg is not there"),
        ("", "GRUB's prompt comes: it has no entry"),
        ("menuentry x { linux /gone }", "its entry 'x' loads nothing: (hd0,gpt2)/gone is not there"),
        ("menuentry x { linux (hd0,1)/two }", "its entry 'x' loads nothing: (hd0,1)/two is not there"),
        (
            "menuentry x { linux (hd1)/two }",
            "its entry 'x' loads nothing: there is no file system on (hd1), where /two is looked for",
        ),
        (
            "menuentry x { linux /two\n initrd /gone }",
            "its entry 'x' loads no initramfs: (hd0,gpt2)/gone is not there",
        ),
        (
            "menuentry x { initrd /two }",
            "its entry 'x' loads nothing: `initrd` stands in front of `linux`, or that failed",
        ),
        ("menuentry x { echo hello }", "its entry 'x' loads nothing: it has no command for that"),
        ("menuentry x { linux }", "its entry 'x' loads nothing: `linux` names no kernel"),
        (
            "menuentry x { linux16 /two }",
            "its entry 'x' loads nothing: GRUB has no module linux16 for its command linux16",
        ),
        (
            "menuentry x { search --label GONE --set=root\n linux /gone }",
            "its entry 'x' loads nothing: `search` finds no file system with the label GONE",
        ),
        (
            "menuentry x { multiboot /gone root=x }",
            "its entry 'x' loads nothing: (hd0,gpt2)/gone is not there",
        ),
        ("menuentry 'x", "(hd0,gpt2)/grub/grub.cfg: line 1: the quote ' is not closed"),
    ],
)
def test_where_it_ends_is_said(config: str | None, because: str) -> None:
    found = outcome(config)
    assert (found.loaded, found.because, found.is_known) == (None, because, True)


@pytest.mark.parametrize(
    ("config", "because"),
    [
        ("menuentry x { chainloader +1 }", "it goes on with `chainloader +1`, which is not followed"),
        (
            "menuentry x { loopback l /two\n linux (l)/x }",
            "it goes on with `loopback l /two`, which is not followed",
        ),
        ("function f { f; }\nf", "its scripts call each other without end"),
        ("while true; do true; done", "its scripts run more than 20000 commands"),
    ],
)
def test_what_is_not_followed_is_not_known(config: str, because: str) -> None:
    found = outcome(config)
    assert (found.loaded, found.because, found.is_known) == (None, because, False)


@pytest.mark.parametrize(
    ("modules", "because"),
    [
        (
            ("ext2", "part_gpt"),
            "GRUB's rescue prompt comes: its core image has no module normal, nor has (hd0,gpt2)/grub",
        ),
        (
            ("normal", "ext2"),
            "GRUB's prompt comes: GRUB has no modules for what is on (hd0,gpt2), where /grub/grub.cfg is "
            "looked for",
        ),
    ],
)
def test_a_core_image_without_what_it_needs_is_named(modules: tuple[str, ...], because: str) -> None:
    assert outcome(modules=modules).because == because


def test_modules_are_found_in_the_prefix() -> None:
    more = {f"grub/i386-pc/{name}.mod": "" for name in ("normal", "linux")}
    assert outcome(modules=("ext2", "part_gpt"), more=more).loaded == LOADED


def test_a_mistake_in_the_core_image_s_configuration_is_named() -> None:
    assert outcome(early="if").because.startswith("the configuration in its core image: line 1:")
    assert outcome(None, "search --label --set=root GONE").because == (
        "GRUB's prompt comes: `search` finds no file system with the label GONE; "
        "(hd0,gpt2)/grub/grub.cfg is not there"
    )


def test_what_may_lie_where_nobody_reads_is_not_known() -> None:
    found = outcome("menuentry x { linux (hd0,gpt3)/two }", unread=("hd0,gpt3",))
    because = "what is on (hd0,gpt3), where /two is looked for, is not read"
    assert (found.loaded, found.because, found.is_known) == (None, because, False)
    found = outcome(None, "search --set=root --label GONE", unread=("hd0,gpt3",))
    because = (
        "GRUB's prompt comes: `search` finds no file system with the label GONE, and what is on (hd0,3) is "
        "not read; (hd0,gpt2)/grub/grub.cfg is not there"
    )
    assert (found.loaded, found.because, found.is_known) == (None, because, False)
    assert outcome(early="search --label GONE", unread=("hd0,gpt3",)).loaded == LOADED
    assert outcome(unread=("hd0,gpt3",)).loaded == LOADED
