import numpy as np
import pytest

from slidecaf.pooling.fisher.mixture import fit_mixture


@pytest.fixture(scope="session")
def descriptors():
    """Five groups of descriptors far from the origin, of which some lie apart."""
    generator = np.random.default_rng(0)
    centres = generator.normal(3, 1, (5, 6))
    return np.concatenate([generator.normal(centre, 0.3, (80, 6)) for centre in centres])


@pytest.fixture(scope="session")
def mixture(descriptors):
    return fit_mixture(descriptors, 4, seed=0)
