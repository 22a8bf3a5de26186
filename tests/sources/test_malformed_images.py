"""Images that are cut off, mislabelled, enormous, or of a rare kind: what becomes of each.

Each is converted beside two good ones, with --skip-unreadable: it is a record of the shape given here, or it is named
with the words given here, and nothing else happens.
"""

import io
import struct
import zlib

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from netcli.cli.convert_images import command
from netcli.sources.database import open_database
from netcli.sources.datum import read_datum

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def saved(image, kind, **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def photo(mode="RGB", size=(30, 20)):
    return Image.fromarray(PIXELS).resize(size).convert(mode)


JPEG, PNG = saved(photo(), "JPEG"), saved(photo(), "PNG")


def png_of_size(width, height):
    """A PNG whose header claims a size, with next to nothing in it."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def jpeg_of_size(height, width):
    """A JPEG whose header claims a size."""
    at = JPEG.index(b"\xff\xc0") + 5
    return JPEG[:at] + struct.pack(">HH", height, width) + JPEG[at + 4 :]


CUT, UNKNOWN, BROKEN = "can't be decoded", "not an image file of a known kind", "can't be decoded"

# name: (bytes, and the record's shape or words of the fault)
CASES = {
    "empty.jpg": (b"", UNKNOWN),
    "one_byte.jpg": (b"\xff", UNKNOWN),
    "text.jpg": (b"this is no image\n" * 40, UNKNOWN),
    "html.jpg": (b"<html><body>404 Not Found</body></html>", UNKNOWN),
    "zeros.jpg": (bytes(5000), UNKNOWN),
    "head_alone.jpg": (JPEG[:2], UNKNOWN),
    "cut_in_head.jpg": (JPEG[:100], CUT),
    "cut_in_half.jpg": (JPEG[: len(JPEG) // 2], CUT),
    "cut_by_two_bytes.jpg": (JPEG[:-2], CUT),
    "cut_in_head.png": (PNG[:20], CUT),
    "cut_in_half.png": (PNG[: len(PNG) // 2], CUT),
    "noise_inside.png": (PNG[:60] + b"\x55" * 20 + PNG[80:], BROKEN),
    "png_named_jpg.jpg": (PNG, (3, 20, 30)),
    "jpeg_named_png.png": (JPEG, (3, 20, 30)),
    "rubbish_behind.jpg": (JPEG + b"rubbish" * 9, (3, 20, 30)),
    "one_pixel.png": (saved(photo(size=(1, 1)), "PNG"), (3, 1, 1)),
    "one_pixel.jpg": (saved(photo(size=(1, 1)), "JPEG"), (3, 1, 1)),
    "one_row.png": (saved(photo(size=(30000, 1)), "PNG"), (3, 1, 30000)),
    "one_column.jpg": (saved(photo(size=(1, 30000)), "JPEG"), (3, 30000, 1)),
    "bomb.png": (png_of_size(50000, 50000), "decompression bomb"),
    "bomb.jpg": (jpeg_of_size(65000, 65000), "decompression bomb"),
    "no_size.png": (png_of_size(0, 0), UNKNOWN),
    "wrong_size.png": (png_of_size(300, 300), CUT),
    "cmyk.jpg": (saved(photo("CMYK"), "JPEG"), (3, 20, 30)),
    "grey.jpg": (saved(photo("L"), "JPEG"), (3, 20, 30)),
    "bits_16.png": (saved(Image.fromarray(PIXELS[..., 0].astype(np.uint16) * 257), "PNG"), (3, 20, 30)),
    "palette.png": (saved(photo("P"), "PNG"), (3, 20, 30)),
    "see_through.png": (saved(photo("RGBA"), "PNG"), (3, 20, 30)),
    "grey_see_through.png": (saved(photo("LA"), "PNG"), (3, 20, 30)),
    "black_and_white.png": (saved(photo("1"), "PNG"), (3, 20, 30)),
    "animated.gif": (saved(photo("P"), "GIF", save_all=True, append_images=[photo("P")] * 3), (3, 20, 30)),
    "animated.webp": (saved(photo(), "WEBP", save_all=True, append_images=[photo()] * 3), (3, 20, 30)),
    "progressive.jpg": (saved(photo(), "JPEG", progressive=True), (3, 20, 30)),
    "floats.tif": (saved(Image.fromarray(PIXELS[..., 0].astype(np.float32)), "TIFF"), (3, 20, 30)),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_each_has_its_outcome_and_the_others_are_there(tmp_path, name):
    content, want = CASES[name]
    (tmp_path / "good.jpg").write_bytes(JPEG)
    (tmp_path / name).write_bytes(content)
    (tmp_path / "list.txt").write_text(f"good.jpg 1\n{name} 2\ngood.jpg 3\n")
    arguments = [str(tmp_path), str(tmp_path / "list.txt"), str(tmp_path / "db"), "--skip-unreadable"]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, result.output
    with open_database(str(tmp_path / "db")) as database:
        made = {read_datum(value)[1]: read_datum(value)[0] for _, value in (database[i] for i in range(len(database)))}
    assert made[1].shape == made[3].shape == (3, 20, 30)
    if isinstance(want, tuple):
        assert made[2].shape == want
    else:
        assert 2 not in made
        assert f"{tmp_path}/list.txt:2: {tmp_path}/{name}: " in result.output
        assert want in result.output
