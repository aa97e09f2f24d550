"""What the maintainer scripts of Debian's packages make of their files, made without running one.

Sources: the postinst scripts of base-files, base-passwd, ca-certificates, debianutils, kmod, libc-bin,
libnss-systemd, libpam-runtime and passwd in Debian 13; update-ca-certificates(8), pwconv(8).
"""

import posixpath
import re
import shutil
import stat
from pathlib import Path

from pipeline.steps import root_pam
from pipeline.steps.root_files import Files, Meta, Run

SHADOW = 42
"""The group shadow's number, which is the same on every Debian (base-passwd, group.master)."""

MAIL = 8
"""The number of the group mail, as above."""

FOLDERS = {
    "mnt": (0o755, 0),
    "srv": (0o755, 0),
    "opt": (0o755, 0),
    "media": (0o755, 0),
    "etc/opt": (0o755, 0),
    "var/opt": (0o755, 0),
    "var/mail": (0o2775, MAIL),
    "usr/local/bin": (0o755, 0),
    "usr/local/etc": (0o755, 0),
    "usr/local/lib": (0o755, 0),
    "usr/local/sbin": (0o755, 0),
    "usr/local/share": (0o755, 0),
}
"""What base-files makes: modes, and groups."""

LINKS = {"var/run": "/run", "var/lock": "/run/lock", "var/spool/mail": "../mail"}

DEFAULTS = {
    "etc/profile": "usr/share/base-files/profile",
    "etc/motd": "usr/share/base-files/motd",
    "root/.profile": "usr/share/base-files/dot.profile",
    "root/.bashrc": "usr/share/base-files/dot.bashrc",
    "etc/inputrc": "usr/share/readline/inputrc",
}
"""Files that are made of what their packages have as their first contents."""

SWITCH = "usr/share/libc-bin/nsswitch.conf"
SHELLS = "usr/share/debianutils/shells"
MASTERS = "usr/share/base-passwd"
CERTIFICATES = ("usr/share/ca-certificates", "usr/local/share/ca-certificates")
UNINITIALIZED = "uninitialized"
BUNDLE = "etc/ssl/certs/ca-certificates.crt"
OS_RELEASE = "/etc/os-release"


def read(files: Files, name: str) -> str | None:
    """Return the text of a file, None where there is none."""
    meta = files.metas.get(name)
    return files.path(name).read_text(encoding="utf-8") if meta and stat.S_ISREG(meta.mode) else None


def base(files: Files, epoch: int) -> None:
    """Make what a Debian has before anybody configures it: folders, links, users, shells, name services."""
    for name, (mode, gid) in FOLDERS.items():
        files.add_folder(name, mode, 0, gid)
    for name, target in LINKS.items():
        if name in files.metas and not stat.S_ISLNK(files.metas[name].mode):
            _remove_folder(files, name)
        files.add_link(name, target, over=True)
    for name, source in DEFAULTS.items():
        if (text := read(files, source)) is not None and name not in files.metas:
            files.write(name, text)
    if "etc/modules-load.d/modules.conf" in files.metas and "etc/modules" not in files.metas:
        files.write("etc/modules", "")
    if (text := read(files, SHELLS)) is not None:
        files.write("etc/shells", _shells(files, text))
    if (text := read(files, SWITCH)) is not None:
        files.write("etc/nsswitch.conf", _switch(files, text))
    users(files, epoch)


def _remove_folder(files: Files, name: str) -> None:
    for each in reversed(files.below(name)):
        del files.metas[each]
    del files.metas[name]
    shutil.rmtree(files.path(name))


def _shells(files: Files, text: str) -> str:
    """Return /etc/shells: what packages say in shells.d, under both paths of a merged /usr."""
    lines = text.splitlines()
    for name in files.below(f"{SHELLS}.d"):
        for shell in (read(files, name) or "").split():
            lines += [shell.removeprefix("/usr"), f"/usr{shell.removeprefix('/usr')}"]
    return "".join(f"{line}\n" for line in dict.fromkeys(lines))


def _switch(files: Files, text: str) -> str:
    """Return nsswitch.conf(5), with users that systemd knows where its library for that is there."""
    if not any(posixpath.basename(name) == "libnss_systemd.so.2" for name in files.metas):
        return text
    return re.sub(r"^((?:passwd|group|shadow|gshadow):.*)$", r"\1 systemd", text, flags=re.MULTILINE)


def users(files: Files, epoch: int) -> None:
    """Make passwd(5), group(5) and their shadows of base-passwd's masters; passwords are locked."""
    for kind, shadow in (("passwd", "shadow"), ("group", "gshadow")):
        text = read(files, f"{MASTERS}/{kind}.master")
        if text is None:
            continue
        rows = [line.split(":") for line in text.splitlines() if line]
        aging = f"*:{epoch // 86400}:0:99999:7:::" if kind == "passwd" else "*::"
        files.write(f"etc/{kind}", "".join(":".join([name, "x", *rest]) + "\n" for name, _, *rest in rows))
        files.write(f"etc/{shadow}", "".join(f"{name}:{aging}\n" for name, *_ in rows), 0o640, SHADOW)


def identify(files: Files, image: str, version: str) -> None:
    """Have os-release(5) say which image this is, below what its distribution says; what a recipe says stays.

    systemd-sysupdate(8) takes from it which version runs, systemd-repart(8) what a new partition is called.
    """
    name = files.resolve(OS_RELEASE)
    text = read(files, name) if name else None
    if name is None or text is None:
        return
    said = {line.partition("=")[0] for line in text.splitlines()}
    wanted = {"IMAGE_ID": image, "IMAGE_VERSION": version}
    more = "".join(f"{key}={value}\n" for key, value in wanted.items() if key not in said)
    files.write(name, f"{text.rstrip()}\n{more}")


def pam(files: Files) -> None:
    """Make PAM's common files of their templates and profiles; what a recipe has of them stays."""
    profiles = {
        posixpath.basename(name): root_pam.read_profile(read(files, name) or "")
        for name in files.below("usr/share/pam-configs")
    }
    for kind in root_pam.KINDS:
        template = read(files, f"usr/share/pam/common-{kind}")
        if template is not None and f"etc/pam.d/common-{kind}" not in files.metas:
            text = root_pam.common(template, kind, root_pam.chosen(profiles))
            files.write(f"etc/pam.d/common-{kind}", text)


def certificates(files: Files, run: Run, work: Path) -> None:
    """Make the bundle of trusted certificates, and the links by which OpenSSL finds each.

    Those of the packages, and those of the recipe in /usr/local/share/ca-certificates.
    """
    found = [name for top in CERTIFICATES for name in files.below(top) if name.endswith(".crt")]
    if not found:
        return
    copies = work / "certificates"
    copies.mkdir()
    bundle, links = [], {}
    for name in found:
        text = (read(files, name) or "").rstrip("\n") + "\n"
        called = re.sub(r"[()]", "=", posixpath.basename(name).removesuffix(".crt").replace(" ", "_"))
        pem = f"{called.replace(',', '_')}.pem"
        bundle.append(text)
        links[pem] = f"/{name}"
        (copies / pem).write_text(text, encoding="utf-8")
    run(["openssl", "rehash", str(copies)])
    links |= {path.name: str(path.readlink()) for path in copies.iterdir() if path.is_symlink()}
    files.write(BUNDLE, "".join(bundle))
    for name, target in sorted(links.items()):
        files.add_link(f"etc/ssl/certs/{name}", target, over=True)
    listed = [name.removeprefix(f"{CERTIFICATES[0]}/") for name in found if name.startswith(CERTIFICATES[0])]
    files.write("etc/ca-certificates.conf", "".join(f"{name}\n" for name in listed))


def as_never_started(files: Files, epoch: int) -> None:
    """Leave nothing that tells of a machine, or of how this was made.

    machine-id(5): an empty file has systemd make an identity at each machine, and where it cannot be written
    mount one over it. `uninitialized`, which a recipe's own file may say, would have it run presets again and
    ask for a first boot's settings: both have been decided here.
    """
    for top in ("run", "tmp", "var/tmp", "dev"):
        for name in reversed(files.below(top)):
            if stat.S_ISDIR(files.metas.pop(name).mode):
                files.path(name).rmdir()
            else:
                files.path(name).unlink()
    for name in [*files.below("var/log"), *files.below("var/cache")]:
        if not stat.S_ISDIR(files.metas[name].mode):
            files.remove(name)
    for name in ("passwd-", "group-", "shadow-", "gshadow-", ".pwd.lock"):
        if f"etc/{name}" in files.metas:
            files.remove(f"etc/{name}")
    if (read(files, "etc/machine-id") or "").strip() != UNINITIALIZED:
        files.write("etc/machine-id", "", 0o444)
    # systemd-update-done.service(8): what systemd does after an update of /usr was done here
    for top in ("etc", "var"):
        files.write(f"{top}/.updated", f"TIMESTAMP_NSEC={epoch}000000000\n")
    for name, mode in (("tmp", 0o1777), ("var/tmp", 0o1777), ("run", 0o755), ("dev", 0o755)):
        files.add_folder(name)
        files.metas[name] = Meta(stat.S_IFDIR | mode)
