"""Makes keys, and the certificates by which firmware knows them."""

from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pipeline.trust.signer import Signer

BITS = 2048  # all firmware takes RSA of this size, and some no other
EXPONENT = 65537
YEARS = {"PK": 20, "KEK": 20, "db": 10}
"""How long a certificate says that it is valid. Firmware does not look; people and other tools do."""

DAY = timedelta(days=1)


def made_key() -> rsa.RSAPrivateKey:
    """Return a new key."""
    return rsa.generate_private_key(EXPONENT, BITS)


def key_pem(key: rsa.RSAPrivateKey) -> bytes:
    """Return a key as it is kept: PKCS #8 in PEM, not encrypted."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def public_pem(key: rsa.RSAPrivateKey) -> bytes:
    """Return the public half: SubjectPublicKeyInfo in PEM."""
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def issued(key: rsa.RSAPrivateKey, variable: str, name: str, organisation: str, now: datetime) -> Signer:
    """Return a key with the certificate that it signs itself: for PK, KEK or db, under a common name."""
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )
    begin = now.replace(microsecond=0) - DAY  # clocks differ
    end = begin + YEARS[variable] * 365.25 * DAY
    public = key.public_key()
    built = (
        x509.CertificateBuilder(subject, subject, public, x509.random_serial_number(), begin, end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(_usage(), critical=True)
    )
    if variable == "db":
        built = built.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
    certificate = built.sign(key, hashes.SHA256())
    return Signer(public, (certificate,), lambda data: key.sign(data, padding.PKCS1v15(), hashes.SHA256()))


def _usage() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
