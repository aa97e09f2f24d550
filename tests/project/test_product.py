"""What a recipe says of its product, and what of it contradicts what else is there."""

from pathlib import Path

import pytest

from pipeline.errors import ConfigError
from pipeline.plan.image import plan
from pipeline.plan.step import Source
from pipeline.project.checkout import load
from pipeline.project.product import product_of
from tests.conftest import ROOT
from tests.fixtures import checkout, look

SAID: dict[str, dict[str, object]] = {
    "": {"name": "Toy", "id": "toy", "vendor": "Toy Makers"},
    "disk": {"folder": "Toy", "data": "TOY_DATA", "unfinished": "TOY_PART", "least_data_mib": 64},
    "needs": {"disk": 1_000_000, "memory_mib": 512},
    "medium": {"payload": "Inside.efi", "answers": "TOY_CFG"},
    "service": {"program": "toy", "port": 80},
    "settings": {"host_name": "toy", "node_name": "toy-1", "asked": ["host_name"], "advanced": []},
    "colours": dict.fromkeys(
        ("ground", "band", "raised", "key", "text", "quiet", "accent", "amber", "red", "dim"), "#0a0B0c"
    ),
}
PRODUCT = "\n".join(
    f"[{table}]\n{rows}" if table else rows
    for table, said in SAID.items()
    for rows in [
        "\n".join(f'{key} = "{it}"' if isinstance(it, str) else f"{key} = {it}" for key, it in said.items())
    ]
)
NO_SENTENCE = "is not a text of at most 200 printable ASCII characters"
NO_TEXT = "is not a plain text (at most 30 letters, digits, blanks and . _ + ~ -)"
RECIPE = "recipes/toy/recipe.toml"
OURS = "recipes/toy/product.toml"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = checkout.write(tmp_path)
    recipe = root / RECIPE
    text = recipe.read_text().replace("medium={volume_id}", "toy.medium={volume_id}")
    recipe.write_text(text.replace("[image]", '[image]\nproduct = "product.toml"'))
    (root / OURS).write_text(PRODUCT)
    return root


def mistakes(root: Path) -> list[str]:
    try:
        load(root)
    except ConfigError as error:
        return error.mistakes
    return []


def test_what_is_right(root: Path) -> None:
    assert mistakes(root) == []
    recipe = load(root).recipes["toy"]
    assert product_of(root, "toy", recipe) == root / OURS


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        (OURS, '"Toy"', '"Töy"', f"name: 'Töy' {NO_TEXT}"),
        (OURS, '"Toy"', f'"{"x" * 31}"', f"name: '{'x' * 31}' {NO_TEXT}"),
        (OURS, '"Toy Makers"', f'"{"x" * 31}"', f"vendor: '{'x' * 31}' {NO_TEXT}"),
        (OURS, '"Toy"', '"Other"', "name: 'Other' is not the manifest's 'Toy'"),
        (
            OURS,
            'id = "toy"',
            'id = "Toy"',
            "id: 'Toy' is not a host name (1 to 63 small letters, digits and dashes)",
        ),
        (
            OURS,
            'id = "toy"',
            'id = "tool"',
            "id: the installer looks for 'tool.medium=' in image.cmdline of toy",
        ),
        (
            OURS,
            "TOY_DATA",
            "TOY_DATA2",
            "disk.data: 'TOY_DATA2' is not a partition's name (at most 15 of A-Z, 0-9 and _, no digit last)",
        ),
        (
            OURS,
            "TOY_CFG",
            "TOY_CONFIGURE",
            "medium.answers: 'TOY_CONFIGURE' is not a FAT label (at most 11 of A-Z, 0-9 and _)",
        ),
        (OURS, "port = 80", "port = 0", "service.port: 0: Input should be greater than or equal to 1"),
        (OURS, "#0a0B0c", "red", "colours.ground: 'red' is not a colour such as #0f151d"),
        (
            OURS,
            "TOY_PART",
            "TOY_DATA_PART",
            "disk: data, unfinished and EFI begin alike: then partitions are not told apart",
        ),
        (OURS, "port = 80", "", "service.port: this key is missing"),
        (
            OURS,
            'data = "TOY_DATA"',
            "",
            "disk.data: missing, and only a set of partitions (medium.payload) does without",
        ),
        (OURS, 'vendor = "Toy Makers"', "", "vendor: this key is missing"),
        (
            OURS,
            "least_data_mib = 64",
            "least_data_mib = 64\nefi_mib = 287",
            "disk.efi_mib: 287: Input should be greater than or equal to 288",
        ),
        (
            OURS,
            "least_data_mib = 64",
            "least_data_mib = 64\nefi_mib = 4097",
            "disk.efi_mib: 4097: Input should be less than or equal to 4096",
        ),
        (RECIPE, '"product.toml"', '"../../../x"', "image.product: '../../../x' leads out of the repository"),
    ],
)
def test_what_is_wrong(root: Path, file: str, old: str, new: str, said: str) -> None:
    path = root / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    assert mistakes(root)[:1] == [f"{file}: {said}"]


@pytest.mark.parametrize(
    ("table", "row", "said"),
    [
        ("texts", 'welcome = "Grüezi"', f"texts.welcome: 'Grüezi' {NO_SENTENCE}"),
        ("texts", f'done = "{"x" * 201}"', f"texts.done: '{'x' * 201}' {NO_SENTENCE}"),
        ("texts", 'support = ""', f"texts.support: '' {NO_SENTENCE}"),
        ("texts", 'other = "x"', "texts.other: unknown key"),
        ("look", 'logo = "it.png"', "look.logo: 'it.png' is not the name of a .bmp file"),
        ("look", 'font = "../it.psf"', "look.font: '../it.psf' is not the name of a .psf file"),
        ("look", 'logo = "it.bmp"', "look.logo: it.bmp cannot be read: No such file or directory"),
    ],
)
def test_texts_and_files_are_looked_at(root: Path, table: str, row: str, said: str) -> None:
    (root / OURS).write_text(f"{PRODUCT}\n[{table}]\n{row}\n")
    assert mistakes(root) == [f"{OURS}: {said}"]


@pytest.mark.parametrize(
    ("key", "data", "said"),
    [
        ("logo", look.logo(320, 120), None),
        ("logo", look.logo(321, 120), "has 321 by 120 pixels, not 1 by 1 to 320 by 120"),
        ("logo", look.logo(1, 121), "has 1 by 121 pixels, not 1 by 1 to 320 by 120"),
        ("logo", look.logo(0, 1), "has 0 by 1 pixels, not 1 by 1 to 320 by 120"),
        ("logo", look.logo(bits=32), "is a BMP picture of 32 bits a pixel, compression 0, not 24 and none"),
        ("logo", look.logo()[:-1], "ends before its last row"),
        ("logo", look.logo(colours=96 * 64 * 3 // 4), None),
        ("logo", look.logo(colours=96 * 64 * 3 // 4 + 1), "ends before the last of its 4609 colours"),
        ("logo", look.logo(header=124), None),
        (
            "logo",
            look.logo(header=64),
            "is a BMP picture with a DIB header of 64 bytes, not 40, 56, 108 or 124",
        ),
        ("logo", look.logo()[:20], "is not a BMP picture"),
        ("logo", b"\x89PNG" + bytes(99), "is not a BMP picture"),
        ("font", look.font(), None),
        ("font", look.font(width=16, height=32), None),
        ("font", look.font(width=17), "has glyphs of 17 by 16 pixels, not 6 by 10 to 16 by 32"),
        ("font", look.font(height=9), "has glyphs of 8 by 9 pixels, not 6 by 10 to 16 by 32"),
        ("font", look.font()[:20] + b"\x0f" + look.font()[21:], "has glyphs of 15 bytes, which take 16"),
        ("font", look.font(without="q"), "has no glyph for 'q'"),
        ("font", look.font(without="q") + b"q\xff", "has no glyph for 'q'"),
        ("font", look.font(unicode=False), "has no glyph for '_'"),
        ("font", look.font(unicode=False)[:-1], "ends before its last glyph"),
        ("font", b"\x36\x04" + bytes(99), "is not a PSF2 font"),
        ("font", look.font()[:31], "is not a PSF2 font"),
    ],
)
def test_logo_and_font_are_looked_at(root: Path, key: str, data: bytes, said: str | None) -> None:
    name = {"logo": "it.bmp", "font": "it.psf"}[key]
    (root / OURS).write_text(f'{PRODUCT}\n[look]\n{key} = "{name}"\n')
    (root / OURS).with_name(name).write_bytes(data)
    assert mistakes(root) == ([f"{OURS}: look.{key}: {name} {said}"] if said else [])


def test_images_carry_what_the_product_names_and_say_who_makes_it(root: Path) -> None:
    (root / OURS).write_text(f'{PRODUCT}\n[look]\nlogo = "it.bmp"\n')
    (root / OURS).with_name("it.bmp").write_bytes(look.logo())
    steps = {step.name: step for step in plan(load(root), "toy")}
    made = steps["initramfs:toy"]
    assert made.params["about"] == ("product.toml", "it.bmp")
    assert made.inputs["it.bmp"] == Source(root / "recipes/toy/it.bmp")
    assert 'VENDOR_NAME="Toy Makers"\n' in made.params["os_release"]


def test_the_payload_is_what_the_recipe_carries(root: Path) -> None:
    text = (root / RECIPE).read_text()
    (root / "recipes/inside").symlink_to("toy")
    inside = (
        text.partition("[iso]")[0].replace("toy.medium={volume_id}", "quiet").replace("Toy.efi", "Other.efi")
    )
    (root / "recipes/inside").unlink()
    (root / "recipes/inside").mkdir()
    for name in ("rootfs", "splash.bmp", "installer"):
        (root / "recipes/inside" / name).symlink_to(root / "recipes/toy" / name)
    (root / "recipes/inside/recipe.toml").write_text(inside.replace("product.toml", "../toy/product.toml"))
    (root / RECIPE).write_text(text.replace("[image]", '[image]\ncarries = "inside"'))
    assert mistakes(root) == [f"{OURS}: medium.payload: toy carries 'Other.efi', not 'Inside.efi'"]
    boot = '[boot]\nsystems = ["/system"]\ncmdline = []\nfolder = "Own"\n'
    (root / "recipes/inside/recipe.toml").write_text(
        inside.replace('product = "product.toml"', "").replace("[image]", f"{boot}[image]")
    )
    said = [
        f"{OURS}: medium.payload: toy carries 'partitions.json', not 'Inside.efi'",
        f"{OURS}: disk.folder: 'Own' is boot.folder of inside, not 'Toy'",
    ]
    assert [it for it in mistakes(root) if OURS in it] == said


def test_a_set_of_partitions_needs_no_service_settings_or_data(root: Path) -> None:
    about = root / OURS
    tables = PRODUCT.split("\n[")
    short = "\n[".join(it for it in tables if not it.startswith(("service]", "settings]")))
    short = short.replace('data = "TOY_DATA"\n', "").replace("\nleast_data_mib = 64", "")
    about.write_text(short)
    keys = "service, settings, disk.data, disk.least_data_mib"
    lacking = f"{OURS}: {keys}: missing, and only a set of partitions (medium.payload) does without"
    assert mistakes(root) == [lacking]
    about.write_text(short.replace("Inside.efi", "partitions.json"))
    assert mistakes(root) == []


def test_a_product_that_is_not_there(root: Path) -> None:
    (root / OURS).unlink()
    assert mistakes(root) == [f"{OURS}: no such file"]


def test_both_of_our_images_are_of_one_product() -> None:
    """A host is nobody's product, and an installer of partitions has one of its own."""
    project = load(ROOT)
    found = {product_of(ROOT, name, recipe) for name, recipe in project.recipes.items()}
    products = {ROOT / f"recipes/{name}/product.toml" for name in ("truthdb-installer", "store-installer")}
    assert found == products | {None}


@pytest.mark.parametrize(("place", "least"), [("pipeline", 300), ("programs", 300)])
def test_neither_the_pipeline_nor_a_program_knows_the_product(place: str, least: int) -> None:
    """Nor do the programs' tests, in name or content: the node apart, which is this product's own."""
    apart = {"__pycache__", "node", "target"}
    paths = [path for path in (ROOT / place).rglob("*") if not apart & {*path.relative_to(ROOT).parts}]
    files = [path for path in paths if path.is_file()]
    assert len(files) > least
    said = [
        path for path in files if "truthdb" in path.name.lower() or b"truthdb" in path.read_bytes().lower()
    ]
    assert said == []
