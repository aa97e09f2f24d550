"""Rows that nobody thought of: legal combinations of the options of mkfs.vfat, xorriso, sgdisk and sfdisk."""

from hypothesis import Phase, given, seed, settings
from hypothesis import strategies as st

from tests.world.jury.isos import AS_GPT, AS_MBR, BIOS_ENTRY, INSIDE, INTERVAL
from tests.world.jury.row import ALL, BOTH, Row

MEGABYTE = 2048  # blocks of 512 bytes


@st.composite
def volumes(draw: st.DrawFn, file: str, *, largest: int = 40_000) -> str:
    """Draw the shell that makes a FAT with a program in it, somewhere."""
    kib = draw(st.sampled_from([size for size in (720, 1440, 2880, 8000, 20_000, 34_000) if size <= largest]))
    options = ""
    if kib >= 8000 and draw(st.booleans()):
        options += draw(st.sampled_from((" -F 16 -s 1", " -F 16 -s 2", " -F 16 -S 1024", " -F 12 -s 16")))
    if kib == 34_000 and draw(st.booleans()):
        options = " -F 32 -s 1"
    options += draw(st.sampled_from(("", "", " -f 1", " -h 2048", " -M 0xf0")))
    program = draw(st.sampled_from(("bootx64.efi", "bootx64.efi", "bootx64.efi", "bootia32.efi")))
    path = draw(
        st.sampled_from(
            (
                "EFI/BOOT/BOOTX64.EFI",
                "EFI/BOOT/BOOTX64.EFI",
                "efi/boot/bootx64.efi",
                "EFI/BOOT/BOOTIA32.EFI",
                "BOOT/X.EFI",
            )
        )
    )
    return f"blank {file} {kib}{options}; put {file} $IN/{program} {path}; "


@st.composite
def isos(draw: st.DrawFn) -> Row:
    """Draw an ISO: where its FAT lies, which entries there are, which tables."""
    appended = draw(st.booleans())
    recipe = draw(volumes("efi.img"))
    recipe += "tree; cp $IN/bios.bin tree/boot; " if appended else "tree efi.img; cp $IN/bios.bin tree/boot; "
    efi = draw(
        st.sampled_from(("", INTERVAL, INTERVAL)) if appended else st.sampled_from(("", INSIDE, INSIDE))
    )
    bios = draw(st.sampled_from(("", BIOS_ENTRY)))
    entries = draw(st.permutations([each for each in (efi, bios) if each]))
    options = [" -eltorito-alt-boot ".join(entries)]
    options.append(draw(st.sampled_from((AS_MBR, AS_GPT, AS_GPT) if appended else ("",))))
    if efi == INSIDE:
        options.append(draw(st.sampled_from(("", "-efi-boot-part --efi-boot-image"))))
    options.append(draw(st.sampled_from(("", "--protective-msdos-label", "-partition_offset 16"))))
    options.append(draw(st.sampled_from(("", "-G $IN/mbr.bin", "--mbr-force-bootable"))))
    options.append(draw(st.sampled_from(("", "-iso-level 3", "-hfsplus", "-partition_cyl_align off"))))
    recipe += " ".join(["iso", *(each for each in options if each), "tree"])
    return Row("a layout of an ISO", recipe, ALL)


@st.composite
def disks(draw: st.DrawFn) -> Row:
    """Draw a disk: a FAT behind some blocks, and a partition for it in a GPT or an MBR."""
    start = draw(st.sampled_from((64, 2048, 4096, 8192)))
    recipe = draw(volumes("fs", largest=8000))
    recipe += "hollow $OUT 16M; "
    recipe += f"dd if=fs of=$OUT bs=512 seek={start} conv=notrunc status=none; "
    size = draw(st.sampled_from((MEGABYTE // 64, 4 * MEGABYTE, 8 * MEGABYTE)))
    if draw(st.booleans()):
        kind = draw(st.sampled_from(("ef00", "0700", "8300")))
        number = draw(st.sampled_from((1, 2, 128)))
        recipe += f"sgdisk -a 1 -n{number}:{start}:+{size - 1} -t{number}:{kind} $OUT > log"
    else:
        kind = draw(st.sampled_from(("ef", "0c", "06", "83", "07")))
        flag = draw(st.sampled_from(("", ", bootable")))
        recipe += f"echo 'start={start}, size={size}, type={kind}{flag}' | sfdisk -q --label dos $OUT"
    return Row("a layout of a disk", recipe, BOTH)


@st.composite
def sticks(draw: st.DrawFn) -> Row:
    """Draw a FAT without a table."""
    return Row("a FAT file system", draw(volumes("$OUT")), BOTH)


def drawn(count: int, number: int) -> dict[str, Row]:
    """Return `count` rows, by name: for a `number` always the same."""
    found: dict[str, Row] = {}

    @seed(number)
    @settings(max_examples=count, database=None, deadline=None, phases=[Phase.generate])
    @given(isos() | disks() | sticks())
    def collect(row: Row) -> None:
        found[f"layout-{number}-{len(found)}"] = row

    collect()
    return found
