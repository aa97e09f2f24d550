"""What must hold of a /boot that is meant for Heads, which has lists of Heads: it finds all, and accepts it.

Specification: Heads, initrd/bin/kexec-parse-boot.sh, kexec-sign-config.sh and initrd/etc/functions.sh,
https://github.com/linuxboot/heads. Other boot loaders do not care.
"""

from collections.abc import Iterator

from pipeline.checks.boot.view import Boot
from pipeline.checks.finding import Fault, Rules
from pipeline.formats.heads import AGAIN, HASHES, LEAST, SIGNATURE, TREE, differences, unsignable
from pipeline.formats.heads_scan import MAX_CMDLINE, Found, Missed

PARSER = "Heads, initrd/bin/kexec-parse-boot.sh"
FUNCTIONS = "Heads, initrd/etc/functions.sh"
ARMOR = b"-----BEGIN PGP SIGNATURE-----"
LITERAL = "write it as it is, without variables and quotes"

rule = Rules[Boot]()


@rule(
    "HEADS001",
    "it is known for a /boot",
    lenient=True,
    spec=f"{FUNCTIONS} (detect_boot_device)",
    fix="put grub.cfg into a folder /grub at the partition's top",
)
def is_a_boot(boot: Boot) -> Iterator[Fault]:
    """Heads takes a partition for /boot by a name at its top that begins with `grub`."""
    if boot.has_lists and not any(path.startswith("grub") for path in boot.files.names()):
        yield "nothing at its top is called grub, by which Heads knows a /boot"


@rule(
    "HEADS002",
    "Heads finds the kernel of each entry",
    lenient=True,
    spec=f"{PARSER} (check_path)",
    fix="name it from the top of the partition, without a variable",
)
def kernels_are_found(boot: Boot) -> Iterator[Fault]:
    """Heads shows no entry whose kernel it does not find: it knows neither /boot nor another partition."""
    yield from _missed(boot, "kernel")


@rule(
    "HEADS003",
    "Heads finds the initramfs of each entry",
    lenient=True,
    spec=f"{PARSER} (echo_entry)",
    fix="name it from the top of the partition, without a variable",
)
def initramfs_are_found(boot: Boot) -> Iterator[Fault]:
    """Its script ends at an initramfs that is not there: all entries behind it are missing, too."""
    yield from _missed(boot, "initrd")


@rule(
    "HEADS004",
    "configuration lies where Heads looks for it",
    lenient=True,
    spec=f"{FUNCTIONS} (scan_boot_options)",
    fix="put it into /grub",
)
def configuration_is_found(boot: Boot) -> Iterator[Fault]:
    """Heads reads each *.cfg, but none below EFI, and none whose path has a blank."""
    yield from _missed(boot, "place")


@rule(
    "HEADS005",
    "entries are written as Heads reads them",
    lenient=True,
    spec=f"{PARSER} (grub_entry)",
    fix="put each command, and the closing `}`, on a line of its own",
)
def entries_are_read(boot: Boot) -> Iterator[Fault]:
    """Heads reads lines, as a shell does: it knows no `;`, and an entry ends at a line of only `}`."""
    yield from _missed(boot, "lines")


def _missed(boot: Boot, why: str) -> Iterator[Fault]:
    """Yield what Heads misses for a reason; that an entry starts no Linux is none."""
    for each in boot.scan.missed if boot.complete else ():
        if each.why == why:
            yield _told(each)


def _told(missed: Missed) -> tuple[str, str]:
    return f"/{missed.source}: {missed.message}", missed.hint


@rule(
    "HEADS006",
    "entries have no variables",
    lenient=True,
    spec=f"{PARSER} (eval)",
    fix=LITERAL,
)
def variables_are_none(boot: Boot) -> Iterator[Fault]:
    """Heads expands a variable to nothing."""
    yield from _noted(boot, "variable")


@rule(
    "HEADS007",
    "nothing in entries is for a shell",
    lenient=True,
    spec=f"{PARSER} (eval)",
    fix=LITERAL,
)
def nothing_is_run(boot: Boot) -> Iterator[Fault]:
    """What Heads found goes through `eval`: quotes vanish, and what stands in ` or $() is run."""
    yield from _noted(boot, "eval")
    yield from _missed(boot, "quotes")


@rule(
    "HEADS008",
    "titles have no |",
    lenient=True,
    spec=f"{PARSER} (echo_entry)",
    fix="write it without the |",
)
def titles_are_whole(boot: Boot) -> Iterator[Fault]:
    """Heads parts an entry's fields by it, and leaves it out of the title."""
    yield from _noted(boot, "title")


@rule(
    "HEADS009",
    f"command lines have at most {MAX_CMDLINE} bytes",
    lenient=True,
    spec="Linux, arch/x86/include/asm/setup.h (COMMAND_LINE_SIZE)",
    fix="shorten it",
)
def command_lines_are_short(boot: Boot) -> Iterator[Fault]:
    """kexec warns, and Linux cuts off what is behind the limit."""
    yield from _noted(boot, "cmdline")


def _noted(boot: Boot, kind: str) -> Iterator[Fault]:
    for each in boot.scan.found:
        for note in each.notes:
            if note.kind == kind:
                yield f"{_named(each)}: {note.message}"


def _named(found: Found) -> str:
    return f"/{found.source}: entry {found.name!r}"


@rule(
    "HEADS010",
    "what Heads finds, it can start",
    lenient=True,
    spec="Heads, initrd/bin/kexec-boot.sh (fix_file_path)",
    fix="correct the path, or add the file",
)
def entries_can_be_started(boot: Boot) -> Iterator[Fault]:
    """Heads shows entries of the Boot Loader Specification whatever they name, and fails to start them."""
    for each in boot.scan.found if boot.complete else ():
        for fault in each.faults:
            yield f"{_named(each)}: {fault}"


@rule(
    "HEADS011",
    "Heads finds an entry",
    lenient=True,
    spec=f"{FUNCTIONS} (scan_boot_options)",
    fix="add an entry to /grub/grub.cfg, or an empty one beside entries in /loader/entries",
)
def an_entry_is_found(boot: Boot) -> Iterator[Fault]:
    """Heads has nothing to start then. Entries in loader/entries count only beside a *.cfg without any."""
    if boot.has_lists and boot.complete and not boot.scan.found and not boot.scan.missed:
        yield "Heads finds no entry at all"


@rule(
    "HEADS012",
    "names can be signed",
    lenient=True,
    spec=f"{FUNCTIONS} (assert_signable)",
    fix="name it with printable ASCII, without a backslash",
)
def names_can_be_signed(boot: Boot) -> Iterator[Fault]:
    """Heads signs no /boot with another name in it, and ends in its recovery shell."""
    for path in unsignable(boot.files) if boot.has_lists else ():
        yield f"/{path}: Heads signs no /boot with this name in it"


@rule(
    "HEADS013",
    "the partition is large enough",
    lenient=True,
    spec=f"{FUNCTIONS} (detect_boot_device)",
    fix="make it larger",
)
def is_large_enough(boot: Boot) -> Iterator[Fault]:
    """Heads skips smaller partitions, as those for boot code are."""
    if boot.has_lists and 0 < boot.size < LEAST:
        yield f"it has {boot.size} bytes, and Heads looks at no partition below {LEAST}"


@rule("HEADS014", "both lists are there", lenient=True, spec=f"{FUNCTIONS} (verify_checksums)", fix=AGAIN)
def lists_are_there(boot: Boot) -> Iterator[Fault]:
    """With one of them alone Heads accepts nothing."""
    names = (HASHES, TREE) if boot.has_lists and boot.complete else ()
    for name in names:
        if not boot.files.is_file(name):
            yield f"there is no /{name} beside the other list"


@rule("HEADS015", "lists say what is there", lenient=True, spec=f"{FUNCTIONS} (verify_checksums)", fix=AGAIN)
def lists_are_current(boot: Boot) -> Iterator[Fault]:
    """Heads refuses to start what was changed, added or taken away since its owner signed the lists."""
    if boot.has_lists and boot.complete and all(boot.files.is_file(name) for name in (HASHES, TREE)):
        for each in differences(boot.files, boot.files.read(HASHES), boot.files.read(TREE)):
            yield each.message


@rule(
    "HEADS016",
    "kexec.sig is a signature",
    lenient=True,
    spec="Heads, initrd/bin/kexec-sign-config.sh; RFC 9580, §6.2",
    fix="sign it again, with `gpg --detach-sign --armor`",
)
def signature_is_one(boot: Boot) -> Iterator[Fault]:
    """Heads asks gpgv, and starts nothing by another. One that is not there yet is made by the owner."""
    if boot.has_lists and boot.files.is_file(SIGNATURE):
        begins = bytes(boot.files.image(SIGNATURE)[: len(ARMOR)])
        if begins != ARMOR:
            yield f"/{SIGNATURE} does not begin with {ARMOR.decode()!r}"
