"""Crates of every kind, as people have them, built with the real tools and started."""

import json
import platform
import subprocess
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from elftools.elf.elffile import ELFFile

from pipeline.build.session import Session
from pipeline.checks.finding import Severity
from pipeline.checks.gate import Gate
from pipeline.steps import archive, rust
from tests.conftest import lacking
from tests.fixtures.workshop import Content, Workshop

pytestmark = pytest.mark.container

PACKAGE = '[package]\nname = "toy"\nversion = "0.1.0"\nedition = "2024"\n'
HELLO = 'fn main() { println!("hello"); }\n'
UNWINDS = """\
struct Noisy;
impl Drop for Noisy {
    fn drop(&mut self) { println!("dropped"); }
}
fn main() {
    std::panic::set_hook(Box::new(|_| ()));
    let result = std::panic::catch_unwind(|| {
        let _noisy = Noisy;
        let zero = std::env::args().count() - 1;
        1 / zero
    });
    println!("{}", if result.is_err() { "caught" } else { "went on" });
}
"""
PUBLIC_CONFIG = """\
[build]
# Default to musl target for static linking
target = "x86_64-unknown-linux-musl"

[target.x86_64-unknown-linux-musl]
rustflags = ["-C", "target-feature=+crt-static"]
"""
REGISTRY = 'source = "registry+https://github.com/rust-lang/crates.io-index"\n'
CC_LOCK = f"""\
version = 4
[[package]]
name = "cc"
version = "1.2.30"
{REGISTRY}checksum = "deec109607ca693028562ed836a5f1c4b8bd77755c4e132fc5ce11b0b6211ae7"
dependencies = ["shlex"]
[[package]]
name = "shlex"
version = "1.3.0"
{REGISTRY}checksum = "0fda2ff0d084019ba4d7c6f371c95d8fd75ce3524c3cb8fb653a3023f6323e64"
[[package]]
name = "toy"
version = "0.1.0"
dependencies = ["cc"]
"""


def lock(*packages: str) -> str:
    """Return a Cargo.lock of crates that are all there; each is a name, and what it depends on."""
    text = "version = 4\n"
    for name, *needs in (package.split() for package in packages):
        wanted = ", ".join(f'"{each}"' for each in needs)
        text += f'[[package]]\nname = "{name}"\nversion = "0.1.0"\n' + f"dependencies = [{wanted}]\n" * bool(
            needs
        )
    return text


@dataclass(frozen=True)
class Crate:
    """A crate `folder` below `files`, which are paths to texts; its program says `says`."""

    files: dict[str, str]
    says: str
    folder: str = "toy"
    binary: str = "toy"
    compiled: tuple[str, ...] = ("toy",)


def toy(more: str = "", main: str = HELLO, says: str = "hello\n", **files: str) -> Crate:
    """Return a crate of one program; `more` belongs to its Cargo.toml."""
    own = {"Cargo.toml": PACKAGE + more, "Cargo.lock": lock("toy"), "src/main.rs": main}
    return Crate({f"toy/{name}": text for name, text in (own | files).items()}, says)


CRATES = {
    "as-published": toy(
        '[profile.release]\nopt-level = "z"\nlto = true\ncodegen-units = 1\nstrip = true\npanic = "abort"\n',
        **{".cargo/config.toml": PUBLIC_CONFIG},
    ),
    "thin-lto-that-unwinds": toy('[profile.release]\nlto = "thin"\n', UNWINDS, "dropped\ncaught\n"),
    "fat-lto-that-unwinds": toy(
        '[profile.release]\nlto = "fat"\npanic = "unwind"\n', UNWINDS, "dropped\ncaught\n"
    ),
    "no-lto-with-symbols": toy(
        '[profile.release]\nlto = "off"\nopt-level = 3\ndebug = true\nstrip = "none"\n'
    ),
    "optimised-by-its-configuration": toy(
        **{
            ".cargo/config.toml": '[profile.release]\nlto = true\n[build]\nrustflags = "--cfg fast"\n',
            "src/main.rs": 'fn main() { println!("{}", if cfg!(fast) { "fast" } else { "slow" }); }\n',
        },
        says="fast\n",
    ),
    "c-by-a-build-script": replace(
        toy(
            'build = "make.rs"\n[build-dependencies]\ncc = "1"\n[profile.release]\nlto = true\n',
            'unsafe extern "C" { fn answer() -> i32; }\nfn main() { println!("{}", unsafe { answer() }); }\n',
            "42\n",
            **{
                "Cargo.lock": CC_LOCK,
                "make.rs": 'fn main() { cc::Build::new().file("answer.c").compile("answer"); }\n',
                "answer.c": "#include <stdlib.h>\nint answer(void) { return abs(-42); }\n",
            },
        ),
        compiled=("cc build", "shlex build", "toy"),
    ),
    "a-member-of-a-workspace": Crate(
        {
            "ws/Cargo.toml": '[workspace]\nmembers = ["crates/*"]\n[profile.release]\nlto = true\n',
            "ws/Cargo.lock": lock("toy words", "words shout", "shout"),
            "ws/.cargo/config.toml": "[target.'cfg(unix)']\nrustflags = ['--cfg', 'polite']\n",
            "ws/crates/toy/Cargo.toml": PACKAGE
            + '[dependencies]\nwords = { path = "../words" }\n[[bin]]\nname = "speak"\n',
            "ws/crates/toy/src/bin/speak.rs": "fn main() { words::say(); }\n",
            "ws/crates/words/Cargo.toml": PACKAGE.replace("toy", "words")
            + '[dependencies]\nshout = { path = "../shout" }\n',
            "ws/crates/words/src/lib.rs": "shout::shout!();\n",
            "ws/crates/shout/Cargo.toml": PACKAGE.replace("toy", "shout") + "[lib]\nproc-macro = true\n",
            "ws/crates/shout/src/lib.rs": "use proc_macro::TokenStream;\n"
            "#[proc_macro]\npub fn shout(_: TokenStream) -> TokenStream {\n"
            '    let text = r#"pub fn say() { println!("{}", cfg!(polite)) }"#;\n'
            "    text.parse().unwrap()\n}\n",
        },
        "true\n",
        "ws/crates/toy",
        "speak",
        ("shout build", "toy", "words"),
    ),
}


@pytest.fixture(scope="module")
def sysroot(session: Session) -> Path:
    """The standard library, as the last build made it."""
    step = next(step for image in session.images.values() for step in image if step.name == "rust-std")
    result = session.builder.result(step)
    path = session.store.find(result.outputs["sysroot.tar"]) if result else None
    return path or lacking("the standard library has not been built: run `./doit iso`")


def write(files: dict[str, str], folder: Path) -> Iterator[tuple[str, Path]]:
    """Write files below `folder`; yield their paths, relative and absolute."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        yield name, path


def compiled_from(program: Path) -> tuple[str, ...]:
    """Return the packages that a program says it is compiled from, with the kind of each."""
    with program.open("rb") as file:
        section = ELFFile(file).get_section_by_name(".dep-v0")
        assert section is not None
        packages = json.loads(zlib.decompress(section.data()))["packages"]
    return tuple(" ".join(filter(None, (each["name"], each.get("kind")))) for each in packages)


@pytest.mark.parametrize("crate", CRATES.values(), ids=CRATES)
def test_a_crate_becomes_a_static_program(
    workshop: Workshop, sysroot: Path, tmp_path: Path, crate: Crate
) -> None:
    sources = dict(write(crate.files, tmp_path / "repository"))
    described = {
        name: path.read_bytes() for name, path in sources.items() if not name.endswith((".rs", ".c"))
    }
    params: dict[str, Any] = {
        "workspace": crate.folder.partition("/")[0],
        "crates": [crate.folder],
        "crate": crate.folder,
        "binary": crate.binary,
        "program": "made",
    }
    inputs: dict[str, Content] = {"manifests": described, "sysroot.tar": sysroot}
    online = replace(workshop, network=True)
    out, said = online.run("rust", rust.fetch_crates, {"manifests": described}, **params)
    assert (out / "crates.tar").is_file(), said
    inputs["crates.tar"] = out / "crates.tar"
    out, said = workshop.run("rust", rust.dependencies, inputs, **params)
    assert (out / "crates.tar").is_file(), said
    inputs |= {"crates.tar": out / "crates.tar", "target.tar": out / f"target/{crate.folder}.tar"}
    inputs |= {"sources": tmp_path / "repository"}
    out, said = workshop.run("rust", rust.program, inputs, **params)
    assert (out / "made").is_file(), said
    found = Gate("elf")(out / "made")
    assert [finding.message for finding in found if finding.severity is Severity.ERROR] == []
    assert "Building [" not in said
    assert compiled_from(out / "made") == crate.compiled
    if platform.machine() == "x86_64":
        (out / "made").chmod(0o755)
        ran = subprocess.run([out / "made"], capture_output=True, text=True, check=False)
        assert (ran.returncode, ran.stdout) == (0, crate.says)


def test_a_crate_that_does_not_compile_is_quoted_without_progress_bars(
    workshop: Workshop, sysroot: Path
) -> None:
    broken = toy(main="fn main() { wrong() }\n")
    files = {name.removeprefix("toy/"): text.encode() for name, text in broken.files.items()}
    sources = {f"toy/{name}": data for name, data in files.items()}
    manifests = {name: data for name, data in sources.items() if not name.endswith(".rs")}
    inputs: dict[str, Content] = {"sources": sources, "manifests": manifests}
    empty = workshop.folder / "empty.tar"
    archive.pack(workshop.folder, empty, 0)
    inputs |= {"sysroot.tar": sysroot, "crates.tar": empty, "target.tar": empty}
    _, said = workshop.run("rust", rust.program, inputs, crate="toy", binary="toy", program="toy")
    assert "cannot find function `wrong`" in said
    assert "Building [" not in said
    assert "\r" not in said
