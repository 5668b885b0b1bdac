"""Features files made up from vectors."""

import numpy as np

from slidecaf.features.file import write_features

SIDE = 10
"""Px of a patch, which lie in one row, touching."""


def bag_file(path, vectors, *, invalid=(), status="ok"):
    """Write the features file of a slide; invalid patches hold numbers that nobody may read."""
    vectors, valid = np.array(vectors, np.float16), np.ones(len(vectors), bool)
    valid[list(invalid)] = False
    vectors[~valid] = np.nan
    coords = np.stack([np.arange(len(vectors)) * SIDE, np.zeros(len(vectors))], axis=1).astype(np.int64)
    attributes = {"patch_size_level0": SIDE, "stride_level0": float(SIDE), "status": status}
    said = {"status": status, "weights_sha256": ""}
    with write_features(path, coords, vectors.shape[1], coords_attributes=attributes, attributes=said) as writer:
        if len(vectors):
            writer.append(vectors, valid)
    return path
