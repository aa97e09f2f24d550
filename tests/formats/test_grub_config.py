import pytest

from pipeline.errors import FormatError
from pipeline.formats.budget import Spent, for_file
from pipeline.formats.grub_config import MAX_CALLS, MAX_COMMANDS, read_config
from pipeline.formats.grub_menu import Config, Entry, Place

DEBIAN = """
if [ -s $prefix/grubenv ]; then
  set have_grubenv=true
  load_env
fi
if [ "${next_entry}" ] ; then
   set default="${next_entry}"
   set next_entry=
   save_env next_entry
else
   set default="0"
fi
if [ x"${feature_menuentry_id}" = xy ]; then
  menuentry_id_option="--id"
else
  menuentry_id_option=""
fi
function gfxmode {
    set gfxpayload="${1}"
}
set timeout=5
menuentry 'Debian GNU/Linux' --class debian --class os $menuentry_id_option 'gnulinux-simple-1' {
    gfxmode keep
    if [ x$grub_platform = xxen ]; then insmod xzio; insmod lzopio; fi
    set root='hd0,gpt2'
    if [ x$feature_platform_search_hint = xy ]; then
      search --no-floppy --fs-uuid --set=root --hint-bios=hd0,gpt2 --hint='hd0,gpt2' 0000-1111
    else
      search --no-floppy --fs-uuid --set=root 0000-1111
    fi
    echo 'Loading Linux 6.12 ...'
    linux /boot/vmlinuz-6.12 root=UUID=0000-1111 ro quiet
    initrd /boot/initrd.img-6.12
}
submenu 'Advanced options' $menuentry_id_option 'advanced' {
    menuentry 'Recovery' --id recovery {
        linux /boot/vmlinuz-6.12 single "a b"
        initrd /boot/early.img /boot/initrd.img-6.12
    }
}
menuentry 'UEFI Firmware Settings' { fwsetup; }
if [ -f ${config_directory}/custom.cfg ]; then
  source ${config_directory}/custom.cfg
fi
"""
UUID = "search:fs-uuid:0000-1111"


def entry(text: str, **settings: str) -> Entry:
    (found,) = read_config(text, settings=settings).entries
    return found


def test_what_grub_mkconfig_writes_is_read() -> None:
    config = read_config(DEBIAN, settings={"prefix": "/boot/grub"})
    first, second, third = config.entries
    assert first == Entry(
        line=22,
        title="Debian GNU/Linux",
        id="gnulinux-simple-1",
        position=(0,),
        kind="linux",
        kernel=Place(UUID, "/boot/vmlinuz-6.12"),
        cmdline="root=UUID=0000-1111 ro quiet",
        initrds=(Place(UUID, "/boot/initrd.img-6.12"),),
    )
    assert (second.menus, second.position) == ((("Advanced options", "advanced"),), (1, 0))
    assert second.cmdline == 'single "a b"'
    assert [str(place) for place in second.files] == [
        "/boot/vmlinuz-6.12",
        "/boot/early.img",
        "/boot/initrd.img-6.12",
    ]
    assert (third.title, third.position, third.kind, third.files) == ("UEFI Firmware Settings", (2,), "", ())
    assert config.settings["timeout"] == "5"
    assert config.unknown >= {"default", "next_entry", "have_grubenv"}
    assert config.default is None
    assert config.others == (Place("", "${config_directory}/custom.cfg"),)
    assert not config.missing


@pytest.mark.parametrize(
    ("default", "title"),
    [
        ("", "a"),
        ("0", "a"),
        ("1", "c"),
        ("3", "e"),
        ("9", "a"),
        ("99999999999999999999", "a"),
        ("e", "e"),
        ("ie", "e"),
        ("b>1", "d"),
        ("1>1", "d"),
        ("ib>d", "d"),
        ("b>no", "a"),
        ("2>0", "a"),
    ],
)
def test_the_default_is_named_by_number_id_or_title(default: str, title: str) -> None:
    menus = "submenu b --id ib { menuentry c { x }; menuentry d { x } }"
    menus = f"menuentry a {{ x }}\n{menus}\nmenuentry f {{ x }}\nmenuentry e --id=ie {{ x }}"
    found = read_config(f"{menus}\nset default='{default}'").default
    assert found is not None
    assert found.title == title


def test_without_entries_or_with_others_nothing_is_the_default() -> None:
    assert read_config("set default=0").default is None
    assert read_config("menuentry a { b }\nblscfg").default is None
    assert read_config("blscfg") == Config((), read_config("").settings, has_blscfg=True)


@pytest.mark.parametrize(
    ("commands", "expected"),
    [
        ("linux /k a b; initrd /i", ("linux", "/k", "a b", ["/i"])),
        ("linux16 /k; initrd16 /i /j", ("linux", "/k", "", ["/i", "/j"])),
        ("linuxefi (hd0,1)/k a; initrdefi (hd0)", ("linux", "(hd0,1)/k", "a", ["(hd0)/"])),
        ("linux /k a; linux /l b", ("linux", "/l", "b", [])),
        ("linux /k 'a b' c\\\"d", ("linux", "/k", '"a b" c\\"d', [])),
        ("set x='a b'; linux /k $x \"$x\" x$y", ("linux", "/k", 'a b "a b" x', [])),
        ("set root=hd0; linux /k", ("linux", "(hd0)/k", "", [])),
        ("search --label --set GUIX; linux /k", ("linux", "(search:label:GUIX)/k", "", [])),
        ("search -s -l X; linux ($root)/k", ("linux", "(search:label:X)/k", "", [])),
        ("search.fs_label X; linux /k", ("linux", "(search:label:X)/k", "", [])),
        ("search.file /a r hd0; linux ($r)/k", ("linux", "(search:file:/a)/k", "", [])),
        ("search --file=/a --hint hd0 --set=root; linux /k", ("linux", "(search:file:/a)/k", "", [])),
        ("search --label X; linux /k", ("linux", "/k", "", [])),
        ("for x in a b; do linux /$x; done", ("linux", "/b", "", [])),
        ("multiboot2 /xen.gz dom0; module2 /k a; module2 --nounzip /i", ("multiboot", "/xen.gz", "dom0", [])),
        ("chainloader /EFI/BOOT/BOOTX64.EFI", ("chainloader", "/EFI/BOOT/BOOTX64.EFI", "", [])),
        ("linux", ("", "None", "", [])),
        ("set x=/k; set x; linux $x", ("linux", "/k", "", [])),
        ("x=/k; linux $x", ("linux", "/k", "", [])),
        ("set x=/k; unset x; linux $x", ("", "None", "", [])),
    ],
)  # fmt: skip
def test_entries_have_what_they_load(commands: str, expected: tuple[object, ...]) -> None:
    found = entry(f"menuentry a {{ {commands}; }}\n")
    assert (found.kind, str(found.kernel), found.cmdline, [*map(str, found.initrds)]) == expected
    assert found.is_certain
    assert not found.unknown


def test_modules_are_files_too() -> None:
    found = entry("menuentry a { multiboot /x; module /k a; module --nounzip /i; }")
    assert [*map(str, found.files)] == ["/x", "/k", "/i"]


@pytest.mark.parametrize(
    ("text", "unknown"),
    [
        ("load_env x\nmenuentry a { linux /k$x; }", ("x",)),
        ("load_env -f /grubenv x\nmenuentry a { linux /k; initrd /i; }", ()),
        ("load_env --file /g\nmenuentry a { linux /k $y; }", ("y",)),
        ("probe --set r -u $root\nmenuentry a { linux /k root=$r; }", ("r",)),
        ("regexp -s 1:dev '(.*)' $x\nmenuentry a { linux ($dev)/k; }", ("dev",)),
        ("source /other\nmenuentry a { linux /k $z; }", ("z",)),
        ("search --label $q --set=root\nmenuentry a { linux /k; }", ()),
        ("read q\nsearch --label $q --set=root\nmenuentry a { linux /k; }", ("root",)),
    ],
)
def test_what_only_a_machine_knows_is_named(text: str, unknown: tuple[str, ...]) -> None:
    assert entry(text).unknown == unknown


@pytest.mark.parametrize(
    ("text", "titles"),
    [
        ("if [ x = x ]; then menuentry a { b }; else menuentry c { d }; fi", {"a": True}),
        ("if [ x != x ]; then menuentry a { b }; elif true; then menuentry c { d }; fi", {"c": True}),
        ("if false; then menuentry a { b }; fi", {}),
        ("if [ -e /x ]; then menuentry a { b }; else menuentry c { d }; fi", {"a": False, "c": False}),
        ("if [ -e /x ]; then menuentry a { b }; elif true; then menuentry a { d }; fi", {"a": False}),
        ("if cmosclean 1:2; then menuentry a { b }; fi", {"a": False}),
        ("set x=1\nif test $x -eq 1 -a ! -z y; then menuentry a { b }; fi", {"a": True}),
        ("while [ -e /x ]; do menuentry a { b }; done", {"a": False}),
        ("function f { menuentry $1$2 { b }; }\nf q\nf r s", {"q": True, "rs": True}),
        ("menuentry --class x --hotkey=q --users '' a b { c }", {"a": True}),
        ("hiddenentry a { b }", {"a": True}),
        ("menuentry a", {}),
        ("menuentry a { menuentry b { c }; }", {"a": True}),
    ],
)  # fmt: skip
def test_conditions_are_followed_as_far_as_they_are_known(text: str, titles: dict[str, bool]) -> None:
    assert {each.title: each.is_certain for each in read_config(text).entries} == titles


def test_what_both_ways_set_alike_is_known() -> None:
    text = "if [ -e /x ]; then set a=1; set b=1; else set a=1; set b=2; fi"
    config = read_config(text)
    assert config.settings["a"] == "1"
    assert config.unknown == {"b"}


FILES = {
    Place("search:label:B", "/grub/grub.cfg"): "menuentry inner { linux /k; }\nset timeout=1\n",
    Place("", "/more.cfg"): "menuentry more { x }",
    Place("", "/loop.cfg"): "source /loop.cfg",
    Place("", "/bad.cfg"): "fi",
}


def load(place: Place) -> str | None:
    if place.path == "/missing.cfg":
        raise FormatError("not there")
    return FILES.get(place)


def test_other_files_are_read_where_they_are_known() -> None:
    stub = (
        "search --label --set=root B\nset prefix=($root)/grub\nconfigfile $prefix/grub.cfg\nset timeout=9\n"
    )
    config = read_config(stub, load)
    assert [str(place) for each in config.entries for place in each.files] == ["(search:label:B)/k"]
    assert config.settings["timeout"] == "1"
    assert not config.others
    config = read_config(
        "source /more.cfg\nsource /missing.cfg\nconfigfile /missing.cfg\nmenuentry a { b }", load
    )
    assert [each.title for each in config.entries] == ["more", "a"]
    assert config.missing == (Place("", "/missing.cfg"),)
    config = read_config("configfile /unknown.cfg\nmenuentry a { b }", load)
    assert (config.entries, config.others) == ((), (Place("", "/unknown.cfg"),))
    found = entry("menuentry a { configfile /other.cfg; linux /never; }")
    assert (found.configs, found.kernel) == ((Place("", "/other.cfg"),), None)


def test_a_file_that_may_be_read_leaves_both_ways() -> None:
    text = "if [ -e /x ]; then configfile /more.cfg; fi\nmenuentry a { b }"
    config = read_config(text, load)
    assert {each.title: each.is_certain for each in config.entries} == {"more": False, "a": False}
    text = "if [ -e /x ]; then configfile /more.cfg; else configfile /more.cfg; fi\nmenuentry a { b }"
    assert [each.title for each in read_config(text, load).entries] == ["more", "more"]
    text = "if [ -e /x ]; then source /missing.cfg; fi"
    assert not read_config(text, load).missing


def test_another_file_that_cannot_be_parsed_is_named() -> None:
    with pytest.raises(FormatError, match=r"^/bad\.cfg: line 1: 'fi' stands where"):
        read_config("source /bad.cfg", load)


def test_what_has_no_end_is_refused() -> None:
    with pytest.raises(FormatError, match=f"line 1: more than {MAX_CALLS} files and functions"):
        read_config("source /loop.cfg", load)
    with pytest.raises(FormatError, match=f"more than {MAX_CALLS} files and functions"):
        read_config("function f { f; }\nf")
    twice = "\n".join(f"function f{n} {{ f{n + 1}; f{n + 1}; }}" for n in range(30))
    with pytest.raises(FormatError, match=f"here end the {MAX_COMMANDS} commands"):
        read_config(f"{twice}\nf0")
    with pytest.raises(Spent):
        read_config(f"{twice}\nf0", budget=for_file(len(twice)))
    grows = "set a=xxxxxxxx\n" + "set a=$a$a$a$a\n" * 30
    with pytest.raises(FormatError, match="a variable of more than"):
        read_config(grows)
