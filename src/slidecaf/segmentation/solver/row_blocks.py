"""The rows of a large matrix, block by block, for sums over all rows that many problems ask for at once."""

import numpy as np

BLOCK_BYTES = 2**22
"""Bytes of a block, about: it stays in a core's cache while problems use it."""

ROUNDING = 1e-13
"""A variance below this share of the mean square is that of a feature that does not vary."""

_PLACE = np.float32(2.0**112)
"""By which the exponents of 16 and of 32 bit differ: their biases are 15 and 127."""


class RowBlocks:
    """Blocks of some rows, standardised over all of these.

    Values near 1 keep 32 bit exact enough; what a problem's own standardisation adds is small.

    Parameters
    ----------
    matrix : ndarray or h5py.Dataset of float16 or float32, shape (n, D)
    rows : ndarray of int64, shape (m,)
        Ascending; no other row is looked at, and blocks are counted in these.

    Attributes
    ----------
    dimension : int
    step : int
        Rows of a block, at most.

    Raises
    ------
    FloatingPointError
        If a value is NaN or infinite.
    """

    def __init__(self, matrix, rows):
        self._matrix, self._rows = matrix, rows
        self.dimension = matrix.shape[1]
        self.step = max(64, BLOCK_BYTES // (4 * self.dimension))
        starts = range(0, len(rows), self.step)
        self._slices = [slice(start, min(start + self.step, len(rows))) for start in starts]
        total, square = np.zeros((2, self.dimension))
        for own in self._slices:
            total += self._wide(own).sum(axis=0, dtype=np.float64)
        if not np.isfinite(total).all():
            raise FloatingPointError
        mean = total / len(rows)
        for own in self._slices:
            square += ((self._wide(own) - mean) ** 2).sum(axis=0)
        scale = np.sqrt(square / len(rows))
        self._mean, self._inverse = mean.astype(np.float32), _inverse(scale, scale > 0).astype(np.float32)

    def _wide(self, own):
        rows = self._rows[own]
        first, last = rows[0], rows[-1] + 1
        span = self._matrix[first:last]  # HDF5 reads one span much faster than scattered rows
        return widen(span if last - first == len(rows) else span[rows - first])

    def __call__(self, own):
        """Return a block: ndarray of float32, shape (m, D)."""
        block = self._wide(own)
        block -= self._mean
        block *= self._inverse
        return block

    def feed(self, requests, pool, *, parts) -> None:
        """Hand every block, in order, to every request.

        Parameters
        ----------
        requests : sequence
            Their method ``feed`` takes a slice of rows and the block.
        pool : concurrent.futures.Executor
        parts : int
            Requests are served in so many groups side by side; the next block is made meanwhile.
        """
        groups = [requests[k::parts] for k in range(min(parts, len(requests)))]

        def serve(group, rows, block):
            for request in group:
                request.feed(rows, block)

        block = None
        for rows, after in zip(self._slices, [*self._slices[1:], None], strict=True) if groups else ():
            block = self(rows) if block is None else block
            coming = pool.submit(self, after) if after else None
            for served in [pool.submit(serve, group, rows, block) for group in groups]:
                served.result()
            block = coming.result() if coming else None

    def gram(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the lower triangle of Σ x xᵀ over all rows, and Σ x.

        Returns
        -------
        ndarray of float32, shape (D, D), in Fortran order
        ndarray of float64, shape (D,)
        """
        from slidecaf.segmentation.solver import blas  # and with it SciPy, which a plan of a study can do without

        square = np.zeros((self.dimension, self.dimension), np.float32, order="F")
        total = np.zeros(self.dimension)
        for rows in self._slices:
            block = self(rows)
            blas.add_gram(square, block, 1)
            total += block.sum(axis=0, dtype=np.float64)
        return square, total

    def own(self, weights) -> list:
        """Return the standardisation of each problem by its own rows.

        Parameters
        ----------
        weights : ndarray, shape (M, n)

        Returns
        -------
        list of Own
        """
        first, second = np.zeros((2, len(weights), self.dimension))
        for rows in self._slices:
            block, weight = self(rows).astype(np.float64), weights[:, rows].astype(np.float64)
            # one by one: a product of matrices rounds otherwise where other problems are among them
            first += [one @ block for one in weight]
            block *= block
            second += [one @ block for one in weight]
        total = weights.sum(axis=1, dtype=np.float64)[:, None]
        mean, square = first / total, second / total
        variance = square - mean * mean
        inverse = _inverse(np.sqrt(np.maximum(variance, 0)), variance > ROUNDING * square)
        return [Own(*pair, self._mean, self._inverse) for pair in zip(mean, inverse, strict=True)]


def _inverse(scale, varies):
    return np.divide(1, scale, out=np.zeros_like(scale), where=varies)


class Own:
    """A problem's standardisation, of features that are standardised over all rows already.

    Parameters
    ----------
    mean, inverse : ndarray of float64, shape (D,)
        Of its rows; the inverse of the scale, 0 where a feature does not vary.
    stored_mean, stored_inverse : ndarray of float32, shape (D,)
        Of all rows, by which blocks were made.
    """

    def __init__(self, mean, inverse, stored_mean, stored_inverse):
        self.mean, self.inverse = mean, inverse
        self._stored_mean, self._stored_inverse = stored_mean, stored_inverse

    def of_block(self, w) -> tuple[np.ndarray, float]:
        """Return weights and intercept, for features of blocks, of a vector for the problem's own, shape (D + 1,)."""
        coef = w[:-1] * self.inverse
        return coef, float(w[-1] - coef @ self.mean)

    def as_stored(self, w) -> tuple[np.ndarray, float]:
        """Return weights and intercept for features as stored."""
        coef, intercept = self.of_block(w)
        coef = coef * self._stored_inverse
        return coef, float(intercept - coef @ self._stored_mean)

    def summed(self, total, count) -> np.ndarray:
        """Return Σ r x in the problem's own features, a 1 behind them, of Σ r x in those of blocks and Σ r."""
        return np.append((total - count * self.mean) * self.inverse, count)


def widen(values) -> np.ndarray:
    """Return numbers of 16 bit as 32 bit, by integer operations that processors do many at once.

    NumPy widens them one at a time.

    Parameters
    ----------
    values : ndarray of float16 or float32

    Returns
    -------
    ndarray of float32
        The same numbers, of the same shape; a new array.
    """
    if values.dtype != np.float16:
        return values.astype(np.float32)
    bits = np.ascontiguousarray(values).view(np.int16).astype(np.int32)
    bits <<= 13
    bits &= np.int32(-0x70000001)  # the sign's copies between sign and exponent go
    wide = bits.view(np.float32)
    wide *= _PLACE
    if np.abs(wide).max(initial=0) >= 2**16:  # NaN and infinity, whose exponent is one of its own
        return values.astype(np.float32)
    return wide
