"""The folder of a vendor's keys: private halves, and the public ones in all forms that firmware takes.

private/    PK.key KEK.key db.key pcr.key
public/     owner.txt
            PK KEK db: .pem and .cer (certificates), .esl and .auth (the variable's contents)
            noPK.auth (takes PK away again), pcr.pem (a public key)
            db-2.pem …, with .esl and .auth that append it; db.esl and db.auth then have all of them
            dbx.esl, dbx.auth, and dbx-NAME.esl, dbx-NAME.auth that append a revoked NAME
            revoked-NAME.pem, revoked-NAME.cer
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pipeline.errors import PipelineError
from pipeline.formats.efi_auth import read_authenticated
from pipeline.formats.efi_signature_list import X509, Entry, signature_lists
from pipeline.store.files import explained, replacing
from pipeline.trust.cms import signed_variable
from pipeline.trust.issue import issued, key_pem, made_key, public_pem
from pipeline.trust.signer import Ask, Signer, on_terminal, open_signer, read_certificates

PRIVATE, PUBLIC, OWNER, PCR = "private", "public", "owner.txt", "pcr"
IGNORED = ".gitignore"  # keeps git from committing what is private
ABOVE = {"PK": "PK", "KEK": "PK", "db": "KEK", "dbx": "KEK"}
"""By a variable's name: whose key firmware wants to have signed its contents."""

DB = re.compile(r"db(-[1-9][0-9]*)?")
SECOND = timedelta(seconds=1)
MAX_NAME = 64 - len(" Secure Boot KEK 2026")  # characters: X.520 has 64 for a common name


@dataclass(frozen=True)
class Keys:
    """Such a folder, at one moment; `ask` is asked for passphrases of keys that somebody encrypted."""

    folder: Path
    now: datetime
    ask: Ask = on_terminal

    @property
    def private(self) -> Path:
        """Where private keys are."""
        return self.folder / PRIVATE

    @property
    def public(self) -> Path:
        """Where all else is."""
        return self.folder / PUBLIC

    @property
    def owner(self) -> UUID:
        """The GUID that stands beside each of these certificates in firmware: it is the same for ever."""
        path = self.public / OWNER
        with explained(path, "read", cache=False):
            text = path.read_text(encoding="ascii", errors="replace").strip()
        try:
            return UUID(text)
        except ValueError as error:
            raise PipelineError(f"{path}: {text!r} is no GUID", "take the file from a backup") from error

    def names(self, pattern: re.Pattern[str]) -> list[str]:
        """Return which certificates there are, the first one first."""
        found = [path.stem for path in self.public.glob("*.pem") if pattern.fullmatch(path.stem)]
        return sorted(found, key=_number)

    def signer(self, name: str) -> Signer:
        """Open a key of the folder. Raises PipelineError where it is not there."""
        if not self.private.is_dir():
            raise PipelineError(f"{self.folder}: has no private keys", "`./doit keys new` makes them")
        return open_signer(str(self.private / f"{name}.key"), [self.public / f"{name}.pem"], self.ask)


def new(keys: Keys, organisation: str) -> None:
    """Make all keys, in a folder that has none. Raises PipelineError where there are any."""
    if any(path.exists() for path in (keys.private, keys.public)):
        raise PipelineError(
            f"{keys.folder}: has keys already, and they are never overwritten",
            "name another folder; `./doit keys rotate` makes a second db key",
        )
    if not 0 < len(organisation) <= MAX_NAME or not organisation.isprintable():
        raise PipelineError(
            f"--organisation {organisation!r}: cannot be in a certificate's name",
            f"write up to {MAX_NAME} letters, in one line",
        )
    made = {name: made_key() for name in (*ABOVE, PCR) if name != "dbx"}
    signers = {
        name: issued(key, name, _common_name(organisation, name, keys.now), organisation, keys.now)
        for name, key in made.items()
        if name != PCR
    }
    owner = uuid4()
    files = {OWNER: f"{owner}\n".encode(), "pcr.pem": public_pem(made[PCR])}
    for name, signer in signers.items():
        files |= _certificate(name, signer.certificates[0])
        files |= _variable(name, name, owner, signer.certificates, signers[ABOVE[name]], keys.now)
    files["noPK.auth"] = signed_variable("PK", keys.now + SECOND, b"", signers["PK"])
    with explained(keys.folder, "write", cache=False):
        keys.private.mkdir(mode=0o700, parents=True)
        keys.public.mkdir()
    private = {f"{name}.key": key_pem(key) for name, key in made.items()}
    _write(keys.private, {IGNORED: b"*\n"} | private, 0o600)
    _write(keys.public, files)


def rotate(keys: Keys) -> str:
    """Make one more db key, and return its name: from now on images may be signed with it.

    `.auth` of its own name appends it to the db of machines out there; that of db has all there are.
    """
    above, owner = keys.signer("KEK"), keys.owner
    known = keys.names(re.compile(f"(revoked-)?{DB.pattern}"))
    name = f"db-{max(map(_number, known), default=0) + 1}"
    first = read_certificates(keys.public / f"{known[0]}.pem")[0] if known else above.certificates[0]
    organisation = str(first.subject.get_attributes_for_oid(x509.NameOID.ORGANIZATION_NAME)[0].value)
    key = made_key()
    label = _common_name(organisation, "db", keys.now) + f" ({_number(name)})"
    signer = issued(key, "db", label, organisation, keys.now)
    files = _certificate(name, signer.certificates[0])
    files |= _variable(name, "db", owner, signer.certificates, above, keys.now, append=True)
    files |= _whole_db(keys, [*keys.names(DB), name], above, [signer.certificates[0]])
    _write(keys.private, {f"{name}.key": key_pem(key)}, 0o600)
    _write(keys.public, files)
    return name


def revoke(keys: Keys, name: str) -> None:
    """Put a db certificate into dbx: what was signed with its key starts nowhere where dbx is updated.

    Raises PipelineError for what is none, and for the last one.
    """
    there = keys.names(DB)
    if name not in there:
        raise PipelineError(
            f"{keys.public}: has no certificate {name!r} of db", f"name one of {', '.join(there) or 'none'}"
        )
    if there == [name]:
        raise PipelineError(
            f"{name} is the only key of db: without it nothing would start",
            "`./doit keys rotate` makes another; sign with that, and bring it to all machines first",
        )
    above, owner = keys.signer("KEK"), keys.owner
    certificate = read_certificates(keys.public / f"{name}.pem")[0]
    before = [
        one
        for old in keys.names(re.compile(f"revoked-{DB.pattern}"))
        for one in read_certificates(keys.public / f"{old}.pem")
    ]
    files = _certificate(f"revoked-{name}", certificate)
    files |= _variable(f"dbx-{name}", "dbx", owner, [certificate], above, keys.now, append=True)
    files |= _variable("dbx", "dbx", owner, [*before, certificate], above, _later(keys, "dbx"))
    files |= _whole_db(keys, [one for one in there if one != name], above)
    _write(keys.public, files)
    own = ("pem", "cer") if name == "db" else ("pem", "cer", "esl", "auth")
    with explained(keys.folder, "write", cache=False):
        for path in (keys.public / f"{name}.{ending}" for ending in own):
            path.unlink(missing_ok=True)
        key = keys.private / f"{name}.key"
        if key.exists():
            key.rename(keys.private / f"revoked-{name}.key")


def _whole_db(
    keys: Keys, names: Iterable[str], above: Signer, more: Iterable[x509.Certificate] = ()
) -> dict[str, bytes]:
    """Return db with all these certificates: of those in the folder, then of `more`."""
    paths = [keys.public / f"{name}.pem" for name in names]
    there = [read_certificates(path)[0] for path in paths if path.exists()]
    return _variable("db", "db", keys.owner, [*there, *more], above, _later(keys, "db"))


def _later(keys: Keys, name: str) -> datetime:
    """Return a time that is later than what there is: firmware refuses contents that are not newer."""
    path = keys.public / f"{name}.auth"
    if not path.exists():
        return keys.now
    with explained(path, "read", cache=False):
        return max(keys.now, read_authenticated(path.read_bytes()).time + SECOND)


def _variable(
    name: str,
    variable: str,
    owner: UUID,
    certificates: Iterable[x509.Certificate],
    above: Signer,
    time: datetime,
    *,
    append: bool = False,
) -> dict[str, bytes]:
    """Return the files of a variable's contents, or of what is appended to them."""
    entries = [Entry(X509, owner, one.public_bytes(Encoding.DER)) for one in certificates]
    data = signature_lists(entries)
    return {
        f"{name}.esl": data,
        f"{name}.auth": signed_variable(variable, time, data, above, append=append),
    }


def _certificate(name: str, certificate: x509.Certificate) -> dict[str, bytes]:
    return {
        f"{name}.pem": certificate.public_bytes(Encoding.PEM),
        f"{name}.cer": certificate.public_bytes(Encoding.DER),
    }


def _common_name(organisation: str, name: str, now: datetime) -> str:
    return f"{organisation} Secure Boot {name} {now:%Y}"


def _number(name: str) -> int:
    """Return which of the db keys it is, counted from 1."""
    return int(name.removeprefix("revoked-").partition("-")[2] or 1)


def _write(folder: Path, files: dict[str, bytes], mode: int = 0o644) -> None:
    with explained(folder, "write", cache=False):
        for name, data in files.items():
            with replacing(folder / name, mode) as file:
                file.write(data)
