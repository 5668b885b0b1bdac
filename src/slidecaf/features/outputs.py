"""Several outputs of one pass: side by side in a matrix, in the order of their names, until they are written."""

from collections.abc import Mapping


def width_of(dimension) -> int:
    """Return how many values all outputs have together.

    Parameters
    ----------
    dimension : int, or mapping of str to int

    Returns
    -------
    int
    """
    return sum(dimension.values()) if isinstance(dimension, Mapping) else dimension


def outputs_of(described) -> dict[str, tuple[int, str]] | None:
    """Return the length and the layer of each of several outputs.

    Parameters
    ----------
    described : mapping
        From `describe_loaded` or `slidecaf.features.describe`.

    Returns
    -------
    dict of str to (int, str), or None
        In the order of their names, in which they stand side by side; None where there is one output.
    """
    if "outputs" not in described:
        return None
    return {name: (described["dimension"][name], one["layer"]) for name, one in sorted(described["outputs"].items())}


def side_by_side(features):
    """Return the features of several outputs as one matrix.

    Parameters
    ----------
    features : torch.Tensor, shape (n, D), or dict of str to such a tensor

    Returns
    -------
    torch.Tensor
        Of one output what was given.
    """
    if not isinstance(features, Mapping):
        return features
    import torch  # here: jobs that only read features do without

    return torch.cat([features[name] for name in sorted(features)], 1)
