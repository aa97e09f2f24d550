from pathlib import Path

from PIL import Image

from acceptance import contact_sheet
from pipeline.vm.film import Film

COLOURS = ((200, 0, 0), (0, 200, 0), (0, 0, 200), (200, 200, 0), (0, 200, 200))


def film_of(folder: Path, count: int) -> Film:
    folder.mkdir()
    film = Film(folder)
    for number in range(count):
        frame = folder / "frame.png"
        Image.new("RGB", (1280, 800), COLOURS[number]).save(frame)
        film.take(float(number), frame)
    film.ended = float(count)
    return film


def colours(image: Image.Image) -> set[object]:
    return {colour for _, colour in image.convert("RGB").getcolors(1 << 20) or []}


def test_every_shot_is_on_the_sheet(tmp_path: Path) -> None:
    films = {"one": film_of(tmp_path / "one", 5), "two": film_of(tmp_path / "two", 1)}
    target = tmp_path / "contact_sheet.png"
    contact_sheet.contact_sheet(films, target)
    with Image.open(target) as image:
        assert set(COLOURS) <= colours(image)
        rows = 3  # four and one, and the other film's
        tile = contact_sheet.WIDTH + contact_sheet.MARGIN
        assert image.width == contact_sheet.MARGIN + contact_sheet.COLUMNS * tile
        assert image.height > rows * contact_sheet.HEIGHT


def test_the_moving_picture_takes_as_long_as_the_boot_but_for_long_waits(tmp_path: Path) -> None:
    film = film_of(tmp_path / "one", 3)
    film.ended = 60.0
    target = tmp_path / "moving.png"
    contact_sheet.moving(film, target)
    with Image.open(target) as image:
        assert getattr(image, "n_frames", 1) == 3
        durations = []
        for number in range(3):
            image.seek(number)
            durations.append(image.info["duration"])
        assert durations == [1000, 1000, 1000 * contact_sheet.LONGEST]
