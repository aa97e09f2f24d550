"""The film of a boot as people look at it: a contact sheet, and a moving picture.

Imports Pillow, which the boot container has.
"""

from collections.abc import Mapping
from pathlib import Path

from PIL import Image, ImageDraw

from pipeline.vm.film import Film

WIDTH, HEIGHT = 400, 250  # pixels of a picture
CAPTION = 16
MARGIN = 8
COLUMNS = 4
PAPER, INK = (32, 32, 32), (220, 220, 220)
LONGEST = 2.0  # seconds for which the moving picture stands still


def _thumbnail(picture: Path, size: tuple[int, int]) -> Image.Image:
    with Image.open(picture) as image:
        small = image.convert("RGB")
    small.thumbnail(size, Image.Resampling.LANCZOS)
    return small


def contact_sheet(films: Mapping[str, Film], target: Path) -> None:
    """Write all shots of `films`, each with its title, on one PNG, with the second at which they came."""
    tile = (WIDTH + MARGIN, HEIGHT + CAPTION + MARGIN)
    rows = sum(1 + -(-len(film.shots) // COLUMNS) for film in films.values())
    sheet = Image.new("RGB", (MARGIN + COLUMNS * tile[0], MARGIN + rows * tile[1]), PAPER)
    draw = ImageDraw.Draw(sheet)
    top = MARGIN
    for title, film in films.items():
        draw.text((MARGIN, top), f"{title}: {film.frames} frames, {film.ended:.1f} s", fill=INK)
        top += CAPTION + MARGIN
        for number, shot in enumerate(film.shots):
            left = MARGIN + number % COLUMNS * tile[0]
            above = top + number // COLUMNS * tile[1]
            sheet.paste(_thumbnail(shot.picture, (WIDTH, HEIGHT)), (left, above))
            draw.text((left, above + HEIGHT + 2), f"{shot.at:.1f} s", fill=INK)
        top += -(-len(film.shots) // COLUMNS) * tile[1]
    sheet.crop((0, 0, sheet.width, top)).save(target, optimize=True)


def moving(film: Film, target: Path) -> None:
    """Write the shots of a film as an animated PNG, as fast as they came; nothing stands still for long."""
    first, *others = [_framed(shot.picture) for shot in film.shots]
    ends = [shot.at for shot in film.shots[1:]] + [film.ended]
    times = [
        int(1000 * min(LONGEST, max(0.05, end - shot.at))) for shot, end in zip(film.shots, ends, strict=True)
    ]
    first.save(target, save_all=True, append_images=others, duration=times, loop=0, optimize=True)


def _framed(picture: Path) -> Image.Image:
    """Return the picture as all frames of a moving picture are: of one size, with few colours."""
    frame = Image.new("RGB", (2 * WIDTH, 2 * HEIGHT))
    large = _thumbnail(picture, frame.size)
    frame.paste(large, ((frame.width - large.width) // 2, (frame.height - large.height) // 2))
    return frame.quantize(64)
