"""Three routines of BLAS and LAPACK in 32 bit, in place, that let other threads run meanwhile.

SciPy's Python wrappers of them hold the interpreter's lock for as long as they compute, so that problems would wait for
one another. The same routines, as SciPy offers them to compiled code, are called here through ctypes, which lets go of
the lock.
"""

import ctypes

import numpy as np
from scipy import LowLevelCallable
from scipy.linalg import cython_blas, cython_lapack


def _routine(module, name, arguments):
    capsule = LowLevelCallable.from_cython(module, name).function
    python = ctypes.pythonapi
    python.PyCapsule_GetName.restype, python.PyCapsule_GetName.argtypes = ctypes.c_char_p, [ctypes.py_object]
    python.PyCapsule_GetPointer.restype = ctypes.c_void_p
    python.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    address = python.PyCapsule_GetPointer(capsule, python.PyCapsule_GetName(capsule))
    return ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * arguments)(address)


_SYRK = _routine(cython_blas, "ssyrk", 10)
_POTRF = _routine(cython_lapack, "spotrf", 5)
_POTRS = _routine(cython_lapack, "spotrs", 8)


def add_gram(square, rows, sign):
    """Add sign · rowsᵀ rows to the lower triangle of a matrix.

    Parameters
    ----------
    square : ndarray of float32, shape (D, D), in Fortran order
        Changed in place.
    rows : ndarray of float32, shape (n, D), in C order
    sign : float
    """
    _check(square, "F", (rows.shape[1],) * 2)
    _check(rows, "C", rows.shape)
    size, count = _int(rows.shape[1]), _int(len(rows))
    _SYRK(b"L", b"N", size, count, _float(sign), rows.ctypes.data, size, _float(1), square.ctypes.data, size)


def factor(matrix):
    """Turn the lower triangle of a symmetric matrix into its Cholesky factor.

    Parameters
    ----------
    matrix : ndarray of float32, shape (D, D), in Fortran order
        Changed in place; what lies above the diagonal is left alone.

    Returns
    -------
    bool
        False where the matrix is not positive definite.
    """
    _check(matrix, "F", (len(matrix),) * 2)
    size, failed = _int(len(matrix)), ctypes.c_int()
    _POTRF(b"L", size, matrix.ctypes.data, size, ctypes.byref(failed))
    return failed.value == 0


def solve(factored, right):
    """Solve a system by its Cholesky factor.

    Parameters
    ----------
    factored : ndarray of float32, shape (D, D), in Fortran order
        From `factor`.
    right : ndarray of float32, shape (D,)
        Turned into the solution in place.
    """
    _check(factored, "F", (len(factored),) * 2)
    _check(right, "C", (len(factored),))
    size = _int(len(factored))
    failed = ctypes.c_int()
    _POTRS(b"L", size, _int(1), factored.ctypes.data, size, right.ctypes.data, size, ctypes.byref(failed))


def _check(array, order, shape):
    """Refuse what a routine would read as something else."""
    if array.dtype != np.float32 or array.shape != shape or not array.flags[f"{order}_CONTIGUOUS"]:
        raise ValueError(f"an array of float32, shape {shape} and order {order} is needed")


def _int(value):
    return ctypes.byref(ctypes.c_int(value))


def _float(value):
    return ctypes.byref(ctypes.c_float(value))
