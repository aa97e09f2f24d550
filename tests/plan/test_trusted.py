"""What `[trust]` adds to a plan: room, attached signatures, shim, keys; and nothing to other plans."""

from pathlib import Path

import pytest

from pipeline.errors import ConfigError
from pipeline.plan.image import plan
from pipeline.plan.step import Output, Source, Step
from pipeline.project.checkout import load
from tests.fixtures import checkout
from tests.fixtures.trust import with_trust


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return checkout.write(tmp_path)


def steps_of(root: Path) -> dict[str, Step]:
    return {step.name: step for step in plan(load(root), "toy")}


def made_by(step: Step, name: str) -> str:
    source = step.inputs[name]
    return f"{source.step.name}/{source.name}" if isinstance(source, Output) else ""


def test_without_trust_nothing_is_attached(root: Path) -> None:
    assert not {"attach:toy", "shim:toy"} & set(steps_of(root))


def test_the_medium_gets_what_was_attached_and_keys(root: Path) -> None:
    steps = steps_of(with_trust(root))
    assert steps["uki:toy"].outputs == ("Toy.unsigned.efi", "cmdline.txt")
    assert steps["uki:toy"].inputs["pcr.pem"] == Source(root / "recipes/keys/pcr.pem")
    assert made_by(steps["attach:toy"], "unsigned.efi") == "uki:toy/Toy.unsigned.efi"
    assert made_by(steps["efi-img:toy"], "BOOTX64.EFI") == "attach:toy/Toy.efi"
    assert steps["efi-img:toy"].inputs["keys"] == Source(root / "recipes/keys")


def test_signatures_are_an_input_as_soon_as_they_are_there(root: Path) -> None:
    with_trust(root, shim=True)
    file = root / "recipes/toy/signatures.json"
    for name in ("attach:toy", "shim:toy"):
        assert "signatures.json" not in steps_of(root)[name].inputs
    file.touch()
    for name in ("attach:toy", "shim:toy"):
        assert steps_of(root)[name].inputs["signatures.json"] == Source(file)


@pytest.mark.parametrize(("shim", "said"), [(False, "firmware trusts the vendor"), (True, "started by shim")])
def test_the_medium_s_text_says_how_it_starts_with_secure_boot(root: Path, shim: bool, said: str) -> None:
    assert "Secure Boot" not in steps_of(root)["iso:toy"].params["readme"]
    text = steps_of(with_trust(root, shim=shim))["iso:toy"].params["readme"]
    assert said in text
    assert text.isascii()


def test_shim_comes_first_on_the_medium(root: Path) -> None:
    medium = steps_of(with_trust(root, shim=True))["efi-img:toy"]
    assert made_by(medium, "BOOTX64.EFI") == "shim:toy/shimx64.efi"
    assert made_by(medium, "besides/EFI/BOOT/grubx64.efi") == "attach:toy/Toy.efi"
    assert made_by(medium, "besides/EFI/BOOT/mmx64.efi") == "shim:toy/mmx64.efi"


def test_the_installer_has_shim_and_keys_beside_what_it_installs(root: Path) -> None:
    carried = root / "recipes/inside/recipe.toml"
    carried.parent.mkdir()
    text = (root / "recipes/toy/recipe.toml").read_text()
    carried.write_text(text.replace('"Toy.efi"', '"Inside.efi"').replace('[iso]\nvolume_id = "TOY"\n', ""))
    for name in ("rootfs", "splash.bmp", "installer"):
        carried.write_text(carried.read_text().replace(f'"{name}"', f'"../toy/{name}"'))
    with_trust(root, shim=True)
    recipe = root / "recipes/toy/recipe.toml"
    recipe.write_text(recipe.read_text().replace("[image]\n", '[image]\ncarries = "inside"\n'))
    with pytest.raises(ConfigError) as caught:
        load(root)
    assert caught.value.mistakes == [
        "recipes/toy/recipe.toml: trust: 'inside', which it carries, has no [trust]: what it installs would "
        "not start with Secure Boot"
    ]
    carried.write_text(carried.read_text() + '[trust]\nkeys = "../keys"\n')
    packed = steps_of(root)["initramfs:toy"]
    assert made_by(packed, "payload") == "attach:inside/Inside.efi"
    assert made_by(packed, "besides/shimx64.efi") == "shim:toy/shimx64.efi"
    assert packed.inputs["secure-boot"] == Source(root / "recipes/keys")


def test_the_generation_reaches_the_uki(root: Path) -> None:
    assert steps_of(root)["uki:toy"].params["sbat"] == "toy,1,Toy,Toy,1.0,-\n"
    recipe = root / "recipes/toy/recipe.toml"
    recipe.write_text(recipe.read_text().replace("[image]\n", "[image]\nsbat = 2\n"))
    assert steps_of(root)["uki:toy"].params["sbat"] == "toy,2,Toy,Toy,1.0,-\n"


def spoil(root: Path, file: str, data: bytes | None) -> None:
    path = root / "recipes/keys" / file
    if data is None:
        path.unlink()
    else:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)


PRIVATE = b"-----BEGIN PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("file", "data", "mistake"),
    [
        ("pcr.pem", None, "recipes/keys has no pcr.pem: name the folder `public` of `./doit keys new`"),
        ("KEK.esl", None, "recipes/keys has no KEK.esl: name the folder `public` of `./doit keys new`"),
        ("db.pem", None, "recipes/keys has no db*.pem: name the folder `public` of `./doit keys new`"),
        (
            "pcr.pem",
            b"",
            "recipes/keys/pcr.pem is no public key in PEM: copy the one that `./doit keys new` made",
        ),
        (
            "db.key",
            PRIVATE,
            "recipes/keys/db.key is a private key, and media get what is in that folder: move it out",
        ),
        (
            "old/db.pem",
            b"a note\n-----BEGIN RSA PRIVATE KEY-----\n",
            "recipes/keys/old/db.pem is a private key, and media get what is in that folder: move it out",
        ),
        (
            "db.cer",
            bytes.fromhex("308204bd020100300d0609"),
            "recipes/keys/db.cer is a private key, and media get what is in that folder: move it out",
        ),
    ],
)
def test_mistakes_in_the_folder_of_keys(root: Path, file: str, data: bytes | None, mistake: str) -> None:
    spoil(with_trust(root), file, data)
    with pytest.raises(ConfigError) as caught:
        load(root)
    assert caught.value.mistakes == [f"recipes/toy/recipe.toml: trust.keys: {mistake}"]


def test_a_certificate_is_no_private_key(root: Path) -> None:
    spoil(with_trust(root), "db.cer", bytes.fromhex("3082032d30820215a0030201"))
    assert "attach:toy" in steps_of(root)


def test_a_folder_that_is_not_there_and_a_set_that_is_not(root: Path) -> None:
    recipe = root / "recipes/toy/recipe.toml"
    recipe.write_text(recipe.read_text() + '[trust]\nkeys = "../none"\nshim = "shim"\n')
    with pytest.raises(ConfigError) as caught:
        load(root)
    assert sorted(caught.value.mistakes) == [
        "recipes/toy/recipe.toml: trust.keys: there is no folder recipes/none: `./doit keys new` makes one, "
        "with all keys",
        "recipes/toy/recipe.toml: trust.shim: there is no roots/shim.toml",
    ]


@pytest.mark.parametrize("generation", ["0", "65536", '"1"'])
def test_no_generation(root: Path, generation: str) -> None:
    recipe = root / "recipes/toy/recipe.toml"
    recipe.write_text(recipe.read_text().replace("[image]\n", f"[image]\nsbat = {generation}\n"))
    with pytest.raises(ConfigError) as caught:
        load(root)
    assert "recipes/toy/recipe.toml: image.sbat" in caught.value.mistakes[0]
