"""What GRUB parses and what it does not: grub-script-check says the same of each of these."""

import pytest

from pipeline.errors import FormatError
from pipeline.formats.budget import Spent, for_file
from pipeline.formats.grub_script import (
    MAX_NESTED,
    MAX_TOKENS,
    Command,
    Condition,
    Function,
    Loop,
    Piece,
    Word,
    parse,
)


def word(text: str) -> Word:
    return (Piece(text),)


def command(line: int, *words: str) -> Command:
    return Command(line, tuple(map(word, words)))


@pytest.mark.parametrize(
    "text",
    [
        "a;\nb",
        "a; # c\nb",
        "menuentry x { a }",
        "menuentry x{ a; }",
        "menuentry x { if a; then b; fi }",
        "menuentry x { menuentry y { a } }; b",
        "menuentry x --class y\\\n --id z {\n a\n}",
        "menuentry x\n{ a\n}"[:11] + " {\n\n\na\n\n}",
        "if a;\nthen b;\nfi",
        "if\na\nthen\n\nb\n\nfi",
        "if a; then b; elif c; then d; else e; fi",
        "if a; then menuentry x { b }; fi",
        "function f { a; }; g",
        "function f\n{ a\n}",
        "function time { a; }",
        "for x in a b;\ndo\nc\ndone",
        "for x in; do c; done",
        "until a\ndo b; done",
        "while ! a; do b; done",
        "echo if fi [ a ] %a a#b",
        "'if' a; i\\f b; \"fi\"",
        "$x a; ${x}",
        "echo $1 ${1} $? $@ $* $#",
        "echo '$' \\$",
        'echo $"abc" "a\\nb"',
        "",
        "# nothing\n",
    ],
)
def test_what_grub_parses(text: str) -> None:
    parse(text + "\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\n;b", "line 2: ';' stands where a command has to be"),
        ("a;;b", "line 1: ';;' stands where the command has to end"),
        ("a ; ; b", "line 1: ';' stands where a command has to be"),
        ("a && b", "line 1: '&&' stands where the command has to end"),
        ("a | b", "line 1: '|' stands where the command has to end"),
        ("a > b", "line 1: '>' stands where the command has to end"),
        ("menuentry x {}", "line 1: '}' stands where a command has to be"),
        ("menuentry a {\n# c\n}", "line 3: '}' stands where a command has to be"),
        ("menuentry a {\nb", "line 3: the end stands where a command has to be"),
        ("menuentry x { a } b", "line 1: 'b' stands where the command has to end"),
        ("menuentry x { a }\n}", "line 2: '}' stands where a command has to be"),
        ("echo {}", "line 1: '}' stands where a command has to be"),
        ("if a; then\nfi", "line 2: 'fi' stands where a command has to be"),
        ("if a; then b; else fi", "line 1: 'fi' stands where a command has to be"),
        ("if a; then b", "line 2: the end stands where a command has to be"),
        ("if a; then b; fi c", "line 1: 'c' stands where the command has to end"),
        ("if a; then menuentry x { b } fi", "line 1: 'fi' stands where the command has to end"),
        ("while a; do done", "line 1: 'done' stands where a command has to be"),
        ("for x in a; do b; done c", "line 1: 'c' stands where the command has to end"),
        ("for x a; do b; done", "line 1: 'a' stands where in has to be"),
        ("for 1 in a; do b; done", "line 1: '1' is no name"),
        ("for x\n", "line 1: the line's end stands where in has to be"),
        ("function if { a; }", "line 1: 'if' is no name"),
        ("function f { a }", "line 1: '}' stands where the command has to end"),
        ("menuentry x { function f { a; }\n }", "line 1: a function stands inside something else"),
        ("done", "line 1: 'done' stands where a command has to be"),
        ("[[ a ]]", "line 1: '[[' stands where a command has to be"),
        ("a ]] b", "line 1: GRUB knows no ']]'"),
        ("a 'b\n", "line 1: the quote ' is not closed"),
        ('a\nb "c\n', 'line 2: the quote " is not closed'),
        ("echo $", "line 1: no variable's name is behind a $"),
        ('echo "${a-b}"', "line 1: no variable's name is behind a $"),
    ],
)
def test_what_grub_does_not_parse(text: str, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse(text + "\n")
    assert caught.value.message == message
    assert caught.value.hint


def test_a_backslash_at_the_very_end_escapes_nothing() -> None:
    with pytest.raises(FormatError, match=r"line 1: nothing is behind the last"):
        parse("a\\")


def test_words_are_told_from_their_quotes() -> None:
    (found,) = parse('a\'b c\'"d $e${f}\\"g\\h"\\ $i \\\n j\n')
    assert found == Command(
        1,
        (
            (
                Piece("a"),
                Piece("b c", is_quoted=True),
                Piece("d ", is_quoted=True),
                Piece("e", is_variable=True, is_quoted=True),
                Piece("", is_quoted=True),
                Piece("f", is_variable=True, is_quoted=True),
                Piece('"g\\h', is_quoted=True),
                Piece(" ", is_quoted=True),
                Piece("i", is_variable=True),
            ),
            word("j"),
        ),
    )


def test_statements_have_their_lines_and_blocks() -> None:
    text = (
        "if a; then\n b\nelif c; then d; else e; fi\nfor x in y z; do f; done\n"
        "while g; do h; done\nfunction i { j; }\nk l {\n m\n}\n"
    )
    assert parse(text) == (
        Condition(
            1,
            (((command(1, "a"),), (command(2, "b"),)), ((command(3, "c"),), (command(3, "d"),))),
            (command(3, "e"),),
        ),
        Loop(4, "for", (command(4, "f"),), "x", (word("y"), word("z"))),
        Loop(5, "while", (command(5, "h"),), asked=(command(5, "g"),)),
        Function(6, "i", (command(6, "j"),)),
        Command(7, (word("k"), word("l")), (command(8, "m"),)),
    )


def test_what_would_exhaust_memory_is_refused() -> None:
    with pytest.raises(FormatError, match=f"line 1: more than {MAX_NESTED} blocks in each other"):
        parse("a {" * 1000)
    text = "a;" * (MAX_TOKENS // 2 + 1)
    with pytest.raises(FormatError, match=f"line 1: here end the {MAX_TOKENS} words that are read"):
        parse(text)
    with pytest.raises(Spent):
        parse(text, for_file(len(text)))
