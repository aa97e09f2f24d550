"""An appliance proves what runs on it; what runs elsewhere, and a machine without a TPM, prove nothing."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from acceptance.installation import booted, install
from pipeline.boot.stories import Lab, Story, must
from pipeline.formats.fields import open_image
from pipeline.formats.pe import read_pe
from pipeline.formats.tpm_quote import read_key
from pipeline.measure import predict
from pipeline.measure.attestation import judge, read_evidence
from pipeline.measure.chain import Chain, Program
from pipeline.vm import disks
from pipeline.vm.machine import Disk

PORT = 8081
NONCE = bytes(range(32))


async def attests(lab: Lab) -> None:
    """What was installed runs, by its own TPM's word, and by that of tpm2-tools; another image does not."""
    with_tpm = lab.trusted("off", tpm=True)
    disk = with_tpm.disk()
    await install(with_tpm, disk)
    async with booted(with_tpm, disk):
        pass
    first = await _asked(with_tpm, disk, "asked")
    again = await _asked(with_tpm, disk, "asked-again")
    evidence = read_evidence(first, NONCE)
    must(evidence.key == read_evidence(again, NONCE).key, "after a restart the TPM's key is another")
    ways = {"disk": Chain(Program("BOOTX64.EFI", read_pe(open_image(lab.inputs["payload"]))))}
    ours = predict.expectations(ways, {predict.OFF: None})[0]
    verdict = judge(evidence, ours)
    lab.note(f"attested: {verdict.compared.equal} events")
    must(verdict.runs and not verdict.compared.difference, verdict.compared.difference)
    other = {"disk": Chain(Program("BOOTX64.EFI", read_pe(open_image(lab.inputs["uki"]))))}
    must(
        not judge(evidence, predict.expectations(other, {predict.OFF: None})[0]).runs, "another UKI runs, too"
    )


async def _asked(lab: Lab, disk: Disk, name: str) -> bytes:
    """Start what is installed, ask it, and have tpm2-tools judge the quote."""
    machine = replace(lab.machine(disk, fresh=False, network=True), service_port=PORT)
    async with lab.start(machine, name) as vm:
        status, said = await vm.get(f"/attestation/{NONCE.hex()}")
        must(status == 200, f"it answers {status}: {said}")
        await vm.switch_off()
    _judge(lab, said)
    return json.dumps(said).encode()


def _judge(lab: Lab, said: Mapping[str, Any]) -> None:
    folder = lab.work / "quote"
    folder.mkdir(exist_ok=True)
    for name in ("quoted", "signature"):
        (folder / name).write_bytes(bytes.fromhex(said[name]))
    pem = read_key(bytes.fromhex(said["key"])).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / "key.pem").write_bytes(pem)
    extra = hashlib.sha256(NONCE + said["identity"].encode()).hexdigest()
    words = ["-u", "key.pem", "-m", "quoted", "-s", "signature", "-g", "sha256", "-q", extra]
    disks.run(
        "tpm2_checkquote", *(str(folder / word) if (folder / word).exists() else word for word in words)
    )


async def without_tpm(lab: Lab) -> None:
    """A machine without a TPM says that nothing proves what runs there."""
    disk = lab.disk()
    await install(lab, disk)
    machine = replace(lab.machine(disk, fresh=False, network=True), service_port=PORT)
    async with lab.start(machine, "asked") as vm:
        status, said = await vm.get(f"/attestation/{NONCE.hex()}")
        must((status, "no TPM 2.0" in said) == (503, True), f"it answers {status}: {said}")
        await vm.switch_off()


ATTESTED: dict[str, Story] = {"attests": attests, "attests-nothing": without_tpm}
