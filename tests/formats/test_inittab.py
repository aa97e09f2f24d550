import pytest

from pipeline.formats.inittab import Line, read_inittab


def line(command: str) -> Line:
    return Line(1, "", "respawn", command)


def test_lines_are_read() -> None:
    text = """# comment

::sysinit:/bin/mount -t proc proc /proc
tty1::askfirst:-/bin/sh # shell
id:3:respawn:a:b
"""
    assert read_inittab(text) == (
        Line(3, "", "sysinit", "/bin/mount -t proc proc /proc"),
        Line(4, "tty1", "askfirst", "-/bin/sh "),
        Line(5, "id", "respawn", "a:b"),
    )


def test_a_backslash_joins_lines() -> None:
    assert read_inittab("::once:a\\\nb\n::once:c") == (Line(2, "", "once", "ab"), Line(3, "", "once", "c"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mount -a", Line(1, "mount -a", "", "")),
        ("::respawn", Line(1, "", "respawn", "")),
        ("::respawn:", Line(1, "", "respawn", "")),
        ("::boot:/bin/sh", Line(1, "", "boot", "/bin/sh")),
        (" # x", Line(1, " ", "", "")),
    ],
)
def test_bad_lines_are_kept_as_bad(text: str, expected: Line) -> None:
    (found,) = read_inittab(text)
    assert found == expected
    assert not found.is_good


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("/bin/a b  c", ["/bin/a b c"]),
        ("-/bin/sh", ["/bin/sh"]),
        (" ", []),
        ("a && b", ["a", "&& b"]),
        ("a>/dev/null 2>&1", ["a 2"]),
        ("X=1 a '' | b; c &", ["a ", "| b", "; c"]),
        ("/bin/sh -c 'a && b'", ["/bin/sh -c a && b", "a", "&& b"]),
        ("grep -c 'a b'", ["grep -c a b"]),
        ("sh -ec a", ["sh -ec a"]),
        (
            "sh -x -c 'until a; do sleep 1; done\nreboot'",
            ["sh -x -c until a; do sleep 1; done;reboot", "a", "; sleep 1", "; reboot"],
        ),
        ("busybox ash -c '{ a; }'", ["busybox ash -c { a; }", "a"]),
        ("sh -c 'a (b)'", ["sh -c a (b)", "a", "( b"]),
        ("a 'b", ["exec a 'b"]),
    ],
)
def test_commands_are_taken_apart(command: str, expected: list[str]) -> None:
    found = [" ".join([*filter(None, [one.operator]), *one.words]) for one in line(command).commands]
    assert found == expected


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("/bin/a b", []),
        ("a && b", ["b"]),
        ("a; b; c", ["b", "c"]),
        ("a | b", []),
        ("a & b", []),
        ("sh -c 'a && b'", []),
        ("sh -c 'a && exec b || c'", ["c"]),
        ("sh -c 'exec a | b'", []),
    ],
)
def test_what_follows_exec_is_never_reached(command: str, expected: list[str]) -> None:
    assert [one.name for one in line(command).unreachable] == expected


@pytest.mark.parametrize(
    ("command", "needs"), [("/bin/a -b", False), ("a 'b'", True), ("a $B", True), ("a?", True)]
)
def test_a_shell_is_needed_for_some_characters(command: str, needs: bool) -> None:
    assert line(command).needs_shell == needs


@pytest.mark.parametrize(
    ("command", "applet"),
    [
        ("/sbin/reboot -f", "reboot"),
        ("reboot", "reboot"),
        ("/bin/busybox reboot", "reboot"),
        ("busybox", "busybox"),
    ],
)
def test_applets_are_named(command: str, applet: str) -> None:
    assert line(command).commands[0].applet == applet
