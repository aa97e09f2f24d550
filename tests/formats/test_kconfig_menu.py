from pathlib import Path

import pytest

from pipeline.formats.kconfig_menu import Placed, options_below

TREE = {
    "Kconfig": """\
mainmenu "Linux"
config FIRST
	bool "First"
source "arch/$(SRCARCH)/Kconfig"
source "gone/Kconfig"
menu "Security options"
source "security/Kconfig"
endmenu
config LAST
	bool
""",
    "arch/x86/Kconfig": """\
menuconfig MITIGATIONS
	bool "Mitigations for \\
CPU faults"
	default y
	help
		Says what it does:

			menu "in a help text"
		config NOT_AN_OPTION

if MITIGATIONS
config RETPOLINE
	bool "Retpoline"
if !EXPERT
config UNRET
	bool
endif
endif
config AFTER
	bool "After"
menuconfig HIDDEN
	bool
if HIDDEN
config BELOW_NOTHING
	bool
endif
""",
    "security/Kconfig": """\
config KEYS # a comment
	bool
choice
	prompt "How"
	config NONE
		bool "none"
	config ALL
		bool "all"
endchoice
menu "Hardening"
config ZERO
	bool
endmenu
""",
}
MITIGATIONS, SECURITY = "Mitigations for  CPU faults", "Security options"


def test_options_are_below_the_menus_around_them(tmp_path: Path) -> None:
    for name, text in TREE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert list(options_below(tmp_path, {"SRCARCH": "x86"})) == [
        Placed("FIRST", ()),
        Placed("MITIGATIONS", (MITIGATIONS,)),
        Placed("RETPOLINE", (MITIGATIONS,)),
        Placed("UNRET", (MITIGATIONS,)),
        Placed("AFTER", ()),
        Placed("BELOW_NOTHING", ()),
        Placed("KEYS", (SECURITY,)),
        Placed("NONE", (SECURITY,)),
        Placed("ALL", (SECURITY,)),
        Placed("ZERO", (SECURITY, "Hardening")),
        Placed("LAST", ()),
    ]


@pytest.mark.parametrize("end", ["endmenu", "endif", "endchoice"])
def test_an_end_of_nothing_is_passed_over(tmp_path: Path, end: str) -> None:
    (tmp_path / "Kconfig").write_text(f"{end}\nconfig A\n")
    assert list(options_below(tmp_path, {})) == [Placed("A", ())]
