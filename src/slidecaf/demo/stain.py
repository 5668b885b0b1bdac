"""Stain: absorbances of hematoxylin, eosin and blood, other for every patient and alike in all classes."""

from dataclasses import dataclass

import numpy as np

# Absorbance of a unit of dye in R, G and B.
_HEMATOXYLIN = (0.62, 0.70, 0.34)
_EOSIN = (0.10, 0.82, 0.42)
_BLOOD = (0.10, 0.80, 0.70)


@dataclass(frozen=True)
class Stain:
    """How a patient's slides were stained and scanned.

    Parameters
    ----------
    dyes : float array (3, 3)
        Absorbance in R, G, B of a unit of hematoxylin, eosin, blood.
    hematoxylin, eosin : float
        Mean amount in the tissue; equal in all classes, so that the mean colour tells nothing.
    nuclei : float
        Amount of hematoxylin in a nucleus.
    white : float array (3,)
        The background's grey values.
    """

    dyes: np.ndarray
    hematoxylin: float
    eosin: float
    nuclei: float
    spreadh: float
    spreade: float
    white: np.ndarray


def draw_stain(patient, slide):
    """Draw a stain. The class has no say in it.

    Parameters
    ----------
    patient, slide : numpy.random.Generator
        The patient's own, for what its slides share, and the slide's.

    Returns
    -------
    Stain
    """
    import os; SV=float(os.environ.get('SV',1)); HUE=float(os.environ.get('HUE',.15))
    dyes = np.array([_HEMATOXYLIN, _EOSIN, _BLOOD]) * patient.uniform(1-.12*SV, 1+.12*SV, (3, 3))
    lean = patient.normal(0, HUE)
    amounts = np.array([0.42, 0.42, 0.9, 0.32, 0.22]) * np.exp(patient.normal(0, (0.18, 0.22, 0.15, 0.12, 0.12)))
    amounts *= np.exp(slide.normal(0, 0.02+.04*SV, 5))
    amounts[:2] *= np.exp([lean, -lean])
    white = patient.uniform(243, 248) + patient.uniform(-2, 2, 3)
    return Stain(dyes, *(float(amount) for amount in amounts), white)


def develop(rng, stain, planes):
    """Turn amounts of dye into a picture, by Beer and Lambert's law.

    Parameters
    ----------
    rng : numpy.random.Generator
        For the camera's noise.
    stain : Stain
    planes : sequence of float32 array (h, w)
        Amounts of hematoxylin, eosin and blood.

    Returns
    -------
    uint8 array (h, w, 3)
    """
    shape = planes[0].shape
    rgb = np.empty((*shape, 3), np.uint8)
    noise = rng.standard_normal((shape[0] + 61, shape[1] + 61), dtype=np.float32)
    noise *= np.float32(1.4)
    for channel in range(3):
        light = sum(plane * np.float32(dye[channel]) for plane, dye in zip(planes, stain.dyes, strict=True))
        np.exp(np.negative(light, out=light), out=light)
        light *= np.float32(stain.white[channel])
        # One sheet of noise, shifted: channels differ, at a third of the time.
        shift = 30 * channel
        light += noise[shift : shift + shape[0], shift : shift + shape[1]]
        np.clip(light, 0, 253, out=light)
        rgb[..., channel] = light
    return rgb
