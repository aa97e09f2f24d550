"""The command `./doit measure`: which images it predicts for, with which keys, and what it says of a log.

It needs no engine, and of a file no recipe.
"""

import argparse
import hashlib
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from pipeline.checks.quoting import escaped, sentence
from pipeline.errors import PipelineError
from pipeline.formats.efi_variables import Variables, read_variables
from pipeline.formats.fields import Image, chunks
from pipeline.formats.tcg_log import MAX_SIZE, Event, read_log
from pipeline.inspection.open import guarded, located, open_file
from pipeline.measure import predict, secure_boot
from pipeline.measure.compare import compare
from pipeline.measure.event import PREDICTED
from pipeline.measure.pcrs import read_pcrs
from pipeline.measure.predict import GIVEN, OWNERS, Expectation, OfImage
from pipeline.measure.ways import chains

EQUAL, DIFFERENT, TROUBLE = 0, 1, 2
FROM_LOG = "log"
BUILT = ("{name}.iso", "disk.raw", "*.efi")
"""What a recipe's images are called in its folder of artifacts, the first that is there."""


def main(root: Path, arguments: Sequence[str]) -> int:
    """Predict, or compare; return the exit status. SystemExit(2) for wrong arguments."""
    asked = _parser().parse_args(arguments)
    try:
        return _run(root, asked)
    except PipelineError as error:
        from pipeline.report import Report

        Report().error(PipelineError(sentence(error.message), sentence(error.hint)))
        return TROUBLE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./doit measure",
        description="Predict what a TPM's PCRs 4, 7, 11 and 12 are after a start of an image; or say whether "
        "a machine's log of measurements is that of an image, and which event is the first that differs.",
        epilog="Exit status: 0 predicted, or equal; 1 something differs; 2 something cannot be read. "
        "docs/measured-boot.md explains PCRs.",
    )
    parser.add_argument(
        "images",
        metavar="IMAGE",
        nargs="*",
        help="a recipe whose image was built, or an ISO, a disk or a UKI; without one, all that were built",
    )
    parser.add_argument(
        "--vars",
        metavar="FILE",
        help="the firmware's variables: OVMF_VARS.fd, a folder as /sys/firmware/efi/efivars, or JSON of "
        "virt-fw-vars",
    )
    parser.add_argument(
        "--keys", metavar="FOLDER", help="public halves as `./doit keys new` makes them, where no recipe says"
    )
    parser.add_argument(
        "--json", action="store_true", help="all events, too, as docs/measure.schema.json says"
    )
    parser.add_argument(
        "--log", metavar="FILE", help="compare with this: /sys/kernel/security/tpm0/binary_bios_measurements"
    )
    parser.add_argument(
        "--pcrs",
        metavar="FILE",
        help="with --log: what the TPM says, a folder as /sys/class/tpm/tpm0/pcr-sha256, or lines of text",
    )
    return parser


def _run(root: Path, asked: argparse.Namespace) -> int:
    if asked.pcrs and not asked.log:
        raise PipelineError("--pcrs is compared with a log", "give --log, too")
    images = asked.images or _built(root)
    variables = _of(asked.vars, partial(read_variables, located(asked.vars))) if asked.vars else None
    log = _of(asked.log, partial(_log, asked.log)) if asked.log else None
    told = _of(asked.pcrs, partial(read_pcrs, located(asked.pcrs))) if asked.pcrs else None
    every: list[tuple[OfImage, list[Expectation]]] = []
    for name in images:
        path, recipe = _file(root, name)
        stores = _stores(root, recipe, asked.keys, variables if asked.vars else None, log)
        every.append(_of(name, partial(_predicted, path, stores)))
    if log is not None:
        return _compare(every, log, told)
    if asked.json:
        sys.stdout.write(predict.text([one for one, _ in every]))
    else:
        sys.stdout.write("\n".join(_told(one) for one, _ in every))
    return EQUAL


def predicted_here(root: Path, hint: str) -> list[Expectation]:
    """Return what is predicted for all images that were built here. PipelineError where there are none."""
    files = [_file(root, name) for name in _built(root, hint)]
    return [
        one
        for path, recipe in files
        for one in _of(path, partial(_predicted, path, _stores(root, recipe, None, None, None)))[1]
    ]


def _predicted(path: str, stores: Mapping[str, Variables | None]) -> tuple[OfImage, list[Expectation]]:
    image = open_file(path)
    ways = chains(image, Path(path).name)
    found, refused = predict.expectations(ways, stores)
    return predict.of_image(Path(path).name, _sha256(image), found, refused), found


def _sha256(image: Image) -> str:
    digest = hashlib.sha256()
    for part in chunks(image):
        digest.update(part)
    return digest.hexdigest()


Result = TypeVar("Result")


def _of(name: str, read: Callable[[], Result]) -> Result:
    """Return what `read` does; what it raises says of which file."""
    try:
        return guarded(read)
    except PipelineError as error:
        raise PipelineError(f"{escaped(name)}: {error.message}", error.hint) from error


def _built(root: Path, hint: str = "build one: `./doit iso`; or name a file") -> list[str]:
    found = [path.parent.name for path in sorted((root / "recipes").glob("*/recipe.toml"))]
    built = [name for name in found if _artifact(root, name)]
    if not built:
        raise PipelineError("no image was built", hint)
    return built


def _artifact(root: Path, recipe: str) -> Path | None:
    folder = root / "artifacts" / recipe
    for pattern in BUILT:
        for path in sorted(folder.glob(pattern.format(name=recipe))):
            if not path.name.endswith(".unsigned.efi"):
                return path
    return None


def _file(root: Path, name: str) -> tuple[str, str]:
    """Return the file that is meant, and the recipe that it is of, "" for none."""
    if (root / "recipes" / name / "recipe.toml").is_file():
        path = _artifact(root, name)
        if path is None:
            raise PipelineError(f"the image of {name} was not built", f"build it: `./doit image {name}`")
        return str(path), name
    return name, ""


def _stores(
    root: Path,
    recipe: str,
    keys: str | None,
    variables: Variables | None,
    log: Sequence[Event] | None,
) -> dict[str, Variables | None]:
    """Return the variables of each firmware that is predicted for, by whom it trusts."""
    if variables is not None:
        return {GIVEN: variables}
    found = predict.stores(located(keys) if keys else _keys(root, recipe))
    if log is not None and (of_log := secure_boot.told(log)):
        found[FROM_LOG] = of_log
    return found


def _keys(root: Path, recipe: str) -> Path | None:
    """Return the folder that [trust] of a recipe names."""
    import tomllib

    if not recipe:
        return None
    path = root / "recipes" / recipe / "recipe.toml"
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8")).get("trust", {}).get("keys")
    except (OSError, ValueError, AttributeError) as error:
        raise PipelineError(f"{path}: cannot be read: {error}", "`./doit list` says what is wrong") from error
    return path.parent / said if said else None


def _log(name: str) -> tuple[Event, ...]:
    return read_log(bytes(open_file(name)[: MAX_SIZE + 1]))


def _told(one: OfImage) -> str:
    """Return a prediction as people read it: what differs between ways of booting, and all that is known."""
    lines = [f"{one.image} (sha256 {one.sha256})"]
    rows: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for each in one.predictions:
        values = tuple(each.pcrs[str(pcr)] for pcr in PREDICTED)
        rows.setdefault((each.trust, values), []).append(each.way)
    for (trust, values), ways in rows.items():
        lines.append(f"\n  {', '.join(ways)}; {OWNERS.get(trust, trust)}:")
        lines += [f"    PCR {pcr:<2} {value}" for pcr, value in zip(PREDICTED, values, strict=True)]
    lines.append("\n  not known:")
    return "\n".join([*lines, *(f"    {each}" for each in one.unknown)]) + "\n"


def _compare(
    every: Sequence[tuple[OfImage, list[Expectation]]],
    log: Sequence[Event],
    told: Mapping[int, bytes] | None,
) -> int:
    """Say with what a log is equal, or how it differs from what it is nearest to."""
    found = [(compare(one.events, log, told), one, of.image) for of, many in every for one in many]
    nearest = max(found, key=lambda each: (not each[0].difference, each[0].equal))
    compared, one, image = nearest
    how = f"{image}, {one.way}, {OWNERS.get(one.trust, 'firmware with the keys that the log tells of')}"
    if compared.difference:
        print(f"not what was predicted. Nearest is {how}.\n{compared.difference}")
        return DIFFERENT
    print(f"equal, {compared.equal} events: {how}")
    if told is None:
        print("what the TPM itself says was not compared: give --pcrs, too")
    return EQUAL
