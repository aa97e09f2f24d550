"""The layout of x86 kernels: the setup header and the packed kernel, in the PE image that holds them.

Specification: Linux, Documentation/arch/x86/boot.rst https://docs.kernel.org/arch/x86/boot.html
"""

from collections.abc import Iterator

from pipeline.compare import pe, values
from pipeline.compare.span import Field, Span, derived, fields
from pipeline.formats.fields import Image, unpack

START = 0x1F1
SECTOR_SIZE = 512  # bytes
SETUP_HEADER = (
    Field("setup_sects", 1, values.little),
    Field("root_flags", 2, values.little_hex),
    derived("syssize", 4, values.little),
    Field("ram_size", 2, values.little),
    Field("vid_mode", 2, values.little_hex),
    Field("root_dev", 2, values.little_hex),
    Field("boot_flag", 2, values.little_hex),
    Field("jump", 2, values.little_hex),
    Field("header", 4, values.text),
    Field("version", 2, values.little_hex),
    Field("realmode_swtch", 4, values.little_hex),
    Field("start_sys_seg", 2, values.little_hex),
    Field("kernel_version", 2, values.little_hex),
    Field("type_of_loader", 1, values.little_hex),
    Field("loadflags", 1, values.little_hex),
    Field("setup_move_size", 2, values.little),
    Field("code32_start", 4, values.little_hex),
    Field("ramdisk_image", 4, values.little_hex),
    Field("ramdisk_size", 4, values.little),
    Field("bootsect_kludge", 4, values.little_hex),
    Field("heap_end_ptr", 2, values.little_hex),
    Field("ext_loader_ver", 1, values.little_hex),
    Field("ext_loader_type", 1, values.little_hex),
    Field("cmd_line_ptr", 4, values.little_hex),
    Field("initrd_addr_max", 4, values.little_hex),
    Field("kernel_alignment", 4, values.little),
    Field("relocatable_kernel", 1, values.little),
    Field("min_alignment", 1, values.little),
    Field("xloadflags", 2, values.little_hex),
    Field("cmdline_size", 4, values.little),
    Field("hardware_subarch", 4, values.little),
    Field("hardware_subarch_data", 8, values.little_hex),
    derived("payload_offset", 4, values.little_hex),
    derived("payload_length", 4, values.little),
    Field("setup_data", 8, values.little_hex),
    Field("pref_address", 8, values.little_hex),
    derived("init_size", 4, values.little),
    derived("handover_offset", 4, values.little_hex),
    derived("kernel_info_offset", 4, values.little_hex),
)


def kernel(image: Image) -> Iterator[Span]:
    """Yield the setup header's fields, its version text and the payload, then all that a PE image has."""
    for span in fields(SETUP_HEADER, START):
        yield Span(
            span.start, span.size, f"kernel setup header, {span.name}", show=span.show, derived=span.derived
        )
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
