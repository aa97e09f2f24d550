"""The layout of x86 kernels: the setup header and the packed kernel, in the PE image that holds them.

Specification: Linux, Documentation/arch/x86/boot.rst https://docs.kernel.org/arch/x86/boot.html
"""

from collections.abc import Iterator
from dataclasses import replace

from pipeline.compare import pe, values
from pipeline.compare.span import Span, fields, table
from pipeline.formats.fields import Image, unpack

START = 0x1F1
SECTOR_SIZE = 512  # bytes
SETUP_HEADER = table("""
    setup_sects 1; root_flags 2 hex; *syssize 4; ram_size 2; vid_mode 2 hex; root_dev 2 hex; boot_flag 2 hex
    jump 2 hex; header 4 text; version 2 hex; realmode_swtch 4 hex; start_sys_seg 2 hex
    kernel_version 2 hex; type_of_loader 1 hex; loadflags 1 hex; setup_move_size 2; code32_start 4 hex
    ramdisk_image 4 hex; ramdisk_size 4; bootsect_kludge 4 hex; heap_end_ptr 2 hex; ext_loader_ver 1 hex
    ext_loader_type 1 hex; cmd_line_ptr 4 hex; initrd_addr_max 4 hex; kernel_alignment 4
    relocatable_kernel 1; min_alignment 1; xloadflags 2 hex; cmdline_size 4; hardware_subarch 4
    hardware_subarch_data 8 hex; *payload_offset 4 hex; *payload_length 4; setup_data 8 hex
    pref_address 8 hex; *init_size 4; *handover_offset 4 hex; *kernel_info_offset 4 hex
""")


def kernel(image: Image) -> Iterator[Span]:
    """Yield the setup header's fields, its version text and the payload, then all that a PE image has."""
    for span in fields(SETUP_HEADER, START):
        yield replace(span, name=f"kernel setup header, {span.name}")
    (sectors,) = unpack("<B", image, START, "bzImage: setup header")
    (version,) = unpack("<H", image, 0x20E, "bzImage: setup header")
    offset, size = unpack("<II", image, 0x248, "bzImage: setup header")
    if version:
        start = version + SECTOR_SIZE
        text = bytes(image[start : start + 256]).partition(b"\0")[0]
        yield Span(start, len(text) + 1, "kernel version text", show=values.text)
    setup_size = ((sectors or 4) + 1) * SECTOR_SIZE
    yield Span(setup_size + offset, size, "kernel payload")
    yield from pe.program(image)
