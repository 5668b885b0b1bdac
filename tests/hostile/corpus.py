"""Bad, odd and hostile files of slides and masks, made by code and from real files."""

import io
import os
import socket
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

from tests.hostile import crafted

RNG = np.random.default_rng(6)
RGB = RNG.integers(0, 256, (96, 128, 3)).astype(np.uint8)
GREY = RGB[..., 0].copy()
ALPHA = RNG.integers(0, 256, GREY.shape).astype(np.uint8)
WIDE = RNG.integers(0, 256, (1, 100_000, 3)).astype(np.uint8)
RGB_TILES = {"photometric": "rgb", "tile": (32, 32)}
REFUSED = None
"""In place of pixels: nothing may be read."""


@dataclass
class Case:
    """A file, and what reading it must give.

    Attributes
    ----------
    name : str
    path : Path
    shown : ndarray or REFUSED
        What must be read: RGB of a slide, True and False of a mask.
    parts : bool
        Whether it may also be refused, all of it or some patches; what is read must show `shown` all the same.
    unchecked : bool
        Whether it may show anything: bytes were changed, and the format holds no checksum that would tell.
    says : str
        A part of the error.
    mpp : float, None or "any"
        What the slide must say of its resolution.
    """

    name: str
    path: Path
    shown: np.ndarray | None = REFUSED
    parts: bool = False
    unchecked: bool = False
    says: str = ""
    mpp: object = "any"


class Corpus:
    """Collects cases in a folder."""

    def __init__(self, folder):
        self.folder, self.cases = Path(folder), []

    def add(self, name, content, shown=REFUSED, **expected):
        """Write a file, unless `content` makes it by itself."""
        path = self.folder / name
        if callable(content):
            content(path)
        else:
            path.write_bytes(content)
        self.cases.append(Case(name, path, shown, **expected))


def encoded(image, kind, **options):
    """Return an image file's bytes."""
    buffer = io.BytesIO()
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def tiff_bytes(image, **options):
    """Return a TIFF file's bytes as tifffile writes them."""
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, image, **options)
    return buffer.getvalue()


def grey(image):
    """Return a grey image as RGB."""
    return np.repeat(image[..., None], 3, axis=-1)


def decoded(data):
    """Return what Pillow makes of a file."""
    return np.array(Image.open(io.BytesIO(data)).convert("RGB"))


def on_white(rgb, alpha):
    """Lay an image on white, in floating point."""
    opacity = alpha[..., None] / 255
    return np.rint(rgb * opacity + 255 * (1 - opacity))


def light(ink):
    """Turn CMYK into RGB, in floating point."""
    left = 255.0 - ink
    return np.rint(left[..., :3] * left[..., 3:] / 255)


def no_images(corpus):
    """Add what is no image, and images under wrong names."""
    png = encoded(RGB, "PNG")
    corpus.add("empty.svs", b"", says="is empty")
    corpus.add("one-byte.tif", b"I")
    corpus.add("four-bytes.tif", b"II*\0")
    corpus.add("text.png", "slide\tpath\nä".encode())
    corpus.add("page.svs", b"<!doctype html><title>404</title>")
    corpus.add("archive.ndpi", b"PK\3\4" + bytes(100))
    corpus.add("zeros.tif", bytes(100_000))
    corpus.add("gif.png", encoded(RGB, "GIF"))
    corpus.add("folder.svs", Path.mkdir, says="is a folder without a DICOM file")
    corpus.add("fifo.svs", os.mkfifo, says="is no file")
    corpus.add("socket.svs", _socket, says="is no file")
    corpus.add("loop.svs", lambda path: path.symlink_to(path.name), says="is no file")
    corpus.add("dangling.svs", lambda path: path.symlink_to("nowhere"), says="is no file")
    corpus.add("endless.svs", lambda path: path.symlink_to("/dev/zero"), says="is no file")
    corpus.add("absent.svs", lambda path: None, says="is no file")
    corpus.add("png.mrxs", png, says="is MIRAX without the folder png beside it")
    for name in ("png.svs", "png.ndpi", "name with\nline\x1b[31m.png"):
        corpus.add(name, png, RGB)
    corpus.add("tiff.jpg", tiff_bytes(RGB, **RGB_TILES), RGB)


def _socket(path):
    place = os.getcwd()
    os.chdir(path.parent)  # the address of a socket is short
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(place)


def odd_images(corpus):
    """Add PNG and JPEG files of every kind."""
    sixteen = RNG.integers(0, 2**16, GREY.shape).astype(np.uint16)
    black = RNG.integers(0, 2, GREY.shape).astype(bool)
    indices = Image.fromarray(RGB).quantize(64)
    corpus.add("1x1.png", encoded(RGB[:1, :1], "PNG"), RGB[:1, :1])
    corpus.add("wide.png", encoded(WIDE, "PNG"), WIDE)
    corpus.add("high.png", encoded(np.rot90(WIDE).copy(), "PNG"), np.rot90(WIDE))
    corpus.add("1bit.png", encoded(black, "PNG"), grey(black * np.uint8(255)))
    corpus.add("grey.png", encoded(GREY, "PNG"), grey(GREY))
    corpus.add("16bit.png", encoded(sixteen, "PNG"), grey(np.rint(sixteen / 257)))
    corpus.add("alpha.png", encoded(np.dstack([RGB, ALPHA]), "PNG"), on_white(RGB, ALPHA))
    corpus.add("palette.png", encoded(indices, "PNG"), np.array(indices.convert("RGB")))
    for name, data in (
        ("progressive.jpg", encoded(RGB, "JPEG", progressive=True)),
        ("grey.jpg", encoded(GREY, "JPEG")),
    ):
        corpus.add(name, data, decoded(data))
    cmyk = encoded(Image.fromarray(RGB).convert("CMYK"), "JPEG", quality=95)
    corpus.add("cmyk.jpg", cmyk, light(np.array(Image.open(io.BytesIO(cmyk)))))


def odd_tiffs(corpus):
    """Add TIFF files of every kind, those that can be read and those that cannot."""
    sixteen = RNG.integers(0, 2**16, RGB.shape).astype(np.uint16)
    black = RNG.integers(0, 2, GREY.shape).astype(bool)
    four = np.dstack([RGB, ALPHA])
    tile, rgb, one = {"tile": (32, 32)}, {"photometric": "rgb"}, {"photometric": "minisblack"}
    corpus.add("1x1.tif", tiff_bytes(RGB[:1, :1], **rgb), RGB[:1, :1])
    corpus.add("wide-tiled.tif", tiff_bytes(WIDE, tile=(16, 256), **rgb), WIDE)
    corpus.add("wide-strip.tif", tiff_bytes(WIDE, compression="lzw", **rgb), WIDE)
    corpus.add("1bit.tif", tiff_bytes(black, **tile, **one), grey(black * np.uint8(255)))
    corpus.add("16bit.tif", tiff_bytes(sixteen, **RGB_TILES, compression="zlib"), np.rint(sixteen / 257))
    corpus.add("grey.tif", tiff_bytes(GREY, **tile), grey(GREY))
    corpus.add("white-is-zero.tif", tiff_bytes(GREY, photometric="miniswhite"), grey(255 - GREY))
    corpus.add("alpha.tif", tiff_bytes(four, **RGB_TILES, extrasamples=["unassalpha"]), on_white(RGB, ALPHA))
    corpus.add("cmyk.tif", tiff_bytes(four, **tile, photometric="separated"), light(four))
    corpus.add("planar.tif", tiff_bytes(RGB.transpose(2, 0, 1), planarconfig="separate", **RGB_TILES), RGB)
    for kind in ("jpeg2000", "webp", "png", "zstd", "lzma"):
        lossless = {"compressionargs": {"lossless": True}} if kind == "webp" else {}
        corpus.add(f"{kind}.tif", tiff_bytes(RGB, compression=kind, **lossless, **RGB_TILES), RGB)
    corpus.add("32bit.tif", tiff_bytes(sixteen.astype(np.uint32), **rgb), says="not supported")
    corpus.add("float.tif", tiff_bytes(RGB.astype(np.float32), **RGB_TILES), says="not supported")
    corpus.add("signed.tif", tiff_bytes(GREY.astype(np.int16), **one), says="not supported")
    corpus.add("complex.tif", tiff_bytes(GREY.astype(np.complex64), **one), says="not supported")
    corpus.add("stack.tif", tiff_bytes(np.stack([GREY, GREY]), **one), says="stack")


def odd_resolutions(corpus):
    """Add slides whose resolution is missing or absurd, and pyramids that lack levels."""
    for name, resolution, mpp in (
        ("no-mpp", None, None),
        ("mpp", (20_000, 20_000), 0.5),
        ("mpp-zero", (0, 0), None),
        ("mpp-huge", ((1, 2**31), (1, 2**31)), None),
        ("mpp-tiny", ((2**32 - 1, 1), (2**32 - 1, 1)), None),
    ):
        given = {} if resolution is None else {"resolution": resolution, "resolutionunit": 3}
        corpus.add(f"{name}.tif", tiff_bytes(RGB, **RGB_TILES, **given), RGB, mpp=mpp)
    stated = tiff_bytes(RGB, **RGB_TILES, resolution=(20_011, 20_011), resolutionunit=3)
    by_zero = stated.replace(struct.pack("<II", 20_011, 1), struct.pack("<II", 20_011, 0))
    corpus.add("mpp-by-zero.tif", by_zero, RGB, mpp=None)
    for name, text, mpp in (
        ("svs", "|AppMag = 40|MPP = 0.25", 0.25),
        ("svs-without-mpp", "", None),
        ("svs-mpp-word", "|AppMag = many|MPP = fine", None),
        ("svs-mpp-nan", "|AppMag = nan|MPP = nan", None),
        ("svs-mpp-inf", "|AppMag = inf|MPP = 1e400", None),
        ("svs-mpp-minus", "|AppMag = -1|MPP = -0.25", None),
        ("svs-mpp-comma", "|AppMag = 40|MPP = 0,25", "any"),
    ):
        description = f"Aperio Image Library v1\r\n128x96 (32x32) JPEG/RGB Q=90{text}"
        data = tiff_bytes(RGB, description=description, metadata=None, compression="jpeg", **RGB_TILES)
        corpus.add(f"{name}.svs", data, tifffile.imread(io.BytesIO(data)), mpp=mpp)
    with io.BytesIO() as buffer:
        with tifffile.TiffWriter(buffer) as writer:
            writer.write(RGB, **RGB_TILES)
            for step in (2, 4):
                writer.write(RGB[::step, ::step], subfiletype=1, tile=(16, 16), photometric="rgb")
        data = buffer.getvalue()
    corpus.add("pyramid.tif", data, RGB)
    with tifffile.TiffFile(io.BytesIO(data)) as tiff:
        second = tiff.pages[2].offset
    corpus.add("missing-level.tif", data[:second] + bytes(len(data) - second), RGB)


def broken_tiffs(corpus):
    """Add TIFF files whose directories lie."""
    pixels = bytes(range(256)) * 16
    shown = grey(np.frombuffer(pixels, np.uint8).reshape(64, 64))
    page, small = crafted.page(64, 64), crafted.page(32, 32, reduced=True)

    def add(name, directories, shown=REFUSED, subifds=None, **expected):
        corpus.add(f"{name}.tif", crafted.tiff(directories, body=pixels, subifds=subifds), shown, **expected)

    add("crafted", [(page, None)], shown)
    circle = {"says": "run in a circle"}
    for count in (1, 2, 90, 150, 3000):
        add(f"loop-of-{count}", [(page if i == 0 else small, (i + 1) % count) for i in range(count)], **circle)
    add("loop-at-the-end", [(page, 1), *((small, i + 1 if i < 300 else 200) for i in range(1, 301))], **circle)
    tiny = {254: (crafted.LONG, [1])}
    many = [(page, 1), *((tiny, i + 1 if i < 100_000 else None) for i in range(1, 100_001))]
    add("100000-directories", many, says="more than 4096")
    add("below-itself", [(page, None)], subifds={0: [0]}, **circle)
    add("below-in-turn", [(page, 1), (small, None)], subifds={0: [1], 1: [0]}, **circle)
    add("100000-below", [(page, None)], subifds={0: [0] * 100_000}, says="more than 4096")
    listed = crafted.page(64, 64, offsets=[8] * 200_000, counts=[1] * 200_000)
    add("more-strips-than-rows", [(listed, None)], shown, parts=True)
    ring = [(listed, i + 1 if i < 30 else None) for i in range(31)]
    add("6-million-strips", ring, says="more than")
    add("beyond-the-end", [(crafted.page(64, 64, offsets=[10**6]), None)])
    add("overlong", [(crafted.page(64, 64, counts=[2**32 - 1], compression=5), None)])
    add("no-sides", [(crafted.page(0, 64), None)])
    add("no-tags", [({}, None)])
    add("zero-tile", [(crafted.page(64, 64, tile=(0, 0)), None)])
    add("tiles-missing", [(crafted.page(64, 64, tile=(16, 16)), None)])
    for name, tag, value in (("0bit", 258, 0), ("65535-channels", 277, 65535), ("unknown-compression", 259, 4711)):
        add(name, [(page | {tag: (crafted.SHORT, [value])}, None)])


def bombs(corpus):
    """Add small files that declare, or unpack to, very many pixels."""
    png, jpeg = encoded(GREY, "PNG"), encoded(GREY, "JPEG")
    for side in (40_000, 2**31 - 1):
        corpus.add(f"{side}.png", crafted.png_claiming(png, side, side), says="max_decoded_megapixels")
    corpus.add("65500.jpg", crafted.jpeg_claiming(jpeg, 65_500, 65_500), says="max_decoded_megapixels")
    zeros = zlib.compress(bytes(2**27), 1)
    chunk = b"zTXtbomb\0\0" + zeros
    chunk = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    corpus.add("text-bomb.png", png[:33] + chunk + png[33:], grey(GREY), parts=True)

    def add(name, body, *sides, **options):
        expected = options.pop("expected", {})
        page = crafted.page(*sides, counts=[len(body)], **options)
        corpus.add(f"{name}.tif", crafted.tiff([(page, None)], body=body), **expected)

    most, few = 2**32 - 1, b"\1\2\3\4"
    add("huge", few, most, most)
    add("huge-strip", few, 2**16, 2**16, compression=5, expected={"says": "max_decoded_megapixels"})
    add(
        "one-tall-strip",
        zlib.compress(GREY.tobytes()),
        128,
        96,
        rows=most,
        compression=8,
        expected={"shown": grey(GREY)},
    )
    for compression in (1, 7, 8, 34712):
        add(f"huge-tiled-{compression}", few, most, most, tile=(256, 256), compression=compression)
        add(f"huge-tile-{compression}", few, 2**17, 2**17, tile=(2**17, 2**17), compression=compression)
        add(f"tile-beyond-slide-{compression}", few, 64, 64, tile=(2**16, 2**16), compression=compression)
    black = {"shown": np.zeros((64, 64, 3), np.uint8)}
    add("bomb-deflate", zeros, 64, 64, tile=(64, 64), compression=8, expected=black)
    j2k = imagecodecs.jpeg2k_encode(GREY, codecformat="j2k")
    webp = encoded(RGB, "WEBP", quality=80)
    for name, compression, body in (
        ("jpeg", 7, crafted.jpeg_claiming(jpeg, 65_500, 65_500)),
        ("other-jpeg", 33007, crafted.jpeg_claiming(jpeg, 65_500, 65_500)),
        ("jpeg2000", 34712, crafted.jpeg2000_claiming(j2k, 60_000, 60_000)),
        ("webp", 50001, crafted.webp_claiming(webp, 16_383, 16_383)),
        ("png", 34933, crafted.png_claiming(png, 60_000, 60_000)),
    ):
        add(f"bomb-{name}", body, 64, 64, tile=(64, 64), compression=compression)


KINDS = {
    "png": lambda: encoded(RGB, "PNG"),
    "jpg": lambda: encoded(RGB, "JPEG", quality=90),
    "striped.tif": lambda: tiff_bytes(RGB, photometric="rgb", rowsperstrip=7, compression="zlib"),
    "tiled.tif": lambda: tiff_bytes(RGB, **RGB_TILES, compression="lzw"),
    "j2k.tif": lambda: tiff_bytes(RGB, **RGB_TILES, compression="jpeg2000"),
    "plain.tif": lambda: tiff_bytes(RGB, photometric="rgb"),
}
"""Undamaged files of RGB, to be damaged."""


def truncated(corpus):
    """Add files cut off at many places."""
    for kind, make in KINDS.items():
        data = make()
        for share in (0.001, 0.01, 0.1, 0.5, 0.9, 0.999):
            shown = decoded(data) if kind == "jpg" else RGB
            corpus.add(f"cut-{share}.{kind}", data[: max(9, int(len(data) * share))], shown, parts=True)


def flipped(corpus):
    """Add files with bits changed, in the header and in the body."""
    for kind, make in KINDS.items():
        data = make()
        for start, stop in ((0, 64), (64, 1024), (1024, len(data)), (len(data) - 64, len(data))):
            for seed in range(2):
                changed = flip(data, np.random.default_rng(seed), 4, start, stop)
                expected = {"parts": True, "unchecked": kind != "png"}
                corpus.add(f"flip-{start}-{seed}.{kind}", changed, RGB, **expected)


def flip(data, rng, count, start=0, stop=None):
    """Return bytes with some bits changed."""
    changed = bytearray(data)
    for place in rng.integers(start, len(data) if stop is None else min(stop, len(data)), count).tolist():
        changed[place] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def real(corpus, data):
    """Add real slides that are bad, and good ones cut off or changed."""
    for name in ("broken.svs", "unopenable.tiff", "unreadable.svs"):
        corpus.add(name, (data / "slides" / name).read_bytes(), parts=True)
    for name in ("cmu-1-small-region.svs", "boxes.tiff", "small.svs"):
        content = (data / "slides" / name).read_bytes()
        shown = np.zeros((1, 1, 3), np.uint8)
        for share in (0.01, 0.3, 0.7, 0.95, 0.9999):
            corpus.add(f"cut-{share}-{name}", content[: int(len(content) * share)], shown, parts=True, unchecked=True)
        for start, stop in ((0, 1000), (1000, None), (max(0, len(content) - 3000), None)):
            changed = flip(content, np.random.default_rng(start), 40, start, stop)
            corpus.add(f"flip-{start}-{name}", changed, shown, parts=True, unchecked=True)


MARKED = np.zeros((96, 128), bool)
MARKED[20:60, 30:100] = True


def masks(corpus):
    """Add masks, good and bad, for a slide of 128 x 96 px."""
    stored, tile = MARKED * np.uint8(255), {"tile": (32, 32)}
    png = encoded(stored, "PNG")
    packed = tiff_bytes(stored, **tile, compression="zlib")
    for name, content in (
        ("good.png", png),
        ("1bit.png", encoded(MARKED, "PNG")),
        ("1bit.tif", tiff_bytes(MARKED, photometric="minisblack")),
        ("16bit.tif", tiff_bytes(MARKED * np.uint16(9), photometric="minisblack")),
        ("32bit.tif", tiff_bytes(MARKED * np.uint32(2**31), photometric="minisblack")),
        ("good.tif", packed),
        ("good.svs", packed),
    ):
        corpus.add(name, content, MARKED)
    corpus.add("empty.png", b"", says="is empty")
    corpus.add("text.png", b"mask")
    corpus.add("folder.png", Path.mkdir, says="is no file")
    corpus.add("fifo.png", os.mkfifo, says="is no file")
    corpus.add("loop.png", lambda path: path.symlink_to(path.name), says="is no file")
    corpus.add("lossy.jpg", encoded(stored, "JPEG"), says="neither PNG nor TIFF")
    corpus.add("float.tif", tiff_bytes(stored.astype(np.float32), **tile))
    corpus.add("alpha.png", encoded(np.dstack([stored] * 3 + [ALPHA]), "PNG"), says="alpha")
    corpus.add("values.png", encoded(GREY, "PNG"), says="more than two values")
    corpus.add("small.png", encoded(stored[:64, :64].copy(), "PNG"), says="64 x 64 px")
    corpus.add("huge.png", crafted.png_claiming(png, 2**31 - 1, 2**31 - 1), says="full size")
    corpus.add("1x1.png", encoded(stored[:1, :1].copy(), "PNG"), says="full size")
    page = crafted.page(128, 96)
    body = stored.tobytes()
    corpus.add("loop.tif", crafted.tiff([(page, 0)], body=body), says="run in a circle")
    page = crafted.page(128, 96, tile=(2**16, 2**16), compression=8, counts=[4])
    corpus.add("huge-tile.tif", crafted.tiff([(page, None)], body=body), says="max_decoded_megapixels")
    claiming = crafted.png_claiming(png, 60_000, 60_000)
    page = crafted.page(128, 96, tile=(128, 96), compression=34933, counts=[len(claiming)])
    corpus.add("bomb.tif", crafted.tiff([(page, None)], body=claiming))
    page = crafted.page(128, 96, rows=2**32 - 1, compression=8, counts=[2**32 - 1])
    corpus.add("overlong.tif", crafted.tiff([(page, None)], body=body))
    for name, data in (("png", png), ("tif", packed)):
        for share in (0.01, 0.5, 0.95):
            corpus.add(f"cut-{share}.{name}", data[: max(9, int(len(data) * share))])
        for seed in range(4):
            # deflate in a TIFF tile and the chunks of a PNG hold checksums; the tags of a TIFF do not
            changed = flip(data, np.random.default_rng(seed), 4, 40)
            corpus.add(f"flip-{seed}.{name}", changed, MARKED, parts=True, unchecked=name == "tif")
