"""What must hold of a host that runs, as one sees it from its shell."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.boot.shell import Shell
from pipeline.boot.stories import must
from proofs.console import STRANGER

BUILDERS = range(1, 11)
FIRST_BUILDER = 30000
GROUP = 30000
KINDS = "service,socket,mount,automount,swap,path,timer,target,device,slice"
HEX_DIGITS = 32  # of a machine's ID
STORE = "/nix/store/"
BUILD = (
    "nix build --offline --no-link --print-out-paths --expr "
    '\'derivation { name = "own"; system = "x86_64-linux"; builder = "/bin/sh"; '
    'args = [ "-c" "echo $(</proc/self/uid_map) > $out" ]; }\''
)
FLAKE = "nix build --offline --no-link --print-out-paths example"


async def is_read_only_and_verified(shell: Shell) -> None:
    """The root is a device of dm-verity that nobody writes to; what changes in /etc is in /var."""
    await shell.fails("touch /usr/x", "Read-only file system")
    await shell.fails("touch /x", "Read-only file system")
    mounts = dict(line.split()[1::-1] for line in (await shell.says("cat /proc/mounts")).splitlines())
    must(mounts["/"].startswith("/dev/dm-"), f"/ is {mounts['/']}")
    uuid = await shell.says(f"cat /sys/class/block/{mounts['/'].removeprefix('/dev/')}/dm/uuid")
    must(uuid.startswith("CRYPT-VERITY-"), f"the root's device is {uuid}")
    must(mounts["/nix"] == mounts["/var"] == mounts["/root"], f"/nix is {mounts['/nix']}")
    must(await shell.says("findmnt -no FSTYPE /etc") == "overlay", "/etc is no overlay")
    await shell.says("touch /etc/x && rm /etc/x && ! test -e /etc/x")


async def has_started(shell: Shell) -> None:
    """No unit failed, the socket is there, and the users who build are those of the recipe.

    A scope is somebody's session, which ends as failed where a busy machine takes longer than login(1) waits.
    """
    await shell.run("systemctl is-system-running --wait")
    failed = await shell.says(f"systemctl --failed --no-legend --plain --type={KINDS}")
    must(not failed, f"units failed: {failed}")
    must(await shell.says("systemctl is-active nix-daemon.socket") == "active", "the socket is not active")
    for number in BUILDERS:
        entry = (await shell.says(f"getent passwd nixbld{number}")).split(":")
        must(entry[2:4] == [str(FIRST_BUILDER + number), str(GROUP)], f"nixbld{number} is {entry}")
    members = set((await shell.says("getent group nixbld")).rpartition(":")[2].split(","))
    must(members == {f"nixbld{number}" for number in BUILDERS}, f"in nixbld are {members}")


async def builds(shell: Shell) -> tuple[str, str]:
    """Build, as a user, a derivation and a flake without a network; return both outputs."""
    made = [await shell.ends(command) for command in (BUILD, FLAKE)]
    for path in made:
        must(path.startswith(STORE), f"what was built is {path!r}")
        about = await shell.says(f"stat -c '%U:%G %a %Y' {path}")
        must(about == "root:root 444 1", f"{path} is {about}")
    users = (await shell.says(f"cat {made[0]}")).split()  # inside, outside, how many
    must(users[1:] == [str(FIRST_BUILDER + 1), "1"], f"the builder's users were {users}")
    must(await shell.says(f"cat {made[1]}") == "hello", "the flake has built something else")
    return made[0], made[1]


async def installs(shell: Shell) -> None:
    """Install a program, as a user, into the own profile, from where the next login finds it."""
    await shell.says("mkdir -p hi/bin && printf '#!/bin/sh\\necho hi\\n' > hi/bin/hi && chmod +x hi/bin/hi")
    path = await shell.ends("nix store add --name hi hi")
    await shell.says(f"nix profile install --offline {path}")
    await is_installed(shell)


async def is_installed(shell: Shell) -> None:
    """What `installs` has installed is found."""
    said = await shell.says("bash -lc hi")
    must(said == "hi", f"what was installed says {said!r}")


async def refuses_strangers(shell: Shell) -> None:
    """Whoever is not in the group gets no answer of the daemon."""
    command = BUILD.replace("'", "'\\''")
    await shell.fails(f"su - {STRANGER} -c '{command}'", "Permission denied")


@dataclass(frozen=True)
class Kept:
    """What has to be the same after another boot."""

    machine: str
    users: str
    store: Mapping[str, str]
    disk: str


async def kept(shell: Shell) -> Kept:
    """Return it, as any user may see it."""
    paths = json.loads(await shell.says("NIX_REMOTE=daemon nix path-info --all --json 2> /dev/null"))
    machine = await shell.says("cat /etc/machine-id")
    must(len(machine) == HEX_DIGITS, f"the machine's ID is {machine!r}")
    return Kept(
        machine,
        await shell.says("cat /etc/passwd /etc/group"),
        {path: about["narHash"] for path, about in paths.items()},
        await shell.says("cat /sys/class/block/vda*/size"),
    )
