"""Stain: amounts and absorbances of hematoxylin, eosin and blood, other for every patient, alike in all classes."""

import os
from dataclasses import dataclass

import numpy as np

# Absorbance of a unit of dye in R, G and B.
_HEMATOXYLIN = (0.62, 0.70, 0.34)
_EOSIN = (0.10, 0.82, 0.42)
_BLOOD = (0.10, 0.82, 0.72)
SV=float(os.environ.get('SV',1)); TONE=float(os.environ.get('TONE',1)); BASE=float(os.environ.get('BASE',.3)); CV=float(os.environ.get('CV',.75))

@dataclass(frozen=True)
class Stain:
    dyes: np.ndarray
    hematoxylin: float
    eosin: float
    nuclei: float
    contrast: float
    white: np.ndarray


def draw_stain(patient, slide):
    dyes = np.array([_HEMATOXYLIN, _EOSIN, _BLOOD]) * patient.uniform(1-.1*SV, 1+.1*SV, (3, 3))
    lean = patient.normal(0, 0.1*SV)
    amounts = np.array([0.42, 0.42, 0.9, 1.0]) * np.exp(patient.normal(0, SV*np.array([0.1, 0.1, 0.12, 0.1])))
    amounts *= np.exp(slide.normal(0, 0.03, 4))
    amounts[:2] *= np.exp([lean, -lean])
    white = patient.uniform(243, 248) + patient.uniform(-2, 2, 3)
    return Stain(dyes, *(float(amount) for amount in amounts), white)


def develop(rng, stain, planes):
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


def tone(rgb, inside, stain):
    """Apply, in place, the tone curve that gives the tissue the grey values that the stain asks for."""
    random = np.random.default_rng(0)
    dye = random.gamma(1 / CV**2, CV**2, (2, 40000)) * stain.contrast
    dye = np.array([stain.hematoxylin, stain.eosin])[:, None] * (BASE + (1 - BASE) * dye*[[1],[.8]])
    for channel in range(3):
        wanted = np.sort(stain.white[channel] * np.exp(-(stain.dyes[:2, channel] @ dye)))
        top = int(stain.white[channel]) - 8
        counts = np.bincount(rgb[..., channel][inside], minlength=256)[:top].astype(float)
        share = (np.cumsum(counts) - counts / 2) / counts.sum()
        curve = np.arange(256.0)
        curve[:top] = np.minimum(np.quantile(wanted, share), top)
        curve = TONE*curve+(1-TONE)*np.arange(256)
        rgb[..., channel] = np.rint(curve).astype(np.uint8)[rgb[..., channel]]
