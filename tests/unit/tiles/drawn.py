"""Slides held in memory, and the recipe of tiles word by word."""

import io

import numpy as np
from PIL import Image

from slidecaf.slides.base import Level, Slide


class ArraySlide(Slide):
    """A slide of levels held in memory that remembers what was read of it."""

    def __init__(self, *images, block=(64, 48), tile=None, mpp=None, magnification=None):
        height, width = images[0].shape[:2]
        sizes = [image.shape[:2] for image in images]
        levels = [Level(w, h, (width / w + height / h) / 2, block, tile) for h, w in sizes]
        super().__init__("s", "s.tif", levels, mpp=mpp, magnification=magnification)
        self.images, self.reads = images, [np.zeros(size, int) for size in sizes]
        self.largest = 0

    def _release(self):
        self.images = None

    def _read(self, x, y, width, height, level):
        self.reads[level][y : y + height, x : x + width] += 1
        self.largest = max(self.largest, width * height)
        return self.images[level][y : y + height, x : x + width]


def blank(height, width):
    return np.full((height, width, 3), 255, np.uint8)


def literal(image, size, stride, edge, white_above):
    """The recipe, word by word."""
    height, width = image.shape[:2]

    def starts(length):
        places = [0]
        if edge == "cover":
            while places[-1] + size < length:
                places.append(places[-1] + stride)
        else:
            while places[-1] + stride + size <= length:
                places.append(places[-1] + stride)
        return places

    kept = []
    for y in starts(height):
        for x in starts(width):
            patch = image[y : y + size, x : x + size]  # beyond the border there are no pixels
            if white_above is None or not (patch > white_above).all():
                kept.append((x, y))
    return np.array(kept, np.int64).reshape(-1, 2)


def tissue(rng, height, width):
    """White with blots, lines and single pixels, some of which are just white and some just not."""
    image = blank(height, width)
    for _ in range(rng.integers(0, 12)):
        x, y = rng.integers(0, (width, height))
        w, h = rng.choice([1, 2, 5, 20, 60], 2)
        image[y : y + h, x : x + w, rng.integers(0, 3)] = rng.choice([0, 60, 180, 200, 201])
    return image


def halves(image, levels, quality):
    """A pyramid by Lanczos resampling, with JPEG in between, as scanners make them."""
    images = [image]
    for _ in range(levels):
        height, width = images[-1].shape[:2]
        if min(height, width) < 2:
            break
        small = Image.fromarray(images[-1]).resize((width // 2, height // 2), Image.LANCZOS)
        content = io.BytesIO()
        small.save(content, "JPEG", quality=quality)
        images.append(np.array(Image.open(content)))
    return images
