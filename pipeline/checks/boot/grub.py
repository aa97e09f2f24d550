"""What must hold of GRUB's menus: they can be parsed, and what they name is there.

Specification: GRUB manual 2.12. Rules go by what is sure: an entry that needs another device, or a variable
that only a machine knows, is nobody's fault.
"""

from collections import Counter
from collections.abc import Iterator

from pipeline.checks.attempt import or_none
from pipeline.checks.boot.view import Boot, Grub
from pipeline.checks.finding import Fault, Rules, Severity
from pipeline.formats.grub_menu import Config, Entry, Place
from pipeline.formats.magic import Format, describe, recognise

MANUAL = "GRUB manual 2.12"
THERE = "correct the path, or add the file: paths begin at the top of the partition that `root` is"
ENVIRONMENT = 1024  # bytes
MARK = b"# GRUB Environment Block\n"
MAX_CMDLINE = 2047  # bytes, as Linux on x86: COMMAND_LINE_SIZE with its NUL
KERNELS = frozenset({Format.BZIMAGE, Format.PE, Format.ELF, Format.ARM64_IMAGE, Format.GZIP})

rule = Rules[Boot]()


def _configs(boot: Boot) -> Iterator[tuple[Grub, Config]]:
    for each in boot.menus:
        if isinstance(each.config, Config):
            yield each, each.config


def _entries(boot: Boot) -> Iterator[tuple[str, Entry]]:
    """Yield the entries of all menus, with what they are called in a message."""
    for each, config in _configs(boot):
        for entry in config.entries:
            yield f"/{each.path}: line {entry.line}: entry {entry.title!r}", entry


@rule(
    "GRUB001",
    "grub.cfg can be parsed",
    lenient=True,
    spec=f'{MANUAL}, "Writing full configuration files directly"',
    fix="correct the line",
)
def can_be_parsed(boot: Boot) -> Iterator[Fault]:
    """GRUB shows an error in place of what it cannot parse, and may have no menu then."""
    for each in boot.menus:
        if not isinstance(each.config, Config):
            yield f"/{each.path}: {each.config.message.removeprefix(f'/{each.path}: ')}", each.config.hint


@rule(
    "GRUB002",
    "a menu has entries, or goes on with another",
    severity=Severity.WARNING,
    spec=f'{MANUAL}, "menuentry", "configfile"',
    fix="add an entry, or remove the file",
)
def menus_have_entries(boot: Boot) -> Iterator[Fault]:
    """Without an entry GRUB waits at its prompt."""
    for each, config in _configs(boot):
        if not (config.entries or config.others or config.missing or config.has_blscfg):
            yield f"/{each.path}: it has no entry"


@rule("GRUB003", "kernels of its entries are there", lenient=True, spec=f'{MANUAL}, "linux"', fix=THERE)
def kernels_are_there(boot: Boot) -> Iterator[Fault]:
    """GRUB says `file not found`, and goes back to its menu."""
    for name, entry in _entries(boot):
        for place in boot.missing(
            entry, (entry.kernel,) if entry.kernel and entry.kind != "chainloader" else ()
        ):
            yield f"{name}: the kernel {place} is not there", _advice(boot, place)


@rule(
    "GRUB004",
    "initramfs and modules of its entries are there",
    lenient=True,
    spec=f'{MANUAL}, "initrd", "module"',
    fix=THERE,
)
def initramfs_are_there(boot: Boot) -> Iterator[Fault]:
    """GRUB goes on without, and Linux panics as it finds no root file system."""
    for name, entry in _entries(boot):
        for place in boot.missing(entry, (*entry.initrds, *entry.modules)):
            yield f"{name}: {place} is not there", _advice(boot, place)


def _advice(boot: Boot, place: Place) -> str:
    shorter = place.path.removeprefix("/boot")
    if boot.files.is_file(shorter):
        return f"say {shorter}: this partition is what is mounted on /boot"
    return THERE


@rule(
    "GRUB005",
    "the default is an entry",
    severity=Severity.WARNING,
    spec=f'{MANUAL}, "default"',
    fix="name an entry by its number, id or title",
)
def default_is_there(boot: Boot) -> Iterator[Fault]:
    """GRUB takes the first one instead, which may be another system."""
    for each, config in _configs(boot):
        named = config.settings.get("default", "")
        if config.entries and named and not config.others and not config.has_named_default:
            yield f"/{each.path}: default is {named!r}, and no entry is called so"


@rule(
    "GRUB006",
    "other files that it goes on with are there",
    lenient=True,
    spec=f'{MANUAL}, "configfile", "source"',
    fix=THERE,
)
def other_files_are_there(boot: Boot) -> Iterator[Fault]:
    """GRUB says `file not found`; where it was to find its menu there, it has none."""
    for each, config in _configs(boot):
        if boot.complete:
            for place in config.missing:
                yield f"/{each.path}: it goes on with {place}, which is not there"


@rule(
    "GRUB007",
    "kernels are kernels, and no initramfs is empty",
    lenient=True,
    spec="Linux, Documentation/arch/x86/boot.rst",
    fix="put the right file there",
)
def kernels_are_kernels(boot: Boot) -> Iterator[Fault]:
    """GRUB refuses a kernel without its header: `invalid magic number`."""
    told = set[Place]()
    for name, entry in _entries(boot):
        kernels = (entry.kernel,) if entry.kernel and entry.kind == "linux" else ()
        for place in (*kernels, *entry.initrds):
            image = or_none(boot.files.image, place.path) if boot.is_here(place) else None
            if entry.unknown or image is None or place in told:
                continue
            told.add(place)
            if place in kernels and recognise(image) not in KERNELS:
                yield f"{name}: {place} is {describe(image)}, no kernel"
            elif not len(image):
                yield f"{name}: {place} is empty"


@rule(
    "GRUB008",
    f"command lines have at most {MAX_CMDLINE} bytes",
    lenient=True,
    spec="Linux, arch/x86/include/asm/setup.h (COMMAND_LINE_SIZE)",
    fix="shorten it",
)
def command_lines_are_short(boot: Boot) -> Iterator[Fault]:
    """What is behind the limit is cut off, without a word."""
    for name, entry in _entries(boot):
        size = len(entry.cmdline.encode(errors="surrogateescape"))
        if entry.kind == "linux" and size > MAX_CMDLINE:
            yield f"{name}: its command line has {size} bytes"


@rule(
    "GRUB009",
    "entries have ids of their own",
    severity=Severity.WARNING,
    spec=f'{MANUAL}, "menuentry" (--id)',
    fix="give one of them another id",
)
def ids_are_given_once(boot: Boot) -> Iterator[Fault]:
    """What names an entry by its id starts the first of two, whichever was meant."""
    for each, config in _configs(boot):
        counts = Counter((entry.menus, entry.id) for entry in config.entries if entry.id and entry.is_certain)
        for (_, its_id), count in counts.items():
            if count > 1:
                yield f"/{each.path}: {count} entries have the id {its_id!r}"


@rule(
    "GRUB010",
    "environment blocks are whole",
    lenient=True,
    spec=f'{MANUAL}, "Environment block"',
    fix=f"make it with `grub-editenv FILE create`: {ENVIRONMENT} bytes",
)
def environment_is_whole(boot: Boot) -> Iterator[Fault]:
    """GRUB neither reads nor writes another: what is chosen for the next start is not started."""
    for path in sorted(boot.files.files):
        if path.rpartition("/")[2].lower() == "grubenv":
            image = boot.files.files[path]
            if len(image) != ENVIRONMENT:
                yield f"/{path} has {len(image)} bytes, where an environment block has {ENVIRONMENT}"
            elif bytes(image[: len(MARK)]) != MARK:
                yield f"/{path} does not begin with {MARK.decode().strip()!r}"
