"""How our settings for cargo join a crate's own, and which of those are refused."""

import json
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.steps import cargo_config

TRIPLE = "x86_64-unknown-linux-musl"
MUSL = f"[target.{TRIPLE}]\n"


def flags(top: Path, texts: dict[str, str]) -> list[str]:
    """Write configurations below `top`; return the flags that cargo is given in `top`/ws/crate."""
    for name, text in texts.items():
        path = top / name / ".cargo/config.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    files = cargo_config.files_of(top / "ws/crate", top)
    option, setting = cargo_config.arguments(files, top, ["-Cours"])
    place, _, value = setting.rpartition("=")
    assert (option, place) == ("--config", "target.'cfg(all(target_env = \"musl\"))'.rustflags")
    found: list[str] = json.loads(value)
    return found


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ({}, ["-Cours"]),
        ({"elsewhere": '[build]\nrustc = "gone"\n'}, ["-Cours"]),
        ({"ws/crate": f'[build]\ntarget = "{TRIPLE}"\n{MUSL}linker = "musl-gcc"\n'}, ["-Cours"]),
        ({"ws/crate": '[build]\nrustflags = "-Ca  -Cb"\n'}, ["-Ca", "-Cb", "-Cours"]),
        (
            {"ws": '[build]\nrustflags = ["-Ca"]\n', "ws/crate": '[build]\nrustflags = ["-Cb"]\n'},
            ["-Ca", "-Cb", "-Cours"],
        ),
        # cargo itself takes the flags of a target from where they stand, and then none of build's
        ({"ws/crate": f'{MUSL}rustflags = ["-Ca"]\n[build]\nrustflags = ["-Cb"]\n'}, ["-Cours"]),
        # no flags are none: those of build count
        ({"ws/crate": f'{MUSL}rustflags = []\n[build]\nrustflags = ["-Cb"]\n'}, ["-Cb", "-Cours"]),
        (
            {"ws": "[target.'cfg(unix)']\nrustflags = []\n", "ws/crate": "[build]\nrustflags = '-Cb'\n"},
            ["-Cb", "-Cours"],
        ),
        (
            {"ws": "[target.'cfg(unix)']\nrustflags = '-Ca'\n", "ws/crate": f"{MUSL}rustflags = '-Cb'\n"},
            ["-Cours"],
        ),
        (
            {"ws/crate": "[target.aarch64-apple-darwin]\nlinker = 'lld'\nrustflags = '-Clinker=x'\n"},
            ["-Cours"],
        ),
    ],
)
def test_flags_of_the_crate_stay(tmp_path: Path, texts: dict[str, str], expected: list[str]) -> None:
    assert flags(tmp_path, texts) == expected


STATIC = "rustflags: programs are linked by musl-gcc here, and static"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '\n[build]\ntarget = "wasm32-wasip1"\n',
            f"3: 'wasm32-wasip1' in build.target: programs are built for {TRIPLE}",
        ),
        (
            f'[build]\ntarget = ["{TRIPLE}",\n"i686-unknown-linux-musl"]\n',
            f"3: 'i686-unknown-linux-musl' in build.target: programs are built for {TRIPLE}",
        ),
        (
            '[build]\nrustc-wrapper = "sccache"\n',
            "2: 'sccache' in build.rustc-wrapper: programs are compiled by the container's rustc",
        ),
        (
            f'{MUSL}linker = "rust-lld"\n',
            f"2: 'rust-lld' in target.{TRIPLE}.linker: programs are linked by musl-gcc",
        ),
        (f'{MUSL}rustflags = ["-C", "linker=cc"]\n', f"2: 'linker=cc' in {STATIC}"),
        (
            "[target.'cfg(unix)']\nrustflags = '-Ctarget-feature=-crt-static'\n",
            f"2: '-Ctarget-feature=-crt-static' in {STATIC}",
        ),
        ('[build]\nrustflags = ["-Clink-arg=-fuse-ld=mold"]\n', f"2: '-Clink-arg=-fuse-ld=mold' in {STATIC}"),
        (
            "[build]\nrustflags = '-Ca'\n[target.'cfg(unix)']\nrustflags = '-Cb'\n",
            "3: 'cfg(unix)' in target: with its rustflags, those of build count only where it does not hold",
        ),
        ("[build\n", " Expected ']' at the end of a table declaration (at line 1, column 7)"),
    ],
)
def test_what_contradicts_this_build_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(PipelineError) as caught:
        flags(tmp_path, {"ws/crate": text})
    assert caught.value.message == f"ws/crate/.cargo/config.toml:{said}"


def test_conditions_and_build_are_refused_from_two_files_too(tmp_path: Path) -> None:
    both = {
        "ws": "\n[target.'cfg(windows)']\nrustflags = '-Ca'\n",
        "ws/crate": "[build]\nrustflags = '-Cb'\n",
    }
    with pytest.raises(PipelineError) as caught:
        flags(tmp_path, both)
    assert caught.value.message.startswith("ws/.cargo/config.toml:2: 'cfg(windows)' in target: ")
    assert caught.value.hint == "write all rustflags below [build], or all below conditions"


@pytest.mark.parametrize("names", [(cargo_config.OLD,), (cargo_config.FILE, cargo_config.OLD)])
def test_a_configuration_by_its_old_name_is_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    for name in names:
        (tmp_path / "ws" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "ws" / name).touch()
    with pytest.raises(PipelineError) as caught:
        cargo_config.files_of(tmp_path / "ws/crate", tmp_path)
    assert caught.value.message.startswith("ws/.cargo/config: ")
    assert caught.value.hint == "call it .cargo/config.toml"
