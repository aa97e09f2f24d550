"""How a stranger's text stands in what is said: cleaned of what is no letter or mark, and cut."""

LONGEST = 200  # letters of a quoted value
SENTENCE = 320  # letters of a sentence of ours that quotes one or two


def escaped(text: str) -> str:
    """Return a stranger's text as it may be printed: one line, with all escaped that is no letter or mark.

    That is what moves a terminal's cursor, is not seen, turns writing around, or was no UTF-8.
    """
    return text if text.isprintable() else "".join(map(_escaped, text))


def shown(text: str, longest: int = LONGEST) -> str:
    """Return a stranger's text escaped, and cut to that many letters, in the middle."""
    if len(text) <= longest and len(found := escaped(text)) <= longest:
        return found
    # what is far from both ends need not be escaped
    text = escaped(text[:longest]) + escaped(text[-longest:])
    end = longest // 3
    return f"{text[: longest - end - 1]}…{text[len(text) - end :]}"


def sentence(text: str) -> str:
    """Return a sentence of ours as it may be printed, whatever the strangers say that it quotes."""
    return shown(text, SENTENCE)


def _escaped(letter: str) -> str:
    if letter.isprintable():
        return letter
    number = ord(letter)
    if 0xDC80 <= number <= 0xDCFF:  # a byte that was no UTF-8, as Python keeps it
        number -= 0xDC00
    width = 2 if number < 0x100 else 4 if number < 0x10000 else 8
    return f"\\{'xuU'[width // 4]}{number:0{width}x}"
