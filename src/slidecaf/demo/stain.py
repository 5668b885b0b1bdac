"""Stain: how a patient's slides were dyed and scanned; drawn alike for all classes.

The class could leak through colour: crowded nuclei make tissue bluer, necrosis makes it paler. So a tone curve
gives every slide's tissue the grey values that its stain asks for, and only their arrangement tells the classes
apart.
"""

from dataclasses import dataclass

import numpy as np

# Absorbance of a unit of dye in R, G and B.
_DYES = ((0.62, 0.70, 0.34), (0.10, 0.82, 0.42), (0.07, 0.80, 0.72))
_FLOOR = 0.3  # least amount of a dye in tissue, as a share of its mean
_SAMPLES = 40000  # from which the wanted grey values are read off


@dataclass(frozen=True)
class Stain:
    """How a patient's slides were dyed and scanned.

    Parameters
    ----------
    dyes : float array (3, 3)
        Absorbance in R, G and B of a unit of hematoxylin, eosin and blood.
    hematoxylin, eosin : float
        Mean amount in the tissue.
    nuclei : float
        Amount of hematoxylin in a nucleus.
    contrast : float
        Coefficient of variation of the dyes' amounts in the tissue.
    white : float array (3,)
        Grey values of the background.
    """

    dyes: np.ndarray
    hematoxylin: float
    eosin: float
    nuclei: float
    contrast: float
    white: np.ndarray


def draw_stain(patient, slide) -> Stain:
    """Draw a stain; the class has no say in it.

    Parameters
    ----------
    patient, slide : numpy.random.Generator
        The patient's own, for what its slides share, and the slide's.

    Returns
    -------
    Stain
    """
    dyes = np.array(_DYES) * patient.uniform(0.93, 1.07, (3, 3))
    hue = patient.normal(0, 0.07)  # bluer or pinker
    amounts = np.array([0.42, 0.37, 0.9, 1.05]) * np.exp(patient.normal(0, (0.06, 0.06, 0.07, 0.06)))
    amounts *= np.exp(np.add(slide.normal(0, 0.03, 4), (hue, -hue, 0, 0)))
    white = patient.uniform(243, 248) + patient.uniform(-2, 2, 3)
    return Stain(dyes, *amounts.tolist(), white)


def develop(rng, stain, planes) -> np.ndarray:
    """Turn amounts of dye into a picture, by Beer and Lambert's law, with the camera's noise.

    Parameters
    ----------
    rng : numpy.random.Generator
    stain : Stain
    planes : sequence of float32 array (h, w)
        Amounts of hematoxylin, eosin and blood.

    Returns
    -------
    uint8 array (h, w, 3)
    """
    height, width = planes[0].shape
    rgb = np.empty((height, width, 3), np.uint8)
    noise = rng.standard_normal((height + 60, width + 60), dtype=np.float32)
    noise *= np.float32(1.4)
    for channel in range(3):
        light = sum(plane * np.float32(dye[channel]) for plane, dye in zip(planes, stain.dyes, strict=True))
        np.exp(np.negative(light, out=light), out=light)
        light *= np.float32(stain.white[channel])
        # One sheet of noise, shifted: channels differ, at a third of the time.
        shift = 30 * channel
        light += noise[shift : shift + height, shift : shift + width]
        rgb[..., channel] = np.clip(light, 0, 253, out=light)
    return rgb


def tone(rgb, inside, stain) -> None:
    """Bend the grey values so that the tissue's are distributed as the stain asks, in place.

    Every channel has one rising curve for the whole slide, as a scanner's calibration has; the background keeps
    its values. The wanted distribution is that of hematoxylin and eosin in independent, gamma-distributed amounts.

    Parameters
    ----------
    rgb : uint8 array (h, w, 3)
        Changed in place.
    inside : bool array (h, w)
        Where tissue is.
    stain : Stain
    """
    shape = 1 / stain.contrast**2
    gamma = np.random.default_rng(0).gamma(shape, 1 / shape, (2, _SAMPLES))
    amounts = np.array([[stain.hematoxylin], [stain.eosin]]) * (_FLOOR + (1 - _FLOOR) * gamma)
    for channel in range(3):
        absorbed = stain.dyes[0, channel] * amounts[0] + stain.dyes[1, channel] * amounts[1]
        wanted = stain.white[channel] * np.exp(-absorbed)
        top = int(stain.white[channel]) - 8  # from here on it is background
        counts = np.bincount(rgb[..., channel][inside], minlength=256)[:top]
        rank = (np.cumsum(counts) - counts / 2) / counts.sum()
        curve = np.arange(256, dtype=np.uint8)
        curve[:top] = np.minimum(np.rint(np.quantile(wanted, rank)), top)
        rgb[..., channel] = curve[rgb[..., channel]]
