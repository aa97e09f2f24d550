"""Asks a time stamping authority to say since when a signature has been there.

Specification: RFC 3161, §2.4 and §3.4 (by HTTP)
"""

import hashlib
import re

import requests
from rfc3161_client import HashAlgorithm, TimestampRequestBuilder, decode_timestamp_response

from pipeline.errors import PipelineError

MAX_ANSWER = 1 << 18  # bytes
PATIENCE = 30  # seconds
REASON = re.compile(r"\[Errno -?[0-9]+\] ([^'\")]*)")
"""What the operating system says, in the many words of requests."""

GRANTED = (0, 1)  # PKIStatus granted, and grantedWithMods


def time_stamp(url: str, signature: bytes) -> bytes:
    """Return the authority's token, a ContentInfo in DER.

    It is of this signature and no other; who the authority is, those judge who verify. Raises PipelineError.
    """
    request = TimestampRequestBuilder().data(signature).hash_algorithm(HashAlgorithm.SHA256).build()
    try:
        response = requests.post(
            url,
            data=request.as_bytes(),
            headers={"Content-Type": "application/timestamp-query"},
            timeout=PATIENCE,
        )
        response.raise_for_status()
        answer = decode_timestamp_response(response.content[:MAX_ANSWER])
    except (requests.RequestException, ValueError) as error:
        reason = REASON.search(str(error))
        why = reason[1] if reason else error
        raise PipelineError(
            f"--timestamp {url}: there is no time stamp: {why}", "name an authority that speaks RFC 3161"
        ) from error
    if answer.status not in GRANTED:
        raise PipelineError(
            f"--timestamp {url}: the authority refuses: {'; '.join(answer.status_string) or answer.status}",
            "ask its owner, or name another",
        )
    stamped, digest = answer.tst_info, hashlib.sha256(signature).digest()
    if (stamped.message_imprint.message, stamped.nonce) != (digest, request.nonce):
        raise PipelineError(
            f"--timestamp {url}: the time stamp is of something else",
            "somebody is in between: try another way",
        )
    return bytes(answer.time_stamp_token())
