"""Who logs in at the serial console, and how.

No password is in the image: users, and who may log in, come with systemd's credentials, which firmware hands
over as OEM strings of SMBIOS (systemd.system-credentials(7)).
"""

from pipeline.boot.shell import PATIENCE, ROOT, Shell, plain_shell, with_credentials
from pipeline.boot.stories import Lab
from pipeline.vm.machine import Disk, Machine
from pipeline.vm.session import Session

USER, STRANGER = "tester", "stranger"
"""One whom the daemon serves, and one whom it does not."""

PASSWORD = "nix"  # noqa: S105
HASH = "$6$nixhost$05HBJ3le6QgYX5SGUWShjmCbZyybyfy9px.yRN8rST2MxMMwZilpZqhX2THBwRubMPkTfSi54mg5YyIaTWHbe/"
USERS = f"""\
u {USER} 1000 "Tester" /var/home/{USER} /bin/bash
m {USER} nix-users
m {USER} systemd-journal
u {STRANGER} 1001 "Stranger" /var/home/{STRANGER} /bin/bash
"""
HOMES = "".join(f"d /var/home/{user} 0700 {user} {user} -\n" for user in (USER, STRANGER))
CREDENTIALS = {
    "sysusers.extra": USERS,
    "tmpfiles.extra": HOMES,
    f"passwd.hashed-password.{USER}": HASH,
    f"passwd.hashed-password.{STRANGER}": HASH,
    **ROOT,
}
"""For a first boot: two users, and a console that is root's without a password."""

PROMPT = "'nix-host login: '"
"""What the time of the login prompt is called."""


def machine(lab: Lab, disk: Disk, *, is_new: bool) -> Machine:
    """Return a machine with a disk; a new one has credentials."""
    made = lab.machine(disk)
    return with_credentials(lab, made, CREDENTIALS) if is_new else made


async def log_in(vm: Session, user: str) -> Shell:
    """Log in with the password, and return the shell."""
    await vm.hear("nix-host login: ", timeout=PATIENCE)
    await vm.write(f"{user}\n".encode())
    await vm.hear("Password: ", PATIENCE)
    await vm.write(f"{PASSWORD}\n".encode())
    return await plain_shell(vm, "$ ")
