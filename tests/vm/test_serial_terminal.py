from pipeline.vm.serial_terminal import Terminal


def test_what_is_drawn_over_is_gone_and_history_keeps_it() -> None:
    terminal = Terminal()
    terminal.feed(b"\x1b[2J\x1b[3;5HWelcome\x1b[1mBold\x1b[0m")
    terminal.feed(b"\x1b[3;5HGoodbye")
    assert terminal.text().splitlines()[2] == "    GoodbyeBold"
    assert "Welcome" in terminal.history


def test_a_character_that_arrives_in_pieces() -> None:
    terminal = Terminal()
    for byte in "Zürich".encode():
        terminal.feed(bytes([byte]))
    assert terminal.text().startswith("Zürich")


def test_questions_of_firmware_are_not_shown() -> None:
    terminal = Terminal()
    terminal.feed(b"\x1b[=3hBdsDxe\x1b[?25l")
    assert terminal.text().startswith("BdsDxe")


def test_a_console_that_is_larger() -> None:
    terminal = Terminal()
    terminal.grow(100, 31)
    terminal.feed(b"\x1b[31;95HError")
    assert terminal.text().splitlines()[30] == " " * 94 + "Error"
