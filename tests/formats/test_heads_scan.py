import pytest

from pipeline.formats.boot_files import MAX_TEXT, of_bytes
from pipeline.formats.heads_scan import MAX_CMDLINE, MAX_CONFIGS, Found, Missed, Note, scan

KERNELS = {"vmlinuz": b"k", "initrd.img": b"i"}
ENTRY = """menuentry 'Toy' --id toy {
  linux /vmlinuz quiet
  initrd /initrd.img
}
"""
TOY = Found("Toy", "/vmlinuz", ("/initrd.img",), "quiet", "grub/grub.cfg")
BLS = "title Toy\nlinux /vmlinuz\ninitrd /initrd.img\noptions quiet\n"


def grub(text: str) -> dict[str, bytes]:
    return {**KERNELS, "grub/grub.cfg": text.encode()}


def found(files: dict[str, bytes], links: dict[str, str] | None = None) -> list[Found]:
    return list(scan(of_bytes(files, links)).found)


def missed(files: dict[str, bytes]) -> list[str]:
    result = scan(of_bytes(files))
    assert all(each.hint for each in result.missed)
    return [f"{each.source}: {each.message}" for each in result.missed]


def other(**changes: object) -> Found:
    return Found(**{**{name: getattr(TOY, name) for name in Found.__slots__}, **changes})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ENTRY, TOY),
        (
            ENTRY.replace("Toy", "T|o|y"),
            other(notes=(Note("title", "Heads shows the name 'T|o|y' without its |"),)),
        ),
        (ENTRY.replace("'Toy'", '"Toy"'), TOY),
        (ENTRY.replace("'Toy'", "Toy"), other(name="menuentry Toy --id toy {")),
        (ENTRY.replace("\n}", "\n\t} "), TOY),
        (ENTRY.replace("/vmlinuz", "($root)/vmlinuz"), TOY),
        (ENTRY.replace("/vmlinuz", "\\\n  /vmlinuz"), TOY),
        (ENTRY.replace("linux", "linuxefi"), TOY),
        (ENTRY.replace("quiet", "a --- quiet"), other(cmdline="a quiet")),
        (ENTRY.replace(" quiet", ""), other(cmdline="")),
        (ENTRY.replace("  initrd /initrd.img\n", ""), other(initrds=())),
        (ENTRY.replace("d /i", "d /vmlinuz /i"), other(initrds=("/vmlinuz", "/initrd.img"))),
        (ENTRY.replace("Toy", "No", 1).replace("/vmlinuz", "/x") + ENTRY, TOY),
        ("if [ a ]; then\n  menuentry_id_option=--id\nfi\nfunction f {\n}\n" + ENTRY, TOY),
        (
            ENTRY.replace("quiet", "root=${root} $x"),
            other(
                cmdline="root=",
                notes=(Note("variable", "Heads expands ${root}, $x to nothing, in 'root=${root} $x'"),),
            ),
        ),
        (
            ENTRY.replace("quiet", 'a="b c"'),
            other(
                cmdline="a=b c",
                notes=(Note("eval", "Heads takes the quotes for its shell's, in 'a=\"b c\"'"),),
            ),
        ),
        (
            ENTRY.replace("quiet", "`reboot`"),
            other(
                cmdline="`reboot`",
                notes=(Note("eval", "Heads runs what stands in ` or $() as a command, in '`reboot`'"),),
            ),
        ),
        (
            ENTRY.replace("quiet", "a" * 2048),
            other(
                cmdline="a" * 2048,
                notes=(Note("cmdline", f"the command line has 2048 bytes, and Linux takes {MAX_CMDLINE}"),),
            ),
        ),
        (ENTRY.replace("quiet", "a" * 2047), other(cmdline="a" * 2047)),
        (
            ENTRY.replace("/vmlinuz", "$dir/kernel"),
            other(
                kernel="/grub//kernel",
                faults=("/grub//kernel is not there, and Heads fails to start it",),
                notes=(Note("variable", "Heads expands $dir to nothing, in '/grub/$dir/kernel'"),),
            ),
        ),
    ],
)
def test_entries_of_grub_are_found(text: str, expected: Found) -> None:
    assert found(grub(text)) == [expected]


HERE = "grub/grub.cfg: entry 'Toy': "


@pytest.mark.parametrize(
    ("files", "messages"),
    [
        (
            grub(ENTRY.replace("/vmlinuz", "/boot/vmlinuz")),
            [HERE + "/boot/vmlinuz is not there"],
        ),
        (
            grub(ENTRY.replace("/vmlinuz", "/gnu/store/0000-linux/bzImage")),
            [HERE + "/gnu/store/0000-linux/bzImage is not there"],
        ),
        (
            grub(ENTRY.replace("/initrd.img", "/no.img") + ENTRY.replace("Toy", "Next")),
            [HERE + "/no.img is not there, and Heads leaves this entry out and all behind it"],
        ),
        (
            {**KERNELS, "EFI/debian/grub.cfg": ENTRY.encode()},
            ["EFI/debian/grub.cfg: it lies below EFI, where Heads does not look"],
        ),
        (
            {**KERNELS, "grub/my grub.cfg": ENTRY.encode()},
            ["grub/my grub.cfg: its path has a blank, at which Heads cuts it"],
        ),
        (
            grub(ENTRY.rstrip("\n")),
            [
                "grub/grub.cfg: its last line, '}', has no line break",
                HERE + "it is not closed by a line of only `}`",
            ],
        ),
        (grub(ENTRY.replace("\n", "\r\n")), [HERE + "it is not closed by a line of only `}`"]),
        (
            grub("menuentry 'Toy' { linux /vmlinuz; initrd /initrd.img; }\n"),
            [HERE + "it is not closed by a line of only `}`"],
        ),
        (grub(ENTRY.replace("quiet", 'a="b')), [HERE + "its quotes are not closed, in 'a=\"b'"]),
        (grub("menuentry 'Toy' {\n chainloader +1\n}\n"), [HERE + "it has no line with `linux`"]),
        (
            grub(ENTRY.replace("/vmlinuz", '"/vmlinuz"')),
            [HERE + '/grub/"/vmlinuz" is not there'],
        ),
        (grub(""), []),
        (
            {"a.cfg": bytes(MAX_TEXT + 1)},
            [f"a.cfg: /a.cfg has {MAX_TEXT + 1} bytes, which is no file with settings"],
        ),
    ],
)
def test_what_is_not_found_is_told(files: dict[str, bytes], messages: list[str]) -> None:
    assert missed(files) == messages
    assert found(files) == []


def test_an_entry_that_begins_in_another_takes_its_place() -> None:
    text = "menuentry 'First' {\n linux /vmlinuz a\n};\n" + ENTRY
    assert found(grub(text)) == [other(name="First")]
    assert missed(grub(text)) == [
        "grub/grub.cfg: entry 'First': another entry begins before a line of only `}`: "
        "Heads takes both for one"
    ]


def test_advice_knows_the_top_of_the_partition() -> None:
    (miss,) = scan(of_bytes(grub(ENTRY.replace("/vmlinuz", "/boot/vmlinuz")))).missed
    assert miss == Missed(
        "grub/grub.cfg",
        "entry 'Toy': /boot/vmlinuz is not there",
        "say /vmlinuz: /boot is this partition's top",
        "kernel",
    )


def test_links_are_followed() -> None:
    text = ENTRY.replace("/vmlinuz", "/boot/vmlinuz")
    assert found(grub(text), {"boot": "."}) == [other(kernel="/boot/vmlinuz")]


def test_entries_of_xen_are_found() -> None:
    text = "menuentry 'Xen' {\nmultiboot2 /xen.gz a\nmodule2 --nounzip /vmlinuz b\nmodule2 /initrd.img\n}\n"
    files = {**grub(text), "xen.gz": b""}
    assert found(files) == [Found("Xen", "/xen.gz", (), "", "grub/grub.cfg")]
    del files["initrd.img"]
    assert found(files)[0].faults == ("/initrd.img is not there, and Heads fails to start it",)


SYSLINUX = """DEFAULT toy
LABEL toy
  MENU LABEL ^Toy
  MENU INDENT 2
  KERNEL ../vmlinuz
  APPEND initrd=/initrd.img quiet

label other
 kernel vesamenu.c32
 append ~
label relative
 linux /vmlinuz
 initrd /initrd.img
"""


def test_entries_of_syslinux_are_found() -> None:
    files = {**KERNELS, "isolinux/isolinux.cfg": SYSLINUX.encode()}
    expected = other(kernel="/isolinux/../vmlinuz", source="isolinux/isolinux.cfg")
    assert found(files) == [expected, other(name="relative", cmdline="", source="isolinux/isolinux.cfg")]
    mboot = "label xen\nkernel mboot.c32\nappend /xen.gz a --- /vmlinuz b --- /initrd.img\n\n"
    files = {**KERNELS, "xen.gz": b"", "syslinux.cfg": mboot.encode()}
    assert found(files) == [Found("xen", "/xen.gz", (), "", "syslinux.cfg")]


@pytest.mark.parametrize(
    ("files", "names"),
    [
        ({"grub/grub.cfg": b"", "loader/entries/a.conf": BLS.encode()}, ["Toy"]),
        ({"grub/grub.cfg": b"", "loader/entries/a.conf": BLS.replace("/v", "/boot/v").encode()}, ["Toy"]),
        ({"loader/entries/a.conf": BLS.encode()}, []),
        ({"grub/grub.cfg": ENTRY.encode(), "loader/entries/a.conf": BLS.encode() * 2}, ["Toy"]),
        ({"grub/grub.cfg": b"", "loader/entries/a.conf": b"title Toy\n"}, []),
        ({"grub/grub.cfg": b"", "loader/entries/a.conf": bytes(MAX_TEXT + 1)}, []),
    ],
)
def test_bls_entries_count_beside_a_configuration_without_any(
    files: dict[str, bytes], names: list[str]
) -> None:
    assert [each.name for each in found(KERNELS | files)] == names


def test_bls_entries_that_heads_cannot_start_are_told() -> None:
    files = {"grub/grub.cfg": b"", "loader/entries/a.conf": BLS.encode(), "vmlinuz": b""}
    (entry,) = found(files)
    assert entry == other(
        source="loader/entries/a.conf", faults=("/initrd.img is not there, and Heads fails to start it",)
    )
    assert missed(KERNELS | files | {"loader/entries/a.conf": b"title Toy\n"}) == [
        "loader/entries/a.conf: it has no `linux`"
    ]


def test_no_more_files_are_read_than_any_system_has() -> None:
    files = {f"{number:04}.cfg": b"" for number in range(MAX_CONFIGS + 1)}
    assert missed(files) == [f"{MAX_CONFIGS}.cfg: it is one of more than {MAX_CONFIGS} *.cfg"]
