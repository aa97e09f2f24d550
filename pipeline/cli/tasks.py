"""The tasks of doit: each step's, and the commands that people have besides.

`reporter` says what its tasks raise.
"""

import functools
import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from doit.task import Task

from pipeline.build.session import Session
from pipeline.cli import commands, realise
from pipeline.cli.graph import ISO, TRACKED, step_tasks, task_names
from pipeline.cli.reporter import JUDGE, told
from pipeline.errors import PipelineError
from pipeline.project.unpinned import INSTALLER, KERNEL

UNPINNED = (KERNEL, INSTALLER)
"""Options of `iso` that `program` has taken before there are tasks: plans depend on them."""

BUILD = "build artifacts/<recipe>/<recipe>.iso, and all that it needs"


def all_tasks(session: Session, words: tuple[str, ...] = (), *, listed: bool = True) -> list[Task]:
    """Return the tasks of a checkout; `words` are doit's own commands, which no step may be called like.

    `listed`: see `step_tasks`.

    A mistake in the files that say what to build must not keep `doctor` or `lock` from running: it
    fails `iso`, and what needs it.
    """
    names: dict[str, str] = {}
    try:
        session.images  # noqa: B018
        names = task_names(session, (*words, *COMMANDS))
    except PipelineError as error:
        mistake = error

        def explain() -> None:
            raise mistake

        return [_task(session, ISO, BUILD, explain), *_command_tasks(session, names)]
    tracked = functools.partial(commands.tell_untracked, session)
    return [
        _iso_task(session, names),
        *_command_tasks(session, names),
        _task(session, TRACKED, "name what goes into the images and is not in git", tracked),
        *step_tasks(session, names, listed=listed),
    ]


def _iso_task(session: Session, names: dict[str, str]) -> Task:
    """Return the task that needs all steps of images, and says what there is then, each time."""
    needed = {step.name for steps in session.images.values() for step in steps}
    return _task(
        session,
        ISO,
        BUILD,
        functools.partial(commands.summarise, session),
        task_dep=[task for step, task in names.items() if step in needed],
        has_subtask=True,
        targets=[f"artifacts/{image}/{realise.RECORD}" for image in session.images],
        clean=True,
        params=[
            _option(what, "", f"for a try: take this file as the {what} that is in it; it is no release then")
            for what in UNPINNED
        ]
        + [DEBUG, FROM_SOURCE, OFFLINE, INPUTS],
        meta={JUDGE: commands.judge_iso},
    )


def _task(session: Session, name: str, doc: str, action: Callable[..., bool | None], **more: Any) -> Task:
    return Task(name, [told(session, action)], doc=doc, io={"capture": False}, **more)


def _tracked(_session: Session, names: dict[str, str]) -> list[str]:
    """Return the task that looks at git; a mistake that keeps steps from being known keeps it away, too."""
    return [TRACKED] if names else []


def _installer_task(session: Session, names: dict[str, str]) -> list[str]:
    """Return the name of the task that makes the installer.

    Where a mistake keeps it from being known there is none: the command meets the same mistake, and says it.
    """
    try:
        return [names[commands.installer(session)[1].step.name]]
    except (PipelineError, KeyError):
        return []


def _option(name: str, default: str | bool | int | list[str], explained: str) -> dict[str, Any]:
    return {
        "name": name,
        "long": name.replace("_", "-"),
        "type": type(default),
        "default": default,
        "help": explained,
    }


@dataclass(frozen=True)
class Command:
    """A command that people have besides the steps: what it says of itself, does, and takes.

    `action` is a function below `pipeline.cli`, `module:name`, and so is `judge`, which is called with the
    options before anything is made for it. `words` is what it calls the arguments that are no options;
    `needs` says which tasks come first.
    """

    doc: str
    action: str
    params: tuple[dict[str, Any], ...] = ()
    words: str | None = None
    needs: Callable[[Session, dict[str, str]], list[str]] = lambda *_: []
    judge: str = ""


ACCEL = _option("accel", "auto", "what the virtual machine runs on: auto, kvm or tcg")
DEBUG = _option("debug", False, "an image that talks and gives a shell on the serial line; it is no release")
FROM_SOURCE = _option("from_source", False, "take nothing from the caches that the manifest names")
OFFLINE = _option("offline", False, "download nothing")
INPUTS = _option("inputs", "", "take what is not in the cache from this archive of `./doit vendor`")
"""Options that `program` has taken, too."""

COMMANDS = {
    "image": Command(
        "NAME: build what one recipe ends in: a UKI, an ISO, a root file system, disks",
        "commands:image",
        words="names",
        needs=_tracked,
    ),
    "test": Command(
        "all tests; --fast for those that need no container",
        "run_tests:run_tests",
        (_option("fast", False, "unit tests only: nothing that needs a container or a virtual machine"),),
    ),
    "boot-test": Command(
        "boot what was built, install from it, start what was installed, and say what happened",
        "boot_test:boot_test",
        (
            _option("only", "", "ways of booting and stories by name, with commas between them"),
            _option("image", "", "build and boot the image of this recipe alone"),
            _option("everything", False, "tell the stories that are long, too") | {"long": "all"},
            ACCEL,
            _option("seed", 0, "repeat the power cuts of an earlier test, which said its seed"),
        ),
        needs=lambda session, names: _tracked(session, names) if session.image else [ISO],
        judge="boot_test:judge",
    ),
    "boot": Command(
        "boot it in the terminal, to look around",
        "by_hand:boot",
        (
            _option("image", "", "the recipe whose ISO or disk it is; the first that has one"),
            _option(
                "way",
                "",
                "how it is attached: cd, usb, disk, or esp for a FAT folder with the UKI alone; "
                "a system's own disk: virtio-blk, virtio-scsi, ahci, nvme",
            ),
            ACCEL,
            _option(
                "disk",
                "",
                "give it an empty disk of this size to install to: 20G; or have its own grown to this size",
            ),
            _option(
                "keep", False, "keep that disk, and the firmware's variables, in artifacts/<recipe>/boot/"
            ),
            _option("installed", False, "start the disk that was kept, without the medium"),
            _option("display", "none", "where its screen is shown: none, or vnc, on this machine's loopback"),
            DEBUG,
        ),
        needs=_tracked,
        judge="by_hand:judge",
    ),
    "burn": Command(
        "DEVICE: write the ISO to a USB stick, and read it back; without a device, list removable disks",
        "burn:burn",
        (_option("image", "", "the recipe whose ISO, or raw disk, is written"),),
        words="arguments",
    ),
    "inspect": Command(
        "say of any boot image whether it will boot, and why not; --help says more",
        "commands:inspect",
        words="arguments",
    ),
    "diff": Command(
        "OLD NEW: how two releases, images or git revisions differ, and what looks like a mistake; --help",
        "commands:diff",
        words="arguments",
    ),
    "measure": Command(
        "IMAGE: predict what a TPM says after it was started, or compare a machine's log; --help says more",
        "commands:measure",
        words="arguments",
    ),
    "attest": Command(
        "HOST: ask a machine's TPM what runs there, and say whether that is a release; --help says more",
        "commands:attest",
        words="arguments",
    ),
    "release": Command(
        "write a release of what is built, tested and committed to artifacts/release/",
        "release:release",
        (
            _option("since", "", "the folder of the release before: notes and report say what changed"),
            _option("tag", False, "tag the commit, too: v and the version"),
        ),
    ),
    "sign": Command(
        "sign that release: with an SSH or OpenPGP key, or in CI by Sigstore; or images for Secure Boot, or "
        "for Heads",
        "release:sign_release",
        (
            _option("key", "", "an SSH key file, or an OpenPGP key by its fingerprint"),
            _option("tool", "", "what signs: gpg, ssh or sigstore; else the key says it") | {"long": "with"},
            _option(
                "heads",
                False,
                "sign the /boot in these disks or file systems, or these ISOs, as Heads verifies them; "
                "KEY may be a file with an OpenPGP secret key, too",
            ),
            _option(
                "secure_boot",
                False,
                "write signatures of the recipes' images into the files that they name, for ./doit iso to "
                "attach; KEY is a file in PEM, or pkcs11:…",
            ),
            _option("out", "", "write there, and leave the image as it is; with --secure-boot, one program"),
            _option("certificate", [], "with --secure-boot: KEY's certificate, and those that vouch for it"),
            _option("pcr_key", "", "with --secure-boot: sign policies of PCR 11 with this key"),
            _option(
                "timestamp", "", "with --secure-boot: the URL of an authority that says when it was signed"
            ),
        ),
        words="files",
        judge="release:judge_sign",
    ),
    "keys": Command(
        "new DIR: make keys for Secure Boot and PCR 11; rotate DIR: one more db key; revoke DIR NAME",
        "keys:keys",
        (_option("organisation", "", "with new: whose keys they are, in their certificates"),),
        words="words",
    ),
    "addon": Command(
        "make an EFI program that adds to the command line of a signed UKI, for the site to sign",
        "addon:addon",
        (
            _option("cmdline", "", "what is added, such as console=ttyS1"),
            _option("out", "", "the file that is written, which ends in .addon.efi"),
        ),
        judge="addon:judge",
    ),
    "verify": Command(
        "DIR: say whether anybody's release is whole, and who signed it; --help says more",
        "commands:verify",
        words="arguments",
    ),
    "answers": Command(
        "--check FILE: say what the installer will do with an answer file, or what is wrong with it",
        "answers:answers",
        (_option("check", "", "the answer file, see docs/unattended.md"),),
        needs=_installer_task,
        judge="answers:judge",
    ),
    "reproduce": Command(
        "build twice in surroundings that differ on purpose, and compare every artifact",
        "commands:reproduce",
        (
            _option("vary", "", "vary only these: names with commas between them, such as clock,order"),
            _option("step", "", "build and compare one step only: kernel, uki, iso, ..."),
            _option("without", "", "leave one step out, such as kernel"),
            _option(
                "image", "", "all that this recipe makes: a whole system, or disks of what gets installed"
            ),
            _option("diffoscope", False, "where something differs, add diffoscope's full report"),
        ),
        needs=_tracked,
    ),
    "explain": Command(
        "STEP: print the command lines of a step that was built, its container, inputs and environment",
        "explain:explain",
        words="names",
        needs=_tracked,
    ),
    "shell": Command(
        "STEP: make its inputs, then a shell in this terminal, in a container that holds all that it finds",
        "explain:shell",
        words="names",
        needs=_tracked,
    ),
    "doctor": Command(
        "say whether this machine can do all that, and what to change if not", "doctor:examine"
    ),
    "lock": Command(
        "resolve containers/*.toml and roots/*.toml to locks in manifests/; or some, `outputs`, `licences`",
        "commands:lock",
        (
            _option(
                "check",
                False,
                "write nothing: say whether apt still resolves to the locks, and whether all pinned files "
                "can still be downloaded",
            ),
            _option("update", False, "go on to Debian as it is now, and say what changes"),
            _option("downgrade", False, "lock packages that are older than those that are locked"),
            _option(
                "trust_mirror", False, "believe a mirror's index where the snapshot archive is out of reach"
            ),
        ),
        words="names",
    ),
    "vendor": Command(
        "FILE: put every input that the locks name into one archive, to build without network",
        "vendor:vendor",
        (_option("sources", False, "and the source packages of what images consist of"),),
        words="arguments",
    ),
    "pin": Command(
        "NAME FILE|URL: write where a file from outside comes from, its SHA-256 and size into the manifest",
        "pin:pin",
        words="arguments",
    ),
    "new": Command(
        "FOLDER --product NAME: make a project of your own, for another product, that builds at once",
        "new:new",
        (_option("product", "", "what the product is called"),),
        words="arguments",
    ),
    "bench": Command(
        "measure builds, boots and inspections, and write artifacts/bench.json",
        "bench:measure",
        (_option("only", "", "measure these only: edits, inspect, boot, reproduce, systems, cold"),),
        judge="bench:judge",
    ),
    "cache": Command(
        "push FOLDER|oci://…: copy what was built, and the packages for it, to a cache for others",
        "push:push",
        (
            _option("key", "", "sign what is not locked with this OpenSSH key (ssh-ed25519)"),
            _option(
                "fetch",
                False,
                "copy what this machine lacks from the caches that are named; nothing is built",
            ),
        ),
        words="arguments",
    ),
    "gc": Command(
        "show what the cache holds and remove what no recent build used",
        "commands:gc",
        (_option("days", 30, "keep what a build of the last DAYS days used"),),
    ),
}


def named(where: str) -> Callable[..., Any]:
    """Return the function `module:name` below `pipeline.cli`."""
    module, _, name = where.partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(f"pipeline.cli.{module}"), name)
    return function


def _later(where: str, session: Session) -> Callable[..., Any]:
    """Return what calls a function of that name, whose module is loaded then: doing nothing takes no time."""
    return lambda *args, **options: named(where)(session, *args, **options)


def _command_tasks(session: Session, names: dict[str, str]) -> Iterator[Task]:
    for name, command in COMMANDS.items():
        yield _task(
            session,
            name,
            command.doc,
            _later(command.action, session),
            params=list(command.params),
            pos_arg=command.words,
            task_dep=command.needs(session, names),
            meta={JUDGE: _later(command.judge, session)} if command.judge else None,
        )
