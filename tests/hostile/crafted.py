"""Files that no sane program writes, byte by byte."""

import struct

SHORT, LONG = 3, 4


def tiff(directories, *, body=b"", subifds=None):
    """Return a classic little-endian TIFF file.

    `directories` holds (tags, next) each: tags a dict of number to (type, list of values), next the index of the
    directory that follows, or None. `body` stands at byte 8. `subifds` maps a directory to those it lists below it.
    """
    subifds = subifds or {}
    listed = [
        ({**tags, **({330: (LONG, [0] * len(subifds[i]))} if i in subifds else {})}, following)
        for i, (tags, following) in enumerate(directories)
    ]
    offsets, place = [], 8 + len(body) + len(body) % 2
    for tags, _ in listed:
        offsets.append(place)
        place += 6 + 12 * len(tags) + sum(_outside(*value) for value in tags.values())
    parts = [struct.pack("<2sHI", b"II", 42, offsets[0]), body, b"\0" * (len(body) % 2)]
    for i, (tags, following) in enumerate(listed):
        entries, values, free = [], [], offsets[i] + 6 + 12 * len(tags)
        for tag, (kind, numbers) in sorted(tags.items()):
            numbers = [offsets[below] for below in subifds[i]] if tag == 330 else numbers
            packed = struct.pack(f"<{len(numbers)}{'H' if kind == SHORT else 'I'}", *numbers)
            if len(packed) > 4:
                entries.append(struct.pack("<HHII", tag, kind, len(numbers), free))
                values.append(packed)
                free += len(packed)
            else:
                entries.append(struct.pack("<HHI", tag, kind, len(numbers)) + packed.ljust(4, b"\0"))
        after = 0 if following is None else offsets[following]
        parts += [struct.pack("<H", len(tags)), *entries, struct.pack("<I", after), *values]
    return b"".join(parts)


def _outside(kind, numbers):
    size = len(numbers) * (2 if kind == SHORT else 4)
    return size if size > 4 else 0


def page(width, height, *, offsets=(8,), counts=None, tile=None, compression=1, reduced=False, rows=None):
    """Return the tags of a page of grey pixels, for `tiff`."""
    counts = counts or [width * height] * len(offsets)
    tags = {
        254: (LONG, [int(reduced)]),
        256: (LONG, [width]),
        257: (LONG, [height]),
        258: (SHORT, [8]),
        259: (SHORT, [compression]),
        262: (SHORT, [1]),
        277: (SHORT, [1]),
    }
    if tile:
        return tags | {322: (LONG, [tile[0]]), 323: (LONG, [tile[1]]), 324: (LONG, offsets), 325: (LONG, counts)}
    return tags | {273: (LONG, offsets), 278: (LONG, [rows or height]), 279: (LONG, counts)}


def jpeg_claiming(data, width, height):
    """Return a JPEG file whose header says other sides than its pixels have."""
    at = next(i for i in range(len(data)) if data[i : i + 2] in (b"\xff\xc0", b"\xff\xc2"))
    return data[: at + 5] + struct.pack(">HH", height, width) + data[at + 9 :]


def jpeg2000_claiming(data, width, height):
    """Return a JPEG 2000 codestream whose SIZ says other sides than its pixels have, in one tile."""
    at = data.index(b"\xff\x51")
    sides = struct.pack(">IIIIIIII", width, height, 0, 0, width, height, 0, 0)
    return data[: at + 6] + sides + data[at + 38 :]


def webp_claiming(data, width, height):
    """Return a lossy WebP file whose frame says other sides than its pixels have, up to 16383."""
    at = data.index(b"\x9d\x01\x2a")
    return data[: at + 3] + struct.pack("<HH", width, height) + data[at + 7 :]


def png_claiming(data, width, height):
    """Return a PNG file whose header, with its checksum, says other sides than its pixels have."""
    import zlib

    header = b"IHDR" + struct.pack(">II", width, height) + data[24:29]
    return data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:]
