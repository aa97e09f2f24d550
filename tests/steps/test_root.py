"""The step `root`, with tools that are played; `tests/plan/test_roots.py` has it run with the real ones."""

import stat
import tarfile
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import FormatError, PipelineError
from pipeline.steps import root, root_scripts
from pipeline.steps.root_files import Files, Meta
from tests.fixtures.context import Played, played
from tests.fixtures.deb import deb, folder, link

EPOCH = 1795219200
RECIPE = "recipes/toy/recipe.toml"
BASE = (
    folder("./"),
    folder("./etc"),
    folder("./run"),
    folder("./tmp", 0o1777),
    folder("./var"),
    folder("./var/run"),
    folder("./var/lock"),
    ("./usr/share/base-passwd/passwd.master", b"root:*:0:0:root:/root:/bin/bash\n"),
    ("./usr/share/base-passwd/group.master", b"root:*:0:\nshadow:*:42:\n"),
    ("./usr/share/debianutils/shells", b"# shells\n/bin/sh\n"),
    ("./usr/share/debianutils/shells.d/dash", b"/usr/bin/dash\n"),
    ("./usr/share/libc-bin/nsswitch.conf", b"passwd:  files\nhosts:  files dns\n"),
    ("./usr/share/doc/base/copyright", b"free\n"),
    ("./sbin/init", b"init", 0o755),
    ("./usr/bin/su", b"su", 0o4755),
    link("./usr/bin/sg", "usr/bin/su", hard=True),
    ("./usr/lib/systemd/system/a.service", b""),
    ("./usr/lib/systemd/system/getty@.service", b""),
    ("./var/cache/x/old", b""),
    ("./var/log/old", b""),
)


def context(where: Path, *more: object, rootfs: dict[str, str] | None = None, **params: Any) -> Played:
    (where / "in/packages").mkdir(parents=True)
    (where / "in/packages/base.deb").write_bytes(deb((*BASE, *more)))  # type: ignore[arg-type]
    for name, text in (rootfs or {}).items():
        path = where / "in/rootfs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if text.startswith("->"):
            path.symlink_to(text[2:])
        else:
            path.write_text(text)
    given: dict[str, Any] = {
        "recipe": RECIPE,
        "intent": "roots/toy.toml",
        "epoch": EPOCH,
        "architecture": "amd64",
        "links": {},
        "enable": (),
        "mask": (),
        "image": "toy",
        "version": "1.0",
    }
    return played(where, **given | params)


@pytest.fixture(autouse=True)
def _without_owners(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tools are played, so nobody asks fakeroot's daemon, which this machine need not have."""
    monkeypatch.setattr(Files, "run_as_root", lambda _files, run, _state, argv: run(argv))


def listed(path: Path) -> dict[str, str]:
    """Return mode, owners and target of each member."""
    with tarfile.open(path) as tar:
        assert {member.mtime for member in tar} == {EPOCH}
        names = tar.getnames()
        assert names == sorted(names, key=lambda name: name.split("/"))
        return {
            member.name: f"{oct(member.mode)[2:]} {member.uid}:{member.gid} {member.linkname}".rstrip()
            for member in tar
        }


def test_a_root_is_made(tmp_path: Path) -> None:
    ctx = context(
        tmp_path,
        rootfs={
            "etc/hostname": "toy\n",
            "etc/ld.so.conf": "",
            "usr/lib/modules/6.1/x.ko": "",
            "etc/l": "->/x",
        },
        links={"usr/bin/awk": "mawk"},
        enable=("a.service", "getty@tty2.service"),
        mask=("a.service",),
    )
    root.build(ctx)
    where = ctx.work / "root"
    skipped = [f"--exclude-prefix={path}" for path in root.LEFT_TO_BOOT]
    assert ctx.calls == [
        ["systemd-sysusers", f"--root={where}"],
        ["systemd-tmpfiles", f"--root={where}", "--create", "--boot", *skipped],
        ["systemctl", f"--root={where}", "preset-all"],
        ["systemctl", f"--root={where}", "enable", "a.service"],
        ["systemctl", f"--root={where}", "enable", "getty@tty2.service"],
        ["systemctl", f"--root={where}", "mask", "a.service"],
        ["ldconfig", "-X", "-r", str(where)],
        ["depmod", "-b", str(where), "6.1"],
    ]
    found = listed(ctx.out / root.TAR)
    expected = {
        "bin": "777 0:0 usr/bin",
        "etc/hostname": "644 0:0",
        "etc/l": "777 0:0 /x",
        "etc/machine-id": "444 0:0",
        "etc/shadow": "640 0:42",
        "run": "755 0:0",
        "tmp": "1777 0:0",
        "usr/bin/awk": "777 0:0 mawk",
        "usr/bin/sg": "4755 0:0",
        "usr/bin/su": "4755 0:0 usr/bin/sg",
        "usr/sbin/init": "755 0:0",
        "var/mail": "2775 0:8",
        "var/run": "777 0:0 /run",
    }
    assert {name: found.get(name) for name in expected} == expected
    assert not [
        name for name in found if name.startswith(("run/", "usr/share/doc", "var/log/", "var/cache/x/"))
    ]
    with tarfile.open(ctx.out / root.TAR) as tar:
        texts = {
            name: tar.extractfile(name)
            for name in ("etc/passwd", "etc/shadow", "etc/shells", "etc/nsswitch.conf")
        }
        assert {name: file.read().decode() for name, file in texts.items() if file} == {
            "etc/passwd": "root:x:0:0:root:/root:/bin/bash\n",
            "etc/shadow": "root:*:20778:0:99999:7:::\n",
            "etc/shells": "# shells\n/bin/sh\n/bin/dash\n/usr/bin/dash\n",
            "etc/nsswitch.conf": "passwd:  files\nhosts:  files dns\n",
        }


def test_modules_of_the_kernel_are_roots(tmp_path: Path) -> None:
    name = "usr/lib/modules/6.1/kernel/tun.ko"
    (tmp_path / "in").mkdir()
    with tarfile.open(tmp_path / "in" / root.MODULES_TAR, "w") as tar:
        info = tarfile.TarInfo(name)
        info.uid, info.mode = 1000, 0o600
        tar.addfile(info)
    ctx = context(tmp_path)
    root.build(ctx)
    assert listed(ctx.out / root.TAR)[name] == "644 0:0"
    assert ctx.calls[-1] == ["depmod", "-b", str(ctx.work / "root"), "6.1"]


def test_users_that_systemd_knows(tmp_path: Path) -> None:
    ctx = context(tmp_path, ("./usr/lib/x86_64-linux-gnu/libnss_systemd.so.2", b""))
    root.build(ctx)
    assert (ctx.work / "root/etc/nsswitch.conf").read_text() == "passwd:  files systemd\nhosts:  files dns\n"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"rootfs": {"usr/bin": "a file"}},
            f"{RECIPE}: root.rootfs: /usr/bin is a directory already, and cannot be a file, too",
        ),
        (
            {"rootfs": {"bin/x": ""}},
            f"{RECIPE}: root.rootfs: /bin is a link to usr/bin already, and cannot be a folder, too",
        ),
        (
            {"rootfs": {"usr/bin/su/x": ""}},
            f"{RECIPE}: root.rootfs: /usr/bin/su is a file already, and cannot be a folder, too",
        ),
        (
            {"enable": ("b.service",)},
            f"{RECIPE}: root.enable: there is no unit 'b.service' in the packages or rootfs",
        ),
        (
            {"mask": ("a.socket",)},
            f"{RECIPE}: root.mask: there is no unit 'a.socket' in the packages or rootfs",
        ),
        (
            {"rootfs": {"usr/sbin/init": "->nowhere"}},
            f"{RECIPE}: root.packages: no package of roots/toy.toml brings /sbin/init",
        ),
        ({"links": {"usr/bin/su": "x"}}, "roots/toy.toml: links: /usr/bin/su is there already"),
    ],
)
def test_a_mistake_is_told_with_its_key(tmp_path: Path, given: dict[str, object], message: str) -> None:
    ctx = context(tmp_path, **given)  # type: ignore[arg-type]
    with pytest.raises(PipelineError) as caught:
        root.build(ctx)
    assert (caught.value.message, bool(caught.value.hint)) == (message, True)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (
            "The unit files have no installation config (WantedBy=, …).",
            f"{RECIPE}: root.enable: a.service has no [Install] section, so that nothing would start it",
        ),
        (
            PipelineError(
                "systemctl failed with status 1:\nFailed to enable: File '/work/root/etc/x' exists"
            ),
            f"{RECIPE}: root.enable: a.service: Failed to enable: File '/work/root/etc/x' exists",
        ),
    ],
)
def test_a_unit_that_cannot_be_enabled(tmp_path: Path, said: str | PipelineError, message: str) -> None:
    def systemctl(argv: list[str], _: Path) -> str:
        if argv[2:] != ["enable", "a.service"]:
            return ""
        if isinstance(said, PipelineError):
            raise said
        return said

    ctx = context(tmp_path, enable=("a.service",))
    ctx.tool = systemctl
    with pytest.raises(PipelineError) as caught:
        root.build(ctx)
    assert (caught.value.message, bool(caught.value.hint)) == (message, True)


@pytest.mark.parametrize(
    ("member", "message"),
    [
        (("./usr/bin/su", b""), "base.deb: /usr/bin/su is there already"),
        (("./usr/bin/su/x", b""), "base.deb: /usr/bin/su is a file already, and cannot be a folder, too"),
        (folder("./usr/bin/su"), "base.deb: /usr/bin/su is a file already, and cannot be a folder, too"),
        (link("./x", "y", hard=True), "base.deb: /x is a hard link to /y, which is no file before it"),
    ],
)
def test_packages_that_do_not_go_together(tmp_path: Path, member: object, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        root.build(context(tmp_path, member))
    assert caught.value.message == message


def test_an_artifact_that_is_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/artifact").write_bytes(b"no tar")
    ctx = played(tmp_path, recipe="recipes/toy/recipe.toml", epoch=EPOCH, architecture="amd64")
    with pytest.raises(PipelineError, match=r"^recipes/toy/recipe\.toml: root\.artifact: tar: no archive"):
        root.build(ctx)


def test_the_bundle_of_certificates(tmp_path: Path) -> None:
    files = Files(tmp_path / "root")
    for name, text in (("b (x)", "B"), ("a", "A\n\n")):
        files.write(f"usr/share/ca-certificates/mozilla/{name}.crt", text)

    def run(argv: list[str], **_: object) -> str:
        (Path(argv[-1]) / "0123abcd.0").symlink_to("a.pem")
        return ""

    root_scripts.certificates(files, run, tmp_path)
    certs = tmp_path / "root/etc/ssl/certs"
    assert (certs / "ca-certificates.crt").read_text() == "A\nB\n"
    assert {path.name: str(path.readlink()) for path in certs.iterdir() if path.is_symlink()} == {
        "0123abcd.0": "a.pem",
        "a.pem": "/usr/share/ca-certificates/mozilla/a.crt",
        "b_=x=.pem": "/usr/share/ca-certificates/mozilla/b (x).crt",
    }
    assert (tmp_path / "root/etc/ca-certificates.conf").read_text() == "mozilla/a.crt\nmozilla/b (x).crt\n"


def test_what_tools_make_is_taken_in(tmp_path: Path) -> None:
    files = Files(tmp_path / "root")
    files.add_file("kept", b"", Meta(stat.S_IFREG | 0o4755, 1, 2, {"user.a": "1"}))
    files.write("replaced", "")
    files.write("gone", "")
    before = {name: (files.path(name).stat().st_dev, files.path(name).stat().st_ino) for name in files.metas}
    (tmp_path / "new").write_text("")
    (tmp_path / "new").rename(files.path("replaced"))
    files.path("gone").unlink()
    files.path("made").mkdir(mode=0o700)
    made = files.path("made").stat()
    files.look({(made.st_dev, made.st_ino): Meta(stat.S_IFDIR | 0o750, 7, 8)}, before)
    assert files.metas["kept"] == Meta(stat.S_IFREG | 0o4755, 1, 2, {"user.a": "1"})
    assert files.metas["made"] == Meta(stat.S_IFDIR | 0o750, 7, 8)
    assert sorted(files.metas) == ["kept", "made", "replaced"]
    files.pack(tmp_path / "x.tar", EPOCH)
    with tarfile.open(tmp_path / "x.tar") as tar:
        assert tar.getmember("kept").pax_headers == {"SCHILY.xattr.user.a": "1"}


@pytest.mark.parametrize(
    ("said", "more"),
    [
        ("ID=debian\n", "IMAGE_ID=toy\nIMAGE_VERSION=1.0\n"),
        ("ID=debian\nIMAGE_ID=mine", "IMAGE_VERSION=1.0\n"),
    ],
)
def test_it_says_which_image_it_is(tmp_path: Path, said: str, more: str) -> None:
    rootfs = {"usr/lib/os-release": said, "etc/os-release": "->../usr/lib/os-release"}
    ctx = context(tmp_path, rootfs=rootfs)
    root.build(ctx)
    assert (ctx.work / "root/usr/lib/os-release").read_text() == f"{said.strip()}\n{more}"
    assert (ctx.work / "root/etc/os-release").is_symlink()
