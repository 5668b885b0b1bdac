"""Many linear SVMs over one matrix of patches at once, each of which leaves some rows out (paper, section 3.3).

`patch_models` is what others call: it fits models and keeps them in files. `squared_hinge` minimises the objective by
Newton steps, `row_blocks` reads the matrix block by block for all problems, `hessian` keeps what
is factored, `blas` calls the routines behind SciPy, and `on_device` does the sums and factors on a GPU.
"""

REVISION = 1
"""Of the values that this package computes: a whole number, raised where they change."""
