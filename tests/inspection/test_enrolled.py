"""Whether a machine with these variables starts it: by which entry, or what stops it."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.checks.catalog import take_apart
from pipeline.checks.kind import Member, Node
from pipeline.formats.authenticode import image_digest
from pipeline.formats.pe import read_pe
from pipeline.formats.secure_boot import read_store
from pipeline.inspection import cli, enrolled
from pipeline.inspection.answer import Said
from tests.fixtures import keys
from tests.fixtures.fat import fat
from tests.fixtures.pe import pe
from tests.fixtures.shim import SBAT, SBAT_LEVEL, shim, vendor_cert
from tests.fixtures.signed import signed
from tests.fixtures.signer import signed_data
from tests.fixtures.uki import uki
from tests.fixtures.variables import certificates, flash, signature_list, variables

PROGRAM = pe({".text": b"\xc3"})
X64, GRUB = "EFI/BOOT/BOOTX64.EFI", "EFI/BOOT/GRUBX64.EFI"


def by(*names: str, image: bytes = PROGRAM, digest: str = "sha256") -> bytes:
    """A signature by the first, which brings the certificates of all."""
    bag = [keys.certificate(name) for name in names]
    return signed_data(image, keys.key(names[0]), bag[0], bag, digest)


def sign(image: bytes, *signers: str) -> bytes:
    image += bytes(-len(image) % 8)
    return signed(*(by(name, image=image) for name in signers), image=image)


def digest(image: bytes, algorithm: str = "sha256") -> bytes:
    return image_digest(read_pe(image), algorithm)


def listed(image: bytes, algorithm: str = "sha256") -> bytes:
    return signature_list(algorithm, digest(image, algorithm))


def hashed(name: str, time: bytes = bytes(16)) -> bytes:
    value = hashlib.sha256(keys.certificate(name).tbs_certificate_bytes).digest()
    return signature_list("x509-sha256", value + time)


def asked(image: bytes, **told: bytes) -> Said:
    node = Node(Member("artifact", image), None, None)
    return enrolled.of_program(node, read_store(variables(**told)))


def cut_off(name: str) -> bytes:
    return by(name)[:-100]


def of_md5(name: str) -> bytes:
    own = keys.certificate(name)
    return signed_data(PROGRAM, keys.key(name), own, [own], "md5", by="sha256")


def of_no_program(name: str) -> bytes:
    return by(name).replace(bytes.fromhex("2b060104018237020104"), bytes.fromhex("2b060104018237020105"))


VENDOR = certificates(["vendor"])
STRANGER = certificates(["stranger"])
NOBODY_S = f"the signature of it cannot be read: DER: a value is cut off: {by('stranger')[:8].hex()}, of "
SIGNED = signed(by("vendor"), image=PROGRAM)
NAMED = f"the digest of it (sha256 {digest(PROGRAM).hex()[:16]}…) is in"


@pytest.mark.parametrize(
    ("image", "told", "said"),
    [
        (SIGNED, {"db": VENDOR}, ("yes", "it is signed by Jury vendor, which is in db")),
        (
            SIGNED,
            {"db": STRANGER},
            ("no", "it is signed by Jury vendor, whom nothing in db vouches for"),
        ),
        (
            signed(by("below", "intermediate"), image=PROGRAM),
            {"db": certificates(["root"])},
            ("yes", "it is signed by Jury below, issued below Jury root, which is in db"),
        ),
        (
            signed(by("impostor"), image=PROGRAM),
            {"db": certificates(["root"])},
            ("no", "it is signed by Jury impostor (issued by Jury root), whom nothing in db vouches for"),
        ),
        (
            signed(by("expired"), image=PROGRAM),
            {"db": certificates(["root"])},
            ("yes", "it is signed by Jury expired, issued below Jury root, which is in db"),
        ),
        (
            signed(by("stranger"), by("vendor"), image=PROGRAM),
            {"db": VENDOR},
            ("yes", "it is signed by Jury vendor, which is in db"),
        ),
        (
            signed(by("vendor"), by("stranger"), image=PROGRAM),
            {"db": VENDOR, "dbx": certificates(["stranger"])},
            ("no", "it is signed by Jury stranger, which is in dbx"),
        ),
        (SIGNED, {"db": VENDOR, "dbx": listed(PROGRAM)}, ("no", f"{NAMED} dbx")),
        (SIGNED, {"db": listed(PROGRAM)}, ("yes", f"{NAMED} db")),
        (
            signed(by("under-revoked", "revoked-ca"), image=PROGRAM),
            {"db": certificates(["root"]), "dbx": certificates(["revoked-ca"])},
            ("no", "it is signed by Jury under-revoked, issued below Jury revoked-ca, which is in dbx"),
        ),
        (
            SIGNED,
            {"db": VENDOR, "dbx": hashed("vendor")},
            ("no", "it is signed by Jury vendor, the digest of whose certificate is in dbx"),
        ),
        (
            SIGNED,
            {"db": VENDOR, "dbx": hashed("vendor", b"\1" * 16)},
            ("no", "it is signed by Jury vendor, the digest of whose certificate is in dbx"),
        ),
        (
            SIGNED,
            {"db": VENDOR, "dbx": hashed("vendor", b"\1" * 16), "dbt": certificates(["owner"])},
            (
                "unknown",
                "it is signed by Jury vendor, the digest of whose certificate is in dbx, for what was signed "
                "after a time; time stamps are not read",
            ),
        ),
        (PROGRAM, {"db": VENDOR}, ("no", "it is not signed, and its digest is not in db")),
        (PROGRAM, {"db": listed(PROGRAM)}, ("yes", f"{NAMED} db")),
        (PROGRAM, {"db": listed(PROGRAM), "dbx": listed(PROGRAM, "sha384")}, ("no", None)),
        (
            signed(b"no DER at all", image=PROGRAM),
            {"db": VENDOR},
            ("no", None),
        ),
        (
            signed(cut_off("stranger"), by("vendor"), image=PROGRAM),
            {"db": VENDOR, "dbx": STRANGER},
            ("no", f"{NOBODY_S}{len(cut_off('stranger'))} bytes; so dbx cannot be asked about its signer"),
        ),
        (
            signed(cut_off("stranger"), by("vendor"), image=PROGRAM),
            {"db": VENDOR},
            ("yes", "it is signed by Jury vendor, which is in db"),
        ),
        (signed(cut_off("stranger"), image=PROGRAM), {"db": listed(PROGRAM)}, ("yes", f"{NAMED} db")),
        (
            signed(cut_off("stranger"), image=PROGRAM),
            {"db": VENDOR},
            ("no", f"{NOBODY_S}{len(cut_off('stranger'))} bytes"),
        ),
        (
            signed(of_no_program("vendor"), image=PROGRAM),
            {"db": listed(PROGRAM), "dbx": STRANGER},
            ("yes", f"{NAMED} db"),
        ),
        (
            signed(of_no_program("vendor"), image=PROGRAM),
            {"db": listed(PROGRAM), "dbx": listed(PROGRAM)},
            ("no", f"{NAMED} dbx"),
        ),
        (
            signed(of_no_program("stranger"), by("vendor"), image=PROGRAM),
            {"db": VENDOR, "dbx": hashed("stranger")},
            ("no", "it is signed by Jury stranger, the digest of whose certificate is in dbx"),
        ),
        (
            signed(by(*["stranger"] * 100), by("vendor"), image=PROGRAM),
            {"db": VENDOR, "dbx": hashed("stranger")},
            ("yes", "it is signed by Jury vendor, which is in db"),
        ),
        (
            signed(of_md5("stranger"), by("vendor"), image=PROGRAM),
            {"db": VENDOR, "dbx": hashed("stranger")},
            ("yes", "it is signed by Jury vendor, which is in db"),
        ),
        (
            signed(by("vendor"), image=PROGRAM, kind=1),
            {"db": VENDOR},
            ("no", "it has a certificate table without a signature that firmware knows"),
        ),
        (
            signed(by("vendor", image=pe({".text": b"other"})), image=PROGRAM),
            {"db": VENDOR},
            (
                "no",
                "it is signed by Jury vendor, but the signature is of another file: it was changed after it "
                "was signed",
            ),
        ),
        (SIGNED, {"PK": b"", "db": VENDOR}, ("yes", enrolled.UNCHECKED["setup"])),
        (PROGRAM, {"SecureBootEnable": b"\0"}, ("yes", enrolled.UNCHECKED["off"])),
        (b"milk, eggs", {}, ("not applicable", "")),
    ],
)
def test_firmware(image: bytes, told: dict[str, bytes], said: tuple[str, str | None]) -> None:
    found = asked(image, **told)
    assert found.verdict == said[0]
    assert said[1] is None or found.because == said[1]


def test_ecdsa_is_a_condition() -> None:
    (condition,) = asked(signed(by("ec"), image=PROGRAM), db=certificates(["ec"])).conditions
    assert (condition.what, condition.value) == ("signature", "ECDSA")


def line(name: str, generation: int) -> bytes:
    first = b"sbat,1,SBAT Version,sbat,1,https://example.org/\n"
    return first + f"{name},{generation},x,{name},1,https://example.org/\n".encode()


def program(name: str = "truthdb", generation: int = 1) -> bytes:
    return pe({".text": b"\xc3", ".sbat": line(name, generation)})


def medium(second: bytes, *, vendor: bytes = b"", sbat: bytes = SBAT, banned: bytes = b"") -> Node:
    first = shim(vendor_cert(vendor, banned), SBAT_LEVEL, sbat)
    return take_apart(fat({X64: sign(first, "vendor"), GRUB: second}, clusters=200), "artifact")


SHIM = f"{X64} is signed by Jury vendor, which is in db; "
REFUSES = f"{X64} is shim, and refuses what it starts: "
OURS = f"{GRUB} is signed by Jury signer (issued by Jury root), whom nothing in "


@pytest.mark.parametrize(
    ("second", "built", "told", "said"),
    [
        (
            sign(program(), "signer"),
            {},
            {"MokList": certificates(["signer"])},
            ("yes", f"{SHIM}{GRUB} is signed by Jury signer, which is in MokList"),
        ),
        (
            sign(program(), "signer"),
            {"vendor": keys.der("root")},
            {},
            (
                "yes",
                f"{SHIM}{GRUB} is signed by Jury signer, issued below Jury root, which is in shim's own list",
            ),
        ),
        (
            sign(program(), "vendor"),
            {},
            {},
            ("yes", f"{SHIM}{GRUB} is signed by Jury vendor, which is in db"),
        ),
        (
            sign(program(), "vendor"),
            {},
            {"MokDBState": b"\1"},
            (
                "no",
                f"{REFUSES}{GRUB} is signed by Jury vendor, whom nothing in shim's own list or MokList "
                "vouches for",
            ),
        ),
        (
            sign(program(), "signer"),
            {},
            {},
            ("no", f"{REFUSES}{OURS}db or shim's own list or MokList vouches for"),
        ),
        (
            sign(program(), "signer"),
            {},
            {"MokList": certificates(["root"]), "MokListX": certificates(["signer"])},
            ("no", f"{REFUSES}{GRUB} is signed by Jury signer, which is in MokListX"),
        ),
        (
            sign(program(), "signer"),
            {"banned": listed(program())},
            {"MokList": certificates(["signer"])},
            (
                "no",
                f"{REFUSES}the digest of {GRUB} (sha256 {digest(program()).hex()[:16]}…) is in shim's own "
                "dbx",
            ),
        ),
        (
            program(),
            {},
            {"MokList": listed(program())},
            ("yes", f"{SHIM}the digest of {GRUB} (sha256 {digest(program()).hex()[:16]}…) is in MokList"),
        ),
        (program(), {}, {}, ("no", f"{REFUSES}{GRUB} is not signed")),
        (
            program(),
            {},
            {"MokSBState": b"\1"},
            ("yes", f"{SHIM}shim starts {GRUB} unchecked: its user switched verification off (MokSBState)"),
        ),
        (
            sign(PROGRAM, "vendor"),
            {},
            {},
            ("no", f"{REFUSES}{GRUB}: there is no .sbat, which shim asks of what it starts"),
        ),
        (
            sign(program("grub", 4), "vendor"),
            {},
            {},
            ("no", f"{REFUSES}SbatLevel 2025021800 wants grub,5, and {GRUB} is grub,4"),
        ),
        (
            sign(program("grub", 4), "vendor"),
            {},
            {"SbatLevel": b"sbat,1,2026010100\ntruthdb,2\n"},
            ("yes", f"{SHIM}{GRUB} is signed by Jury vendor, which is in db"),
        ),
        (
            sign(program("truthdb", 1), "vendor"),
            {},
            {"SbatLevel": b"sbat,1,2026010100\ntruthdb,2\n"},
            ("no", f"{REFUSES}SbatLevel 2026010100 wants truthdb,2, and {GRUB} is truthdb,1"),
        ),
        (
            sign(program(), "vendor"),
            {"sbat": line("shim", 3)},
            {},
            (
                "no",
                f"{X64} is shim, and refuses itself: SbatLevel 2025021800 wants shim,4, and {X64} is shim,3",
            ),
        ),
        (program(), {}, {"PK": b""}, ("yes", enrolled.UNCHECKED["setup"])),
    ],
)
def test_shim(second: bytes, built: dict[str, bytes], told: dict[str, bytes], said: tuple[str, str]) -> None:
    found = enrolled.of_medium(medium(second, **built), read_store(variables(**{"db": VENDOR, **told})))
    assert (found.verdict, found.because) == said


@pytest.mark.parametrize(
    ("path", "signer", "said"),
    [
        (f"{X64}.extra.d/site.addon.efi", "stranger", True),
        (f"{X64}.extra.d/site.addon.efi", "vendor", False),
        ("loader/addons/site.addon.efi", "stranger", True),
        (f"{X64}.extra.d/notes.efi", "stranger", False),
    ],
)
def test_addons_that_are_passed_over(path: str, signer: str, said: bool) -> None:
    addon = sign(pe({".cmdline": b"console=ttyS1"}), signer)
    node = take_apart(fat({X64: sign(uki(), "vendor"), "ADDON.EFI": addon}, clusters=400), "artifact")
    named = [
        replace(each, member=replace(each.member, name=path)) if each.name == "ADDON.EFI" else each
        for each in node.children
    ]
    node = replace(node, children=tuple(named))
    found = enrolled.of_medium(node, read_store(variables(db=VENDOR)))
    why = f"; it starts without an addon: {path} is signed by Jury stranger, whom nothing in db vouches for"
    assert (found.verdict, found.because) == (
        "yes",
        f"{X64} is signed by Jury vendor, which is in db{why if said else ''}",
    )


def test_a_medium_without_programs() -> None:
    found = enrolled.of_medium(take_apart(fat({}), "artifact"), read_store(variables(db=VENDOR)))
    assert (found.verdict, found.because) == ("no", "there is no program that UEFI starts")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INSTALLER_ISO_CALLED_FROM", str(tmp_path))
    (tmp_path / "vars.fd").write_bytes(flash(variables(db=VENDOR)))
    (tmp_path / "bad.fd").write_bytes(b"milk, eggs")
    (tmp_path / "uki.efi").write_bytes(uki())
    (tmp_path / "signed.efi").write_bytes(sign(uki(), "vendor"))
    return tmp_path


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("signed.efi", 0, "  Secure Boot      yes: it is signed by Jury vendor, which is in db\n"),
        ("uki.efi", 1, "  Secure Boot      no: it is not signed, and its digest is not in db\n"),
    ],
)
def test_the_command(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str, status: int, words: str
) -> None:
    assert cli.main(["--secure-boot", "vars.fd", name]) == status
    assert words in capsys.readouterr().out
    assert cli.main(["--secure-boot", "vars.fd", "--json", name]) == status
    (file,) = json.loads(capsys.readouterr().out)["files"]
    (answer,) = (one for one in file["answers"] if one["question"] == "secure_boot")
    assert answer["verdict"] == ("no" if status else "yes")
    assert cli.main([name]) == 0


def test_what_is_no_store_is_one_sentence(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--secure-boot", "bad.fd", "uki.efi"]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err) == (
        "",
        "error: bad.fd: is no firmware volume with variables\n  hint: give OVMF's variables (OVMF_VARS.fd), "
        "a folder such as /sys/firmware/efi/efivars, or virt-fw-vars' JSON\n",
    )


@pytest.mark.parametrize(("signer", "taken"), [("vendor", True), ("stranger", False)])
def test_an_addon_whose_signer_shim_knows(signer: str, taken: bool) -> None:
    addon = sign(pe({".cmdline": b"console=ttyS1", ".sbat": SBAT}), signer)
    second = sign(uki({".sbat": SBAT}), "vendor")
    files = {X64: sign(shim(), "root"), GRUB: second, "ADDON.EFI": addon}
    node = take_apart(fat(files, clusters=400), "artifact")
    path = f"{GRUB}.extra.d/site.addon.efi"
    named = [
        replace(each, member=replace(each.member, name=path)) if each.name == "ADDON.EFI" else each
        for each in node.children
    ]
    store = read_store(variables(db=certificates(["root"]), MokList=VENDOR))
    found = enrolled.of_medium(replace(node, children=tuple(named)), store)
    assert (found.verdict, f"without an addon: {path}" in found.because) == ("yes", not taken)
