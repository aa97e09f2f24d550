"""`./doit new`: another project, for another product, that builds at once.

It is made of this one's recipes, containers and pins, with the product renamed.
"""

import os
import re
import shutil
import stat
import tempfile
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.build.session import Session
from pipeline.cli.new.splash import splash
from pipeline.cli.new.wheel import pinned_wheel
from pipeline.config import SHORT_TEXT
from pipeline.errors import PipelineError
from pipeline.project import checkout, engine, manifest, outputs
from pipeline.project.product import product_of, read
from pipeline.project.recipe import Recipe

USAGE = "`./doit new ../acme-installer --product ACME`"
FILES = Path(__file__).with_name("files")
"""What a project has besides: its README, what CI runs, what git ignores."""

COPIED = ("doit", "dodo.py", "make_venv.py", "containers", "manifests", "roots")
PRODUCT = "product.toml"
TRUST = re.compile(r"\n*^\[trust\].*(?:\n(?!\[).*)*\n", re.M)
"""The table of a recipe that names its vendor's keys: a new project has none of its own yet."""

LONGEST_ID = 7  # characters: with `_CFG` behind it, it is the label of a FAT volume, which has 11


@dataclass(frozen=True)
class Names:
    """What a product is called: `name` where people read it, `word` in names of files, `id` in parameters."""

    name: str
    word: str
    id: str

    @staticmethod
    def of(name: str) -> "Names":
        """Return them for a product of this name. Raises PipelineError where there are none."""
        words = re.findall("[A-Za-z0-9]+", name)
        whole = "".join(words)
        short = (whole if len(whole) <= LONGEST_ID else (words or [""])[0]).lower()[:LONGEST_ID]
        if not re.fullmatch(SHORT_TEXT, name) or not re.match("[a-z]", short):
            raise PipelineError(
                f"{name!r} cannot name a product",
                f"take at most 30 letters, digits, blanks and . _ + ~ -, a letter first: {USAGE}",
            )
        return Names(name, whole, short)


def new(session: Session, arguments: list[str], product: str) -> None:
    """Make a project for the product in the folder that the arguments name, as it is called by the caller.

    Raises PipelineError where that cannot be, and leaves nothing then.
    """
    if len(arguments) > 1 and arguments[1].startswith("--product"):  # doit takes options in front of words
        product = " ".join(arguments[1:]).removeprefix("--product").lstrip("= ")
        arguments = arguments[:1]
    if len(arguments) != 1:
        raise PipelineError(f"new takes one folder, got {len(arguments)}", USAGE)
    if not product:
        raise PipelineError("--product is missing: it says what the product is called", USAGE)
    names = Names.of(product)
    here = os.environ.get("INSTALLER_ISO_CALLED_FROM", str(session.root))
    target = Path(os.path.normpath(Path(here, arguments[0])))
    if os.path.lexists(target):
        raise PipelineError(f"{arguments[0]}: already exists", "choose another folder")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            prefix=".", dir=target.parent, ignore_cleanup_errors=True
        ) as scratch:
            made = Path(scratch, target.name)
            made.mkdir()
            made.chmod(0o755)
            _fill(made, names)
            made.rename(target)
    except OSError as error:
        raise PipelineError(f"{arguments[0]}: {error.strerror}", "name another folder") from error
    session.report.print(f"{target}: a project for {names.name}", style="bold")
    session.report.print(f"  cd {session.shown(target)} && git init && git add . && ./doit iso")
    session.report.print("  this compiles two kernels, unless they are cached: about 25 minutes on two cores")


def template() -> Path:
    """Return the project that others are made of: in the package where that was installed."""
    packed = engine.TREE / "template"
    return packed if packed.is_dir() else engine.TREE


def _is_taken(root: Path, name: str, recipe: Recipe) -> bool:
    """Tell whether a recipe is of the product that others are made of: what installs a UKI, and that one."""
    path = product_of(root, name, recipe)
    return path is not None and not read(path).is_set


def _fill(target: Path, names: Names) -> None:
    root = template()
    for name in COPIED:
        copy = shutil.copytree if (root / name).is_dir() else shutil.copy2
        copy(root / name, target / name)
    (target / outputs.PATH).unlink(missing_ok=True)
    project = checkout.load(root)
    taken = {name: recipe for name, recipe in project.recipes.items() if _is_taken(root, name, recipe)}
    installer = next(name for name, recipe in taken.items() if recipe.iso)
    product = tomllib.loads((root / "recipes" / installer / PRODUCT).read_text(encoding="utf-8"))
    renamed = _renaming(str(product["name"]), str(product["id"]), names)
    left = {called for one in project.recipes.values() for called in one.programs}
    left -= {called for one in taken.values() for called in one.programs}
    for name, recipe in taken.items():
        folder = target / "recipes" / renamed(name)
        shutil.copytree(root / "recipes" / name, folder, ignore=shutil.ignore_patterns("__pycache__"))
        if recipe.trust:  # it is another vendor's
            (folder / recipe.trust.signatures).unlink(missing_ok=True)
            told = folder / "recipe.toml"
            told.write_text(TRUST.sub("\n", told.read_text(encoding="utf-8")), encoding="utf-8")
        _rename_below(folder, renamed)
        if (folder / recipe.image.splash).is_file():  # else it is another recipe's, which has it drawn
            (folder / recipe.image.splash).write_bytes(splash(names.name, product["colours"]))
    shutil.copytree(root / "recipes/kernels", target / "recipes/kernels")
    pins = target / manifest.PATH
    lines = pins.read_text(encoding="utf-8").splitlines(keepends=True)
    pins.write_text("".join(it for it in lines if it.partition(" = ")[0] not in left), encoding="utf-8")
    for file in (target / manifest.PATH, *(target / "recipes").rglob("*")):
        if file.suffix in (".toml", ".py"):  # as people read it, also where `word` is all that was there
            text = renamed(file.read_text(encoding="utf-8"))
            whole = rf'\1"{names.name}"'
            file.write_text(
                re.sub(rf'(?mi)^((?:name|vendor) = )"{names.word}"', whole, text), encoding="utf-8"
            )
    wheel = pinned_wheel(target / "wheels")
    lock = (root / "requirements.lock").read_text(encoding="utf-8")
    (target / "requirements.lock").write_text(f"{lock}{wheel}\n", encoding="utf-8")
    for path in FILES.rglob("*"):
        if path.is_file():
            place = target / path.relative_to(FILES).as_posix().replace("dot-", ".")
            place.parent.mkdir(parents=True, exist_ok=True)
            text = path.read_text(encoding="utf-8")
            place.write_text(text.format(name=names.name, recipe=renamed(installer)), encoding="utf-8")
            place.chmod(stat.S_IMODE(path.stat().st_mode))


def _renaming(name: str, id_: str, names: Names) -> Callable[[str], str]:
    """Return what makes a text about the product `name` one about another: each of its names is replaced."""
    others = {Names.of(name).word: names.word, id_: names.id, id_.upper(): names.id.upper()}
    pattern = re.compile("|".join(map(re.escape, others)))
    return lambda text: pattern.sub(lambda found: others[found[0]], text)


def _rename_below(folder: Path, renamed: Callable[[str], str]) -> None:
    """Call the product otherwise in all texts below a folder; links and what is no text stay."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
            try:
                path.write_bytes(renamed(content.decode()).encode())
            except UnicodeDecodeError:
                continue
