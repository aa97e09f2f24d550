"""Draws the splash of a new product: its name, until somebody draws a better one."""

import io
from collections.abc import Mapping

from PIL import Image, ImageColor, ImageDraw, ImageFont

SIZE = (480, 128)
MARGIN = 24  # pixels
LARGEST, SMALLEST = 64, 12  # pixels


def splash(name: str, colours: Mapping[str, str]) -> bytes:
    """Return a BMP of SIZE with the name in the middle, in `text` on `ground` of the product's colours.

    systemd-stub fills the rest of the screen with the colour of the first pixel.
    """
    ground, text = ImageColor.getrgb(colours["ground"]), ImageColor.getrgb(colours["text"])
    image = Image.new("RGB", SIZE, ground)
    draw = ImageDraw.Draw(image)
    for size in range(LARGEST, SMALLEST, -4):
        font = ImageFont.load_default(size)
        if draw.textlength(name, font) <= SIZE[0] - 2 * MARGIN:
            break
    draw.text((SIZE[0] / 2, SIZE[1] / 2), name, text, font, anchor="mm")
    file = io.BytesIO()
    image.save(file, "BMP")
    return file.getvalue()
