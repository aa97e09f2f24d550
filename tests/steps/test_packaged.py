from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.formats import cpio
from pipeline.steps import packaged
from tests.fixtures.elf import elf

LOADER = "/lib64/ld-linux-x86-64.so.2"
LIBRARIES = packaged.LIBRARIES


@pytest.fixture
def container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(packaged, "ROOT", tmp_path)
    return tmp_path


def put(container: Path, name: str, data: bytes, mode: int = 0o644) -> None:
    path = container / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(mode)


def test_a_program_comes_with_its_loader_and_the_libraries_of_its_libraries(container: Path) -> None:
    put(container, "usr/sbin/tool", elf(interpreter=LOADER, needed=("liba.so.1", "libc.so.6")), 0o755)
    put(container, f"{LIBRARIES}/liba.so.1", elf(needed=("libb.so.2", "libc.so.6")))
    put(container, f"{LIBRARIES}/libb.so.2", elf(needed=("libc.so.6",)))
    put(container, f"{LIBRARIES}/libc.so.6", elf(interpreter=LOADER, needed=("ld-linux-x86-64.so.2",)), 0o755)
    put(container, LOADER[1:], elf(), 0o755)
    put(container, "etc/tool.conf", b"plain")
    found = packaged.with_libraries([], ["/usr/sbin/tool", "/etc/tool.conf"])
    modes = {member.name: member.mode for member in found if isinstance(member, cpio.File)}
    assert modes == {
        "usr/sbin/tool": 0o755,
        "etc/tool.conf": 0o644,
        LOADER[1:]: 0o755,
        f"{LIBRARIES}/liba.so.1": 0o644,
        f"{LIBRARIES}/libb.so.2": 0o644,
        f"{LIBRARIES}/libc.so.6": 0o755,
    }


def test_a_program_of_the_recipe_comes_with_libraries_too(container: Path) -> None:
    put(container, f"{LIBRARIES}/libc.so.6", elf())
    program = cpio.File("bin/service", elf(needed=("libc.so.6",)), 0o755)
    assert [member.name for member in packaged.with_libraries([program], [])] == [
        "bin/service",
        f"{LIBRARIES}/libc.so.6",
    ]


def test_a_static_program_comes_alone(container: Path) -> None:
    program = cpio.File("bin/service", elf(), 0o755)
    assert packaged.with_libraries([program], []) == [program]


HINT = "name the Debian package that has it in containers/imager.toml, then run `./doit lock imager`"


def test_what_no_package_brings(container: Path) -> None:
    with pytest.raises(PipelineError) as caught:
        packaged.with_libraries([], ["/usr/sbin/tool"])
    assert caught.value.message == (
        "/usr/sbin/tool is not in the builder container (the recipe's packaged file /usr/sbin/tool)"
    )
    assert caught.value.hint == HINT
    program = cpio.File("bin/service", elf(needed=("libx.so",)), 0o755)
    with pytest.raises(PipelineError) as caught:
        packaged.with_libraries([program], [])
    path = f"/{LIBRARIES}/libx.so"
    assert caught.value.message == f"{path} is not in the builder container (/bin/service needs it: {path})"


def test_a_program_that_is_cut_off(container: Path) -> None:
    with pytest.raises(PipelineError) as caught:
        packaged.with_libraries([cpio.File("bin/service", elf()[:40], 0o755)], [])
    assert caught.value.message.startswith("/bin/service: ")
