"""What the samples of a TIFF page stand for, by its tags."""

from dataclasses import dataclass

import numpy as np

from slidecaf.slides.pixels import cmyk_to_rgb, grey_to_rgb, on_white, palette_to_rgb, to_uint8, ycbcr_to_rgb

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, SEPARATED, YCBCR = 0, 1, 2, 3, 5, 6
"""Values of PhotometricInterpretation."""

CHANNELS = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, PALETTE: 1, SEPARATED: 4, YCBCR: 3}
"""Samples a pixel of each, without alpha."""

JPEG = {6, 7, 33007, 34892}
"""Values of Compression whose decoder turns YCbCr into RGB."""

APERIO_YCBCR = 33003
"""The value of Compression that says YCbCr by JPEG 2000, whatever PhotometricInterpretation says; the decoder gives
that."""

UNSIGNED = 1
"""The value of SampleFormat."""

UNSPECIFIED, PREMULTIPLIED, STRAIGHT = 0, 1, 2
"""Values of ExtraSamples: of a fourth channel that is no alpha, and of alpha."""


@dataclass(frozen=True, eq=False)
class Colour:
    """How samples become RGB; made by `of`.

    Attributes
    ----------
    photometric : int
        A key of `CHANNELS`, or `APERIO_YCBCR`.
    top : int
        The value of a sample at its brightest (of ink, at its fullest): 2**bits - 1, or less where fewer bits are in
        use than stored.
    alpha : int or None
        `PREMULTIPLIED` or `STRAIGHT`, or None where there is no alpha.
    palette : ndarray of uint16, shape (3, 2**bits), or None
    """

    photometric: int
    top: int
    alpha: int | None
    palette: np.ndarray | None

    @classmethod
    def of(cls, page, *, used=None) -> "Colour":
        """Read a page's tags.

        Parameters
        ----------
        page : tifffile.TiffPage
        used : int, optional
            Bits of a sample that are in use, where something else than the tags says so (OME-XML's SignificantBits).

        Returns
        -------
        Colour

        Raises
        ------
        ValueError
            If it holds anything but grey, RGB, palette, CMYK or YCbCr by JPEG, of unsigned whole numbers of up
            to 16 bit, with or without alpha.
        """
        photometric, samples = int(page.photometric), page.samplesperpixel
        if page.sampleformat != UNSIGNED or page.bitspersample not in range(1, 17):
            raise ValueError(
                f"samples of {page.bitspersample} bit in format {int(page.sampleformat)} are not supported, only "
                "unsigned ones of 1 to 16 bit"
            )
        extra = samples - CHANNELS.get(photometric, 0)
        if page.compression == APERIO_YCBCR:
            if (photometric, samples, page.bitspersample) not in ((RGB, 3, 8), (YCBCR, 3, 8)):
                raise ValueError(
                    f"YCbCr by JPEG 2000 of {samples} channels of {page.bitspersample} bit is not supported"
                )
            return cls(APERIO_YCBCR, 255, None, None)
        if photometric not in CHANNELS or extra not in ((0,) if photometric == PALETTE else (0, 1)):
            raise ValueError(f"photometric interpretation {photometric} with {samples} channels is not supported")
        if photometric == YCBCR and page.compression not in JPEG:
            raise ValueError("YCbCr without JPEG is not supported")
        if photometric == SEPARATED and page.tags.valueof("InkSet", 1) != 1:
            raise ValueError("inks other than CMYK are not supported")
        # Without the tag, a fourth channel is alpha to most programs that write it.
        kind = (page.extrasamples or (STRAIGHT,))[0] if extra else UNSPECIFIED
        palette = np.array(page.colormap) if photometric == PALETTE else None
        if palette is not None and palette.shape != (3, 2**page.bitspersample):
            raise ValueError("the palette is missing or does not fit the bits")
        return cls(photometric, _top(page, used), None if kind == UNSPECIFIED else int(kind), palette)

    def rgb(self, samples) -> np.ndarray:
        """Turn samples into RGB.

        Parameters
        ----------
        samples : ndarray, shape (h, w, channels)

        Returns
        -------
        ndarray of uint8, shape (h, w, 3)
        """
        if self.photometric == PALETTE:
            return palette_to_rgb(samples[..., 0], self.palette)
        if self.photometric == APERIO_YCBCR:
            return ycbcr_to_rgb(samples)
        samples = to_uint8(samples, self.top)
        colour = samples[..., : CHANNELS[self.photometric]]
        if self.photometric == SEPARATED:
            colour = cmyk_to_rgb(colour)
        elif self.photometric == WHITE_IS_ZERO:
            colour = grey_to_rgb(255 - colour[..., 0])
        elif self.photometric == BLACK_IS_ZERO:
            colour = grey_to_rgb(colour[..., 0])
        if self.alpha is None:
            return colour
        return on_white(colour, samples[..., -1], premultiplied=self.alpha == PREMULTIPLIED)


def _top(page, used):
    """Return the largest value of a page's samples: of scanners and cameras with 10 to 14 bit in 16 it is less."""
    stored = 2**page.bitspersample - 1
    if used is not None and 0 < used <= page.bitspersample:
        return 2**used - 1
    said = page.tags.valueof("MaxSampleValue", stored)
    said = max(said) if isinstance(said, tuple) else said
    # only of 16 bit, and only whole numbers of bits: to others the tag is the largest value that occurs
    return said if page.bitspersample == 16 and said in (2**10 - 1, 2**12 - 1, 2**14 - 1) else stored
