"""Parses GRUB's scripts: words with their quotes and variables, commands, blocks, conditions and loops.

Specification: GRUB manual 2.12, "Writing full configuration files directly"; GRUB 2.12,
grub-core/script/yylex.l and parser.y. It has no `&&`, `||` and `|`, and no block without a command: GRUB does
not parse them either.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.errors import FormatError
from pipeline.formats.budget import ENDLESS, STEPS, Budget

MAX_NESTED = 60  # blocks in blocks
MAX_TOKENS = 200_000
VARIABLE = re.compile(r"\$(?:([A-Za-z_]\w*|\d+|[?*@#])|\{([A-Za-z_]\w*|\d+|[?*@#])\})", re.ASCII)
PLAIN = re.compile(r"[^{}|&$;<>\s'\"\\]+")
NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
RESERVED = frozenset(
    {"if", "then", "elif", "else", "fi", "for", "in", "while", "until", "do", "done", "function"}
    | {"case", "esac", "select", "[[", "]]"}
)
OPERATORS = re.compile(r"&&|\|\||;;|[|&<>]")
CORRECT = "correct it: GRUB stops at what it cannot parse"


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a word: its letters, or the name of a variable; unquoted, a value is cut at its blanks."""

    text: str
    is_variable: bool = False
    is_quoted: bool = False


Word = tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Command:
    """A simple command; `block` is what stands in braces behind its words, None without."""

    line: int
    words: tuple[Word, ...]
    block: "Script | None" = None


@dataclass(frozen=True, slots=True)
class Condition:
    """An `if`: pairs of what is asked and what is done then; `otherwise` is behind `else`."""

    line: int
    branches: tuple[tuple["Script", "Script"], ...]
    otherwise: "Script" = ()


@dataclass(frozen=True, slots=True)
class Loop:
    """A `for` with its variable and words, or a `while` or `until` with what it asks."""

    line: int
    kind: str
    body: "Script"
    name: str = ""
    words: tuple[Word, ...] = ()
    asked: "Script" = ()


@dataclass(frozen=True, slots=True)
class Function:
    """A function that is defined."""

    line: int
    name: str
    body: "Script"


Statement = Command | Condition | Loop | Function
Script = tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class _Token:
    """A word; or `{`, `}`, `;`, a line's end, an operator, or `end`, in `mark`."""

    line: int
    mark: str
    word: Word = ()

    @property
    def reserved(self) -> str:
        """What it is as a reserved word: only one without quotes and variables is."""
        if self.mark or len(self.word) != 1:
            return self.mark
        (piece,) = self.word
        return "" if piece.is_variable or piece.is_quoted else piece.text


def parse(text: str, budget: Budget = ENDLESS) -> Script:
    """Return the statements of a script. Raises FormatError, with the line, for what GRUB cannot parse."""
    return _Parser(list(_tokens(text, budget))).script(())


def _tokens(text: str, budget: Budget) -> Iterator[_Token]:
    at, line, count = 0, 1, 0
    while at < len(text):
        count += 1
        budget.spend(STEPS)
        if count > MAX_TOKENS:
            message = f"line {line}: here end the {MAX_TOKENS} words that are read"
            raise budget.lacking_or(STEPS, message, "the file is damaged, or made to exhaust memory")
        letter = text[at]
        if letter in "\n;{}" and not text.startswith(";;", at):
            yield _Token(line, letter)
            line += letter == "\n"
            at += 1
        elif letter.isspace():
            at += 1
        elif letter == "#":
            at = _end_of_line(text, at)
        elif operator := OPERATORS.match(text, at):
            yield _Token(line, operator[0])
            at = operator.end()
        else:
            end, word = _word(text, at, line)
            if word:
                yield _Token(line, "", word)
            line += text.count("\n", at, end)
            at = end
    yield _Token(line, "\n")
    yield _Token(line, "end")


def _end_of_line(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _word(text: str, at: int, line: int) -> tuple[int, Word]:
    """Return where a word ends, and its pieces: none for a line that is continued."""
    pieces: list[Piece] = []
    while at < len(text):
        letter = text[at]
        plain = PLAIN.match(text, at)
        variable = VARIABLE.match(text, at)
        if plain:
            pieces.append(Piece(plain[0]))
            at = plain.end()
        elif variable:
            pieces.append(Piece(variable[1] or variable[2], is_variable=True))
            at = variable.end()
        elif letter == "\\":
            if at + 1 == len(text):
                raise FormatError(f"line {line}: nothing is behind the last \\", CORRECT)
            if text[at + 1] != "\n":
                pieces.append(Piece(text[at + 1], is_quoted=True))
            at += 2
        elif letter == "'":
            end = text.find("'", at + 1)
            if end < 0:
                raise FormatError(f"line {line}: the quote ' is not closed", CORRECT)
            pieces.append(Piece(text[at + 1 : end], is_quoted=True))
            at = end + 1
        elif letter == '"' or text.startswith('$"', at):
            at = _quoted(text, text.index('"', at) + 1, line, pieces)
        elif letter == "$":
            raise _no_name(line)
        else:
            break
    return at, tuple(pieces)


def _quoted(text: str, at: int, line: int, pieces: list[Piece]) -> int:
    """Add what is in double quotes, and return where that ends."""
    letters: list[str] = []
    while at < len(text):
        letter = text[at]
        variable = VARIABLE.match(text, at)
        if letter == '"':
            pieces.append(Piece("".join(letters), is_quoted=True))
            return at + 1
        if letter == "\\" and text[at + 1 : at + 2] in ("$", '"', "\\", "\n"):
            letters.append(text[at + 1].replace("\n", ""))
            at += 2
        elif variable:
            pieces.append(Piece("".join(letters), is_quoted=True))
            letters = []
            pieces.append(Piece(variable[1] or variable[2], is_variable=True, is_quoted=True))
            at = variable.end()
        elif letter == "$":
            raise _no_name(line)
        else:
            letters.append(letter)
            at += 1
    raise FormatError(f'line {line}: the quote " is not closed', CORRECT)


def _no_name(line: int) -> FormatError:
    return FormatError(f"line {line}: no variable's name is behind a $", "put a \\ in front of the $")


class _Parser:
    def __init__(self, tokens: list[_Token]) -> None:
        self.tokens, self.at, self.depth = tokens, 0, 0

    @property
    def token(self) -> _Token:
        return self.tokens[self.at]

    def take(self) -> _Token:
        token = self.token
        self.at += 1
        return token

    def expect(self, *marks: str) -> str:
        """Take a reserved word or mark. Raises FormatError where it is none of these."""
        token = self.token
        if token.reserved not in marks:
            what = {"end": "the end", ";": "the line's end"}.get(token.mark, _shown(token))
            raise FormatError(
                f"line {token.line}: {what} stands where {' or '.join(marks)} has to be", CORRECT
            )
        self.at += 1
        return token.reserved

    def skip(self) -> None:
        while self.token.mark == "\n":
            self.at += 1

    def script(self, ends: tuple[str, ...], *, is_closed: bool = True) -> Script:
        """Return the statements up to one of `ends`, which is not taken, at least one; all without `ends`.

        Behind each is a `;` or the line's end, but behind the last of a block, unless it is not `is_closed`.
        """
        self.depth += 1
        if self.depth > MAX_NESTED:
            raise FormatError(f"line {self.token.line}: more than {MAX_NESTED} blocks in each other", CORRECT)
        statements: list[Statement] = []
        self.skip()
        while not self.is_at_end(ends) or (ends and not statements):
            statements.append(self.statement())
            if self.token.mark in (";", "\n"):
                self.take()
            elif not (is_closed and self.token.mark == "}" and "}" in ends):
                raise FormatError(
                    f"line {self.token.line}: {_shown(self.token)} stands where the command has to end",
                    CORRECT,
                )
            self.skip()
        self.depth -= 1
        return tuple(statements)

    def is_at_end(self, ends: tuple[str, ...]) -> bool:
        return self.token.reserved in ends if ends else self.token.mark == "end"

    def statement(self) -> Statement:
        line, word = self.token.line, self.token.reserved
        if word == "if":
            return self.condition(line)
        if word in ("while", "until"):
            self.take()
            asked = self.script(("do",))
            return Loop(line, word, self.body(), asked=asked)
        if word == "for":
            self.take()
            name = self.name()
            self.expect("in")
            words = self.words()
            if self.token.mark == ";":
                self.take()
            self.skip()
            return Loop(line, word, self.body(), name, words)
        if word == "function":
            if self.depth > 1:
                raise FormatError(f"line {line}: a function stands inside something else", CORRECT)
            self.take()
            name = self.name()
            self.skip()
            return Function(line, name, self.block(is_closed=False))
        if word in RESERVED or self.token.mark:
            raise FormatError(f"line {line}: {_shown(self.token)} stands where a command has to be", CORRECT)
        words = self.words()
        return Command(line, words, self.block() if self.token.reserved == "{" else None)

    def name(self) -> str:
        """Take the name of a function or variable."""
        token = self.take()
        if not NAME.fullmatch(token.reserved) or token.reserved in RESERVED:
            raise FormatError(f"line {token.line}: {_shown(token)} is no name", CORRECT)
        return token.reserved

    def words(self) -> tuple[Word, ...]:
        found: list[Word] = []
        while not self.token.mark:
            if self.token.reserved in ("[[", "]]"):
                raise FormatError(f"line {self.token.line}: GRUB knows no {_shown(self.token)}", CORRECT)
            found.append(self.take().word)
        return tuple(found)

    def block(self, *, is_closed: bool = True) -> Script:
        self.expect("{")
        script = self.script(("}",), is_closed=is_closed)
        self.expect("}")
        return script

    def body(self) -> Script:
        self.expect("do")
        script = self.script(("done",))
        self.expect("done")
        return script

    def condition(self, line: int) -> Condition:
        branches: list[tuple[Script, Script]] = []
        otherwise: Script = ()
        word = self.expect("if")
        while word in ("if", "elif"):
            asked = self.script(("then",))
            self.expect("then")
            branches.append((asked, self.script(("elif", "else", "fi"))))
            word = self.expect("elif", "else", "fi")
        if word == "else":
            otherwise = self.script(("fi",))
            self.expect("fi")
        return Condition(line, tuple(branches), otherwise)


def _shown(token: _Token) -> str:
    if token.mark in ("end", "\n"):
        return "the end" if token.mark == "end" else "the line's end"
    return repr(token.mark or "".join(piece.text for piece in token.word)[:40])
