"""Draws the icon of FolderCompareSync: two folders, and the sign that says they are equal.

    pip install pillow && python3 icon.py        writes fcs.ico beside itself

The icon is committed, so no build needs this script. It is the source to change when the icon should change.
Sizes up to 48 pixels have their edges on whole pixels, because blurred edges are what makes small icons look dirty.
"""

import io
import struct
from pathlib import Path

from PIL import Image, ImageDraw

SIZES = [16, 20, 24, 32, 40, 48, 64, 96, 128, 256]
BACK = ((86, 156, 240), (38, 96, 196))
FRONT = ((38, 190, 156), (8, 126, 108))
GRID = 64  # All coordinates below are on a square of 64 by 64.


def layer(size, scale, draw):
    """A mask in which `draw` has painted, at `scale` times the size."""
    mask = Image.new("L", (size * scale, size * scale), 0)
    draw(ImageDraw.Draw(mask))
    return mask


def gradient(size, colours, top, bottom):
    """Vertical, from `top` to `bottom` of the grid."""
    strip = Image.new("RGBA", (1, size))
    for y in range(size):
        at = min(max((y / size * GRID - top) / (bottom - top), 0), 1)
        strip.putpixel((0, y), tuple(round(a + (b - a) * at) for a, b in zip(*colours)) + (255,))
    return strip.resize((size, size))


def icon(size):
    scale = max(4, 1024 // size)

    def px(v):
        """A coordinate of the grid in pixels of the large picture."""
        exact = v * size / GRID
        return round((round(exact) if size <= 48 else exact) * scale)

    def folder(x, y, grow=0):
        def draw(pen):
            more = round(grow * size / GRID) * scale if size <= 48 else round(grow * size / GRID * scale)
            radius = round(4 * size / GRID * scale) + more
            tab = (px(x) - more, px(y) - more, px(x + 19) + more - 1, px(y + 16) + more)
            body = (px(x) - more, px(y + 6) - more, px(x + 44) + more - 1, px(y + 38) + more - 1)
            pen.rounded_rectangle(tab, radius, fill=255)
            pen.rounded_rectangle(body, radius, fill=255)

        return layer(size, scale, draw)

    def equals(pen):
        left, right = px(16 + 10), px(16 + 34)
        top, bottom = px(18 + 6), px(18 + 38)
        unit = scale if size <= 48 else 1
        bar = max(1, round((bottom - top) * 0.18 / unit)) * unit
        gap = max(1, round((bottom - top) * 0.18 / unit)) * unit
        first = top + round((bottom - top - 2 * bar - gap) / 2 / unit) * unit
        for at in (first, first + bar + gap):
            pen.rounded_rectangle((left, at, right - 1, at + bar - 1), bar // 2 if size > 32 else 0, fill=255)

    big = Image.new("RGBA", (size * scale, size * scale), (0, 0, 0, 0))
    big.paste(gradient(size * scale, BACK, 6, 44), mask=folder(4, 6))
    # A gap all around the front folder keeps the two apart on any background.
    big.paste((0, 0, 0, 0), mask=folder(16, 20, grow=2.6 if size > 48 else 3.2))
    big.paste(gradient(size * scale, FRONT, 20, 58), mask=folder(16, 20))
    big.paste((255, 255, 255, 255), mask=layer(size, scale, equals))
    return big.resize((size, size), Image.Resampling.BOX)


def bitmap(image):
    """A 32-bit bitmap as icons hold it: header with double height, rows from below, an empty mask."""
    w, h = image.size
    rows = [image.crop((0, y, w, y + 1)).tobytes("raw", "BGRA") for y in reversed(range(h))]
    mask = b"\0" * (((w + 31) // 32 * 4) * h)
    header = struct.pack("<IiiHHIIiiII", 40, w, h * 2, 1, 32, 0, w * h * 4 + len(mask), 0, 0, 0, 0)
    return header + b"".join(rows) + mask


def png(image):
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


def main():
    here = Path(__file__).parent
    pictures = [(size, icon(size)) for size in SIZES]
    # PNG only where a bitmap would be large; every reader of icons knows bitmaps.
    data = [bitmap(image) if size <= 64 else png(image) for size, image in pictures]
    at = 6 + 16 * len(data)
    entries = b""
    for (size, _), content in zip(pictures, data):
        entries += struct.pack("<BBBBHHII", size % 256, size % 256, 0, 0, 1, 32, len(content), at)
        at += len(content)
    (here / "fcs.ico").write_bytes(struct.pack("<HHH", 0, 1, len(data)) + entries + b"".join(data))


if __name__ == "__main__":
    main()
