import pytest

from pipeline.release.bom.components import Licence
from pipeline.release.bom.licences import of_crate, of_debian

FORMAT = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n"


def copyright_file(*licences: str, more: str = "") -> bytes:
    files = "".join(
        f"\nFiles: {number}\nCopyright: x\nLicense: {licence}\n" for number, licence in enumerate(licences)
    )
    return (FORMAT + files + more).encode()


@pytest.mark.parametrize(
    ("said", "expression"),
    [
        ("GPL-2", "GPL-2.0-only"),
        ("GPL-2+", "GPL-2.0-or-later"),
        ("GPL-3.0+", "GPL-3.0-or-later"),
        ("LGPL-2.1", "LGPL-2.1-only"),
        ("GFDL-1.3+", "GFDL-1.3-or-later"),
        ("Expat", "MIT"),
        ("BSD-3-clause", "BSD-3-Clause"),
        ("apache-2.0", "Apache-2.0"),
        ("Apache-2.0 with LLVM exception", "Apache-2.0 WITH LLVM-exception"),
        ("GPL-2 or Expat", "(GPL-2.0-only OR MIT)"),
        ("GPL-2 OR Expat", "(GPL-2.0-only OR MIT)"),
        ("ISC and Expat", "ISC AND MIT"),
        ("GPL-2 or Expat, and ISC", "((GPL-2.0-only OR MIT) AND ISC)"),
        ("Expat or (GPL-2 and ISC)", "(MIT OR (GPL-2.0-only AND ISC))"),
        ("(Expat or (GPL-2 and ISC)) and BSD-3-clause", "((MIT OR (GPL-2.0-only AND ISC)) AND BSD-3-Clause)"),
        ("(GPL-2, or Expat), and ISC", "(((GPL-2.0-only OR MIT)) AND ISC)"),
        ("Expat and (ISC or GPL-2, and Zlib)", "(MIT AND ((ISC OR GPL-2.0-only) AND Zlib))"),
        ("BSD-3-clause and (ISC and Expat)", "BSD-3-Clause AND ISC AND MIT"),
        (
            "Apache-2.0 with LLVM exception and (Apache-2.0 or MIT)",
            "(Apache-2.0 WITH LLVM-exception AND (Apache-2.0 OR MIT))",
        ),
        ("(ISC or odd", "LicenseRef-ISC-or-odd-25641e94"),
        ("odd WITH an exception", "LicenseRef-odd-WITH-an-exception-c3fdd16b"),
        ("odd", "LicenseRef-odd-990cb8eb"),
        ("GPL-2 with an exception", "LicenseRef-GPL-2-with-an-exception-f4aa556d"),
        ("???", "LicenseRef-licence-a03b221c"),
    ],
)
def test_names_of_debian(said: str, expression: str) -> None:
    assert of_debian(copyright_file(said), "toy").expression == expression


def test_all_files_count_once_and_texts_come_along() -> None:
    more = "\nLicense: odd\n Do as\n .\n you like.\n"
    found = of_debian(copyright_file("odd", "ISC", "ISC and Expat", "odd or ISC", more=more), "toy")
    name, text = found.texts[0]
    assert found.expression == f"ISC AND {name} AND ({name} OR ISC) AND MIT"
    assert (len(found.texts), text) == (1, "Do as\n\nyou like.")


def test_two_texts_by_one_name_stay_two_in_one_package() -> None:
    said = ("odd\n one", "odd\n other", "odd")
    found = of_debian(copyright_file(*said, more="\nLicense: odd\n alone\n"), "toy")
    assert {text for _, text in found.texts} == {"one", "other", "alone"}
    assert found.expression == " AND ".join(name for name, _ in found.texts)


def test_two_texts_by_one_name_stay_two() -> None:
    one, other = (of_debian(copyright_file(f"odd\n {text}"), "toy").texts for text in "ab")
    assert one[0][0] != other[0][0]


@pytest.mark.parametrize("text", [b"A story.\n", b"", b"\xff", FORMAT.encode()])
def test_what_machines_cannot_read_is_a_licence_of_its_own(text: bytes) -> None:
    found = of_debian(text, "a+b")
    assert found.expression.startswith("LicenseRef-a-b-copyright-")
    assert found.texts == ((found.expression, text.decode(errors="replace")),)


@pytest.mark.parametrize(
    ("said", "licence"),
    [
        ("MIT", "MIT"),
        ("MIT/Apache-2.0", "MIT OR Apache-2.0"),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", "(MIT OR Apache-2.0) AND Unicode-3.0"),
        ("Apache-2.0 WITH LLVM-exception", "Apache-2.0 WITH LLVM-exception"),
        ("mine alone", ""),
        ("", ""),
    ],
)
def test_licences_of_crates(said: str, licence: str) -> None:
    assert of_crate(said) == Licence(licence)
