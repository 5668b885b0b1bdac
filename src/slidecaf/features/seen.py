"""What one of timm's networks sees: its weights say it, the config need not, and so files of features record it."""

from slidecaf.study.names import is_timm

SEEN = ("input_size", "mean", "std")
"""Px of the side of an image, and by what R, G and B are normalised, on a scale of 0 to 1."""


def seen_by(loaded, spec) -> dict:
    """Return what a network sees; nothing of other networks than timm's, of which the config says it.

    Parameters
    ----------
    loaded : slidecaf.features.networks.encoder.Encoder
    spec : mapping
        The config's ``encoder``.

    Returns
    -------
    dict
        Of `SEEN`; mean and deviation are lists of three numbers.
    """
    if not is_timm(spec["model"]):
        return {}
    return {"input_size": loaded.input_size, "mean": list(loaded.mean), "std": list(loaded.std)}
