"""Rows: Secure Boot, on a machine whose db and dbx are those of `trust`."""

from pipeline.formats.certificates import UEFI_PKCS7
from pipeline.formats.pe import read_pe
from tests.fixtures import keys
from tests.world.jury import archives, programs
from tests.world.jury.changes import Change, chain, cut, followed_by, poke
from tests.world.jury.row import STORED, Row
from tests.world.jury.signing import GUID, OTHER, around, by, entry, length, signed, table, with_table
from tests.world.jury.trust import changed, program
from tests.world.jury.ukis import CMDLINE, UKIFY

INDIRECT, OTHER_CONTENT = (bytes.fromhex(f"2b06010401823702010{end}") for end in "45")
SHA256, UNKNOWN = (bytes.fromhex(f"60864801650304020{end}") for end in "19")
CHECKSUM = 0x40 + 24 + 64

INPUTS = {
    "console.cpio": archives.archive(init=programs.init(code=programs.console_code())),
    **{f"{name}.key": keys.key_pem(name) for name in ("vendor", "signer", "below", "stranger")},
    **{f"{name}.pem": keys.pem(name) for name in ("vendor", "signer", "below", "stranger", "intermediate")},
}

LOADS_IA32 = "OVMF for x86-64 loads it, and does not start it"


def _of_kind(kind: int, before: bytes = b"", image: bytes | None = None) -> Change:
    return lambda given: with_table(image or given, table(before + by("vendor")(image or given), kind=kind))


def _is(image: bytes) -> Change:
    return lambda _: image


def _row(
    what: str, change: Change | None = None, recipe: str = "cp $IN/bootx64.efi $OUT", **differs: str
) -> Row:
    return Row(what, recipe, ("secure", *STORED), change, differs)


def _sbsign(what: str, name: str, *options: str, change: Change | None = None, **differs: str) -> Row:
    return _row(what, change, signs(name, "$IN/bootx64.efi", *options), **differs)


def signs(name: str, image: str, *options: str) -> str:
    keys_ = f"--key $IN/{name}.key --cert $IN/{name}.pem"
    return f"sbsign {keys_} {' '.join(options)} --output $OUT {image} > log 2>&1 || {{ cat log; exit 1; }}"


VENDOR = by("vendor")
BY_VENDOR = signed(VENDOR)

SIGNERS = {
    "sb-unsigned": _row("not signed"),
    "sb-signed": _sbsign("signed by a certificate in db (sbsign)", "vendor"),
    "sb-stranger": _sbsign("signed by a certificate that is not in db (sbsign)", "stranger"),
    "sb-issued": _sbsign("signed by a certificate that a CA in db issued (sbsign)", "signer"),
    "sb-chain": _sbsign(
        "signed below an intermediate CA, which comes along (sbsign --addcert)",
        "below",
        "--addcert $IN/intermediate.pem",
    ),
    "sb-chain-broken": _sbsign(
        "signed below an intermediate CA, which does not come along (sbsign)", "below"
    ),
    "sb-chain-whole": _row(
        "signed below an intermediate CA, all come along", signed(by("below", "intermediate", "root"))
    ),
    "sb-chain-of-strangers": _row(
        "signed below a CA that is not in db, and comes along", signed(by("impostor", "namesake"))
    ),
    "sb-impostor": _row(
        "issued by a CA with the name of the one in db, and another key",
        signed(by("impostor")),
        secure="a CA that does not come along is known by its name alone",
    ),
    "sb-not-a-ca": _row(
        "issued by a certificate that is no CA, and comes along", signed(by("under-no-ca", "no-ca"))
    ),
    "sb-expired": _row("signed by a certificate that expired in 2002", signed(by("expired"))),
    "sb-not-yet": _row("signed by a certificate that is valid from 2069 on", signed(by("unborn"))),
    "sb-server": _row("signed by a certificate for servers alone (extended key usage)", signed(by("server"))),
    "sb-sealed": _row("signed by a certificate for encryption alone (key usage)", signed(by("sealed"))),
    "sb-odd": _row("signed by a certificate with a critical extension that nobody knows", signed(by("odd"))),
    "sb-ca-odd": _row(
        "issued by a CA with a critical extension that nobody knows, and comes along",
        signed(by("under-odd", "odd-ca")),
    ),
    "sb-ca-usage": _row(
        "issued by a CA that may not sign certificates (key usage), and comes along",
        signed(by("under-mute", "mute-ca")),
    ),
    "sb-path-length": _row(
        "signed below an intermediate CA, by a CA in db that may have none below it, both come along",
        signed(by("below-short", "under-short", "short")),
    ),
    "sb-path-length-alone": _row(
        "the same, and the CA in db does not come along",
        signed(by("below-short", "under-short")),
        secure="what a CA allows that does not come along is not in the file",
    ),
    "sb-large-key": _row(
        "signed by a certificate with a key of 4096 bits, in db of some stores", signed(by("large"))
    ),
    "sb-ec": _row("signed by a certificate in db, with ECDSA", signed(by("ec"))),
    "sb-debian": _row("Debian's kernel, signed by Debian alone", recipe="cp $IN/vmlinuz $OUT"),
}

BYTES = {
    "sb-changed": _sbsign(
        "changed by one byte after it was signed (sbsign)", "vendor", change=poke(0x230, b"X")
    ),
    "sb-changed-headers": _sbsign(
        "its time stamp changed after it was signed (sbsign)", "vendor", change=poke(0x48, b"X")
    ),
    "sb-appended": _sbsign(
        "bytes appended behind the certificate table (sbsign)", "vendor", change=followed_by(b"APPENDED" * 32)
    ),
    "sb-appended-before": _row(
        "bytes appended before it was signed", chain(followed_by(b"APPENDED" * 32), BY_VENDOR)
    ),
    "sb-checksum": _sbsign(
        "the header's checksum is wrong (sbsign)", "vendor", change=poke(CHECKSUM, b"\xef\xbe\xad\xde")
    ),
    "sb-of-another": _row("the signature of another program", signed(by("vendor", of=program("another")))),
    "sb-damaged": _row("the signature's last byte changed", signed(lambda image: VENDOR(image)[:-1] + b"X")),
    "sb-cut-off": _row("signed, and cut off inside its signature", chain(BY_VENDOR, cut(-64))),
    "sb-cut-off-inside": _row("signed, and cut off inside its code", chain(BY_VENDOR, cut(0x210))),
    "sb-arm64": _row(
        "signed, and a program for arm64", signed(VENDOR, image=programs.efi(machine=programs.ARM64))
    ),
    "sb-ia32": _row(
        "not signed, and a program for IA-32",
        _is(programs.efi(machine=programs.I386)),
        store_setup=LOADS_IA32,
        store_off=LOADS_IA32,
    ),
    "sb-windows": _row(
        "signed, and a Windows console program", signed(VENDOR, image=programs.efi(subsystem=3))
    ),
    "sb-no-program": _row("no program at all", _is(b"no program at all\n" * 99)),
    "sb-extra-in-table": _row(
        "bytes behind the last certificate, inside the table",
        chain(BY_VENDOR, around(lambda image, at, size: entry(image, at, size + 256) + b"SMUGGLED" * 32)),
    ),
    "sb-zeros-in-table": _row(
        "eight zeros behind the last certificate, inside the table",
        chain(BY_VENDOR, around(lambda image, at, size: entry(image, at, size + 8) + bytes(8))),
    ),
    "sb-unaligned": _row(
        "the certificate table begins at no multiple of 8",
        chain(
            BY_VENDOR,
            around(lambda image, at, size: entry(image[:at] + bytes(4) + image[at:], at + 4, size)),
        ),
    ),
    "sb-unaligned-signed": _row(
        "the certificate table begins at no multiple of 8, and all before it is signed",
        chain(followed_by(bytes(4)), lambda image: with_table(image, table(VENDOR(image)))),
    ),
    "sb-length-rounded": _row(
        "the certificate's length rounded up to a multiple of 8",
        chain(BY_VENDOR, around(lambda image, at, size: length(image, at, size))),
    ),
    "sb-length-long": _row(
        "the certificate is longer than the table",
        chain(BY_VENDOR, around(lambda image, at, size: length(image, at, size + 8))),
    ),
    "sb-length-short": _row(
        "the certificate's length is 8: nothing is in it",
        chain(BY_VENDOR, around(lambda image, at, _: length(image, at, 8))),
    ),
    "sb-length-cut": _row(
        "the certificate's length is 16 bytes too small",
        chain(BY_VENDOR, around(lambda image, at, size: length(image, at, size - 16))),
    ),
    "sb-length-zero": _row(
        "the certificate's length is 0",
        chain(BY_VENDOR, around(lambda image, at, _: length(image, at, 0))),
    ),
    "sb-table-size": _row(
        "the table's size is that of its certificate, not rounded up",
        chain(BY_VENDOR, around(lambda image, at, size: entry(image, at, size - size % 8 - 3))),
    ),
    "sb-table-outside": _row(
        "the table is larger than the file",
        chain(BY_VENDOR, around(lambda image, at, size: entry(image, at, size + 4096))),
    ),
    "sb-table-empty": _row(
        "the table's size is 0", chain(BY_VENDOR, around(lambda image, at, _: entry(image, at, 0)))
    ),
}

KINDS = {
    "sb-guid": _row("a certificate with the GUID of PKCS #7", _of_kind(GUID, UEFI_PKCS7)),
    "sb-guid-other": _row("a certificate with another GUID", _of_kind(GUID, bytes(16))),
    "sb-other-type": _row("a certificate of another type (X.509)", _of_kind(OTHER)),
    "sb-sha1": _row("signed with SHA-1", signed(by("vendor", digest="sha1"))),
    "sb-sha384": _row("signed with SHA-384", signed(by("vendor", digest="sha384"))),
    "sb-sha512": _row("signed with SHA-512", signed(by("vendor", digest="sha512"))),
    "sb-told-sha384": _row(
        "the program's digest is SHA-256, the signature says SHA-384 before all",
        signed(by("vendor", announced=["sha384"])),
    ),
    "sb-by-sha512": _row(
        "the program's digest is SHA-256, that of the signature SHA-512", signed(by("vendor", by="sha512"))
    ),
    "sb-by-sha1": _row(
        "the program's digest is SHA-256, that of the signature SHA-1", signed(by("vendor", by="sha1"))
    ),
    "sb-announced-both": _row(
        "the same with SHA-512, and both announced, that of the program first",
        signed(by("vendor", by="sha512", announced=["sha256", "sha512"])),
    ),
    "sb-announced-reversed": _row(
        "the same, and the other one announced first",
        signed(by("vendor", by="sha512", announced=["sha512", "sha256"])),
    ),
    "sb-large": _row("a signature of more than 64 KiB", signed(by("vendor", bring=("vendor",) * 100))),
    "sb-no-signer": _row("without its signer's certificate", signed(by("stranger", bring=()))),
    "sb-listed-no-signer": _row(
        "without its signer's certificate, and the digest in db",
        signed(by("stranger", bring=()), image=program("listed")),
    ),
    "sb-listed-cut-off": _row(
        "a signature that is cut off, and the digest in db",
        signed(lambda image: VENDOR(image)[:-100], image=program("listed")),
    ),
    "sb-listed-no-program": _row(
        "a signature of no program, and the digest in db",
        signed(lambda image: VENDOR(image).replace(INDIRECT, OTHER_CONTENT), image=program("listed")),
    ),
    "sb-listed-unknown": _row(
        "a signature with a digest that nobody knows, and the digest in db",
        signed(lambda image: VENDOR(image).replace(SHA256, UNKNOWN), image=program("listed")),
    ),
    "sb-two-cut-off": _row(
        "two signatures, the first cut off", signed(lambda image: VENDOR(image)[:-100], VENDOR)
    ),
    "sb-two-no-program": _row(
        "two signatures, the first of no program",
        signed(lambda image: VENDOR(image).replace(INDIRECT, OTHER_CONTENT), VENDOR),
    ),
    "sb-two-no-signer": _row(
        "two signatures, the first without its signer's certificate",
        signed(by("stranger", bring=()), VENDOR),
    ),
    "sb-two-no-signer-last": _row(
        "two signatures, the second without its signer's certificate",
        signed(VENDOR, by("stranger", bring=())),
    ),
    "sb-two": _row(
        "two signatures, the second by a certificate in db (sbsign)",
        recipe=f"{signs('stranger', '$IN/bootx64.efi')}; mv $OUT first; {signs('vendor', 'first')}",
    ),
    "sb-two-first": _row("two signatures, the first by a certificate in db", signed(VENDOR, by("stranger"))),
    "sb-two-neither": _row(
        "two signatures, none by a certificate in db", signed(by("stranger"), by("impostor", "namesake"))
    ),
    "sb-two-garbage-first": _row(
        "two signatures, the first is garbage", signed(lambda _: b"no DER at all", VENDOR)
    ),
    "sb-two-garbage-last": _row(
        "two signatures, the second is garbage", signed(VENDOR, lambda _: b"no DER at all")
    ),
    "sb-two-of-another": _row(
        "two signatures by a certificate in db, the first of another program",
        signed(by("vendor", of=program("another")), VENDOR),
    ),
}

DATABASES = {
    "sb-listed": _row("not signed, and its digest in db", _is(program("listed"))),
    "sb-listed-stranger": _row(
        "signed by a stranger, and its digest in db", signed(by("stranger"), image=program("listed"))
    ),
    "sb-listed-changed": _row(
        "changed after it was signed, and the digest that it has now in db",
        chain(signed(VENDOR, image=program("listed-changed")), changed),
    ),
    "sb-listed-garbage": _row(
        "a signature that is garbage, and the digest in db",
        signed(lambda _: b"no DER at all", image=program("listed")),
    ),
    "sb-listed-other-type": _row(
        "a certificate of another type (X.509), and the digest in db",
        _of_kind(OTHER, image=program("listed")),
    ),
    "sb-listed-sha384": _row("not signed, and its SHA-384 in db", _is(program("listed-sha384"))),
    "sb-listed-sha512": _row("not signed, and its SHA-512 in db", _is(program("listed-sha512"))),
    "sb-listed-sha1": _row("not signed, and its SHA-1 in db", _is(program("listed-sha1"))),
    "sb-listed-sha384-stranger": _row(
        "signed by a stranger with SHA-384, and its SHA-384 in db",
        signed(by("stranger", digest="sha384"), image=program("listed-sha384")),
    ),
    "sb-listed-sha384-sha256": _row(
        "signed by a stranger with SHA-256, and its SHA-384 in db",
        signed(by("stranger"), image=program("listed-sha384")),
    ),
    "sb-banned": _row(
        "signed by a certificate in db, and its digest in dbx", signed(VENDOR, image=program("banned"))
    ),
    "sb-banned-sha384": _row(
        "signed with SHA-384 by a certificate in db, and its SHA-256 in dbx",
        signed(by("vendor", digest="sha384"), image=program("banned")),
    ),
    "sb-banned-listed": _row("not signed, and its digest in db and in dbx", _is(program("both"))),
    "sb-revoked": _row("signed by a certificate that is in db and in dbx", signed(by("revoked"))),
    "sb-revoked-ca": _row(
        "signed below an intermediate CA in dbx, which comes along", signed(by("under-revoked", "revoked-ca"))
    ),
    "sb-revoked-ca-alone": _row(
        "signed below an intermediate CA in dbx, which does not come along", signed(by("under-revoked"))
    ),
    "sb-revoked-digest": _row("signed by a certificate whose digest is in dbx", signed(by("hashed"))),
    "sb-two-revoked": _row(
        "two signatures, one by a certificate in db, the other by one in dbx", signed(VENDOR, by("revoked"))
    ),
    "sb-two-revoked-of-another": _row(
        "two signatures, one by a certificate in db, the other by one in dbx of another program",
        signed(VENDOR, by("revoked", of=program("another"))),
    ),
    "sb-two-revoked-digest-of-another": _row(
        "two signatures, one by a certificate in db, one of another program by one whose digest is in dbx",
        signed(VENDOR, by("hashed", of=program("another"))),
        secure="EDK II looks for a signer's digest in dbx before it knows whether the signature is right",
    ),
    "sb-two-revoked-digest-of-no-program": _row(
        "two signatures, the first of no program by one whose digest is in dbx",
        signed(lambda image: by("hashed")(image).replace(INDIRECT, OTHER_CONTENT), by("signer")),
        secure="EDK II looks for a signer's digest in dbx before it knows whether the signature is right",
    ),
    "sb-two-revoked-digest-md5": _row(
        "two signatures, the first with MD5 by one whose digest is in dbx",
        signed(by("hashed", digest="md5", by="sha256"), by("signer")),
    ),
    "sb-two-revoked-digest-large": _row(
        "two signatures, the first of more than 64 KiB by one whose digest is in dbx",
        signed(by("hashed", bring=("hashed",) * 100), by("signer")),
    ),
}

SHIM = b"sbat,1,SBAT Version,sbat,1,https://example.org/\nshim,1,UEFI shim,shim,1,https://example.org/\n"


def unsigned_uki(cmdline: str = CMDLINE) -> str:
    """The recipe of `uki`, around a kernel that is not signed, whose initramfs has a program that says so."""
    ukify = UKIFY.replace("$IN/vmlinuz", "linux").replace("$OUT", "uki")
    bare = "sbattach --remove linux 2> log || true"
    build = f"{ukify} --cmdline='{cmdline}' --initrd=$IN/console.cpio > log 2>&1 || {{ cat log; exit 1; }}"
    return f"cp $IN/vmlinuz linux; {bare}; {build}"


def _uki(what: str, name: str = "", change: Change | None = None) -> Row:
    """That UKI, signed where there is a name."""
    sign = signs(name, "uki") if name else "mv uki $OUT"
    return Row(what, f"{unsigned_uki()}; {sign}", ("secure_uki",), change)


def _other_cmdline(image: bytes) -> bytes:
    (section,) = (one for one in read_pe(image).sections if one.name == ".cmdline")
    return poke(section.raw_offset, b"CONSOLE")(image)


UKIS = {
    "sb-uki": _uki("a signed UKI around a kernel that is not signed", "vendor"),
    "sb-uki-unsigned": _uki("a UKI that is not signed"),
    "sb-uki-stranger": _uki("a UKI signed by a certificate that is not in db", "stranger"),
    "sb-uki-cmdline": _uki("a signed UKI, its command line changed then", "vendor", _other_cmdline),
}

ROWS = {
    **SIGNERS,
    **BYTES,
    **KINDS,
    **DATABASES,
    "sb-old-sbat": _row(
        "a program with the .sbat of an old shim: firmware does not ask for it",
        signed(VENDOR, image=program("sbat", (".sbat", SHIM))),
    ),
    **UKIS,
}
