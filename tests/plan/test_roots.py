"""Root file systems in plans; and one that is made for real, by `./doit root:NAME`."""

import re
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.build.session import Session
from pipeline.checks.gate import Gate
from pipeline.cli.new import new
from pipeline.debian import lock
from pipeline.debian.lock import SetIntent
from pipeline.errors import ConfigError
from pipeline.plan.image import plan
from pipeline.plan.roots import root_steps
from pipeline.plan.step import LockedPackage, Pinned, Source, Step
from pipeline.project.checkout import Project, load
from pipeline.report import Report
from tests.conftest import ROOT
from tests.fixtures import checkout
from tests.products.test_acme import doit

ROOT_TABLE = """
[root]
packages = "bare"
rootfs = "rootfs"
enable = ["a.service"]
mask = ["b.timer"]
setuid = ["/usr/bin/su"]
"""


def with_root(root: Path, table: str = ROOT_TABLE) -> Path:
    """Write a checkout whose recipe has a root file system, its set, and the container that makes it."""
    checkout.write(root)
    recipe = root / "recipes/toy/recipe.toml"
    recipe.write_text(recipe.read_text() + table)
    intent = SetIntent("Bare.", ("systemd",), links={"usr/bin/b": "a"})
    (root / "roots/bare.toml").write_text(
        'summary = "Bare."\npackages = ["systemd"]\nlinks = { "usr/bin/b" = "a" }\n'
    )
    lock.write(checkout.set_lock_of("bare", intent), root / lock.path_of("bare"))
    tools = lock.Intent("Tools.", ("python3",))
    (root / "containers/root.toml").write_text('summary = "Tools."\npackages = ["python3"]\n')
    lock.write(checkout.lock_of("root", tools), root / lock.path_of("root"))
    return root


def root_step(project: Project) -> Step:
    (step,) = root_steps(project, "toy")
    return step


def test_a_root_is_a_step_before_the_image(tmp_path: Path) -> None:
    project = load(with_root(tmp_path))
    step = root_step(project)
    assert step in plan(project, "toy")
    assert step.name == "root:toy"
    assert {name: type(source) for name, source in step.inputs.items()} == {
        "packages/systemd.deb": LockedPackage,
        "rootfs": Source,
    }
    assert step.params == {
        "recipe": "recipes/toy/recipe.toml",
        "intent": "roots/bare.toml",
        "architecture": "amd64",
        "links": {"usr/bin/b": "a"},
        "enable": ("a.service",),
        "mask": ("b.timer",),
        "image": "toy",
        "version": "1.0",
        "epoch": checkout.EPOCH,
    }
    gate = step.checks["root.tar"]
    assert isinstance(gate, Gate)
    assert (gate.kind, gate.setuid, "appliance" in gate.policies) == ("root", ("/usr/bin/su",), False)


def test_a_recipe_without_a_root_has_no_such_step(tmp_path: Path) -> None:
    project = load(checkout.write(tmp_path))
    assert root_steps(project, "toy") == ()


def test_a_root_of_another_maker(tmp_path: Path) -> None:
    project = load(with_root(tmp_path, '\n[root]\nartifact = "a-program"\n'))
    step = root_step(project)
    assert {name: type(source) for name, source in step.inputs.items()} == {"artifact": Pinned}


@pytest.mark.parametrize(
    ("table", "mistake"),
    [
        ("", "root: needs one of packages and artifact"),
        ('packages = "bare"\nartifact = "a-program"\n', "root: needs one of packages and artifact"),
        (
            'artifact = "a-program"\nmask = ["a.service"]\n',
            "root: rootfs, enable, mask and modules go with packages: an artifact is finished",
        ),
        (
            'packages = "bare"\nmask = ["a.service"]\nenable = ["a.service"]\n',
            "root: 'a.service' is in enable and in mask",
        ),
        (
            'packages = "bare"\nmodules = ["tun"]\n',
            "root.modules: they are of kernel.package: other kernels are whole in themselves",
        ),
        ('packages = "x"\n', "root.packages: there is no roots/x.toml"),
        ('packages = "bare"\nrootfs = "x"\n', "root.rootfs: there is no recipes/toy/x"),
        (
            'artifact = "x"\n',
            "root.artifact: 'x' is not in manifests/manifest.toml (known artifacts: a-kernel, a-program)",
        ),
        (
            'packages = "bare"\nenable = ["sshd"]\n',
            "root.enable.0: 'sshd' is not a unit of systemd (sshd.service, getty@tty2.service)",
        ),
        (
            'packages = "bare"\nsetuid = ["su"]\n',
            "root.setuid.0: 'su' is not an absolute path (/usr/sbin/mke2fs)",
        ),
    ],
)
def test_what_is_wrong_with_the_table_of_a_root(tmp_path: Path, table: str, mistake: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(with_root(tmp_path, f"\n[root]\n{table}"))
    assert caught.value.mistakes == [f"recipes/toy/recipe.toml: {mistake}"]


def test_the_architecture_of_a_set_is_that_of_its_packages(tmp_path: Path) -> None:
    root = with_root(tmp_path)
    intent = SetIntent("Bare.", ("systemd",), essential=True, architecture="arm64")
    packages = (checkout.package("systemd", "arm64"),)
    wanted = replace(checkout.set_lock_of("bare", intent), packages=packages, architecture="arm64")
    (root / "roots/bare.toml").write_text(
        'summary = "Bare."\npackages = ["systemd"]\nessential = true\narchitecture = "arm64"\n'
    )
    lock.write(wanted, root / lock.path_of("bare"))
    assert root_step(load(root)).params["architecture"] == "arm64"
    lock.write(replace(wanted, packages=(checkout.package("systemd"),)), root / lock.path_of("bare"))
    with pytest.raises(ConfigError) as caught:
        load(root)
    assert caught.value.mistakes == [
        "manifests/bare.lock.json: packages: 'systemd' is for amd64, not for arm64"
    ]


SETUID = ["chage", "chfn", "chsh", "expiry", "gpasswd", "mount", "newgrp", "passwd", "su", "umount"]
REAL = f"""
[root]
packages = "bare"
rootfs = "root"
enable = ["toy.service", "getty@tty2.service"]
mask = ["fstrim.timer"]
setuid = [{", ".join(f'"/usr/bin/{name}"' for name in SETUID)}, "/usr/sbin/unix_chkpwd"]
"""
FILES = {
    "etc/hostname": "toy\n",
    "usr/lib/sysusers.d/toy.conf": 'u toy 900 "A toy" /var/lib/toy\n',
    "usr/lib/tmpfiles.d/toy.conf": "d /var/lib/toy 0750 toy toy\n",
    "usr/lib/systemd/system/toy.service": "[Service]\nExecStart=/bin/sleep 1\nUser=toy\n"
    "[Install]\nWantedBy=multi-user.target\n",
}


@pytest.mark.container
def test_a_root_of_debian_is_made_with_the_real_tools(tmp_path: Path) -> None:
    root = tmp_path / "toys"
    new(Session(ROOT, Report()), [str(root)], "Toys")
    name = "toys-runtime"
    recipe = root / f"recipes/{name}/recipe.toml"
    disks = re.compile(r"^formats = .*\n", re.MULTILINE)  # of what is a whole system without a root
    recipe.write_text(disks.sub("", recipe.read_text()) + REAL)
    for path, text in FILES.items():
        file = root / f"recipes/{name}/root/{path}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    ran = doit(root, f"root:{name}")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    made = root / f"artifacts/{name}/root.tar"
    with tarfile.open(made) as tar:
        members = {member.name: member for member in tar}
        passwd = tar.extractfile("etc/passwd")
        auth = tar.extractfile("etc/pam.d/common-auth")
        assert passwd
        assert b"\ntoy:x:900:900:A toy:/var/lib/toy:" in passwd.read()
        assert auth
        assert b"\nauth\t[success=1 default=ignore]\tpam_unix.so nullok\n" in auth.read()
    units = "etc/systemd/system"
    links = {
        f"{units}/multi-user.target.wants/toy.service": "/usr/lib/systemd/system/toy.service",
        f"{units}/getty.target.wants/getty@tty2.service": "/usr/lib/systemd/system/getty@.service",
        f"{units}/fstrim.timer": "/dev/null",
        "etc/mtab": "../proc/self/mounts",
        "var/run": "/run",
        "usr/bin/awk": "mawk",
    }
    assert {each: members[each].linkname for each in links} == links
    modes = {
        "usr/bin/su": (0o4755, 0, 0),
        "usr/bin/chage": (0o2755, 0, 42),
        "etc/shadow": (0o640, 0, 42),
        "var/lib/toy": (0o750, 900, 900),
        "tmp": (0o1777, 0, 0),
        "etc/machine-id": (0o444, 0, 0),
        "etc/ld.so.cache": (0o644, 0, 0),
    }
    found = {each: (members[each].mode, members[each].uid, members[each].gid) for each in modes}
    assert found == modes
    said = subprocess.run(["tar", "-tf", str(made)], capture_output=True, text=True, check=True).stdout
    assert len(said.splitlines()) == len(members)
