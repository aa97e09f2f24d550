"""What a recipe says of its product, and what of it contradicts what else is there."""

import re
from pathlib import Path

import pytest

from pipeline.errors import ConfigError
from pipeline.project.checkout import load
from pipeline.project.product import product_of
from tests.conftest import ROOT
from tests.fixtures import checkout

SAID: dict[str, dict[str, object]] = {
    "": {"name": "Toy", "id": "toy"},
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
        (OURS, '"Toy"', '"Töy"', "name: 'Töy' is not a plain text (letters, digits, blanks and . _ + ~ -)"),
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
        (RECIPE, '"product.toml"', '"../../../x"', "image.product: '../../../x' leads out of the repository"),
    ],
)
def test_what_is_wrong(root: Path, file: str, old: str, new: str, said: str) -> None:
    path = root / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    assert mistakes(root)[:1] == [f"{file}: {said}"]


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


def test_a_product_that_is_not_there(root: Path) -> None:
    (root / OURS).unlink()
    assert mistakes(root) == [f"{OURS}: there is no such file"]


def test_both_of_our_images_are_of_one_product() -> None:
    project = load(ROOT)
    found = {product_of(ROOT, name, recipe) for name, recipe in project.recipes.items()}
    assert found == {ROOT / "recipes/truthdb-installer/product.toml"}


def test_no_program_knows_the_product() -> None:
    """The node apart, which is this product's own, and what stands behind `cfg(test)`."""
    sources = [
        path
        for program in ("appliance", "common", "installer")
        for path in (ROOT / "programs" / program / "src").rglob("*.rs")
        if path.name != "tests.rs"
    ]
    assert len(sources) > 100
    tests = re.compile(r"#\[cfg\(test\)\]\n(?:pub\(crate\) )?mod tests \{")
    said = {str(path): tests.split(path.read_text(encoding="utf-8"))[0].lower() for path in sources}
    assert [path for path, text in said.items() if "truthdb" in text] == []
