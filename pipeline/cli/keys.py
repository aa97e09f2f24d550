"""`./doit keys`: a vendor's keys for Secure Boot and for policies of PCR 11."""

from collections.abc import Sequence
from datetime import UTC, datetime

from pipeline.build.session import Session
from pipeline.errors import PipelineError
from pipeline.inspection.open import located
from pipeline.trust import folder

WORDS = {"new": ["DIR"], "rotate": ["DIR"], "revoke": ["DIR", "NAME"]}
USAGE = "`./doit keys new DIR`, `rotate DIR` or `revoke DIR NAME`: docs/keys.md says when"
COPY = "recipes need a new copy of it, in place of the one that they have"


def _judge(organisation: str, words: Sequence[str]) -> None:
    what, *rest = words or [""]
    if what not in WORDS or len(rest) != len(WORDS[what]):
        raise PipelineError(f"{' '.join(['./doit keys', *words])}: is not understood", USAGE)
    if organisation and what != "new":
        raise PipelineError("--organisation: belongs to new keys alone", USAGE)


def keys(session: Session, organisation: str, words: Sequence[str]) -> None:
    """Make keys, make one more, or revoke one; say what to do with it.

    Raises PipelineError for words that are no command, and as `folder` does.
    """
    _judge(organisation, words)
    what, where, *names = words
    there = folder.Keys(located(where), datetime.now(UTC))
    said = session.report.print
    if what == "new":
        folder.new(there, organisation or session.project.manifest.product.name)
        said(f"{session.shown(there.private)}: PK, KEK, db and pcr: keep them off the network, and a copy")
        said(f'{session.shown(there.public)}: for recipes (`[trust] keys = "…"`), firmware and machines')
    elif what == "rotate":
        name = folder.rotate(there)
        said(f"{session.shown(there.private / name)}.key: the next db key")
        said(f"bring {name}.auth to all machines before anything is signed with it alone: docs/keys.md")
        said(f"{session.shown(there.public)}: {COPY}")
    else:
        folder.revoke(there, names[0])
        said(f"{session.shown(there.public)}: dbx.auth revokes {names[0]}, dbx-{names[0]}.auth appends that")
        said(f"{session.shown(there.public)}: {COPY}")
