"""The same fits with their sums over rows and their factors on a device of torch, such as a GPU.

Newton's steps, conjugate gradients and the gap are those of `slidecaf.segmentation.solver.squared_hinge`; what it asks
of all rows is computed here. Rows lie on the device as they are stored where they leave room for the work, and are
streamed to it block by block where they do not. Products are of 32 bit and not of TF32; what blocks add up to has 64.
"""

import numpy as np
import torch

from slidecaf.segmentation.solver.hessian import SHIFT, Gram
from slidecaf.segmentation.solver.row_blocks import ROUNDING, Own
from slidecaf.segmentation.solver.sums import Curved

BLOCK_BYTES = 2**28
"""Bytes of a block in 32 bit, about: large products keep a GPU busy."""

KEPT = 0.5
"""The share of a GPU's free memory that rows may fill."""


class DeviceBlocks:
    """Blocks of some rows, standardised over all of these; as `slidecaf.segmentation.solver.row_blocks.RowBlocks`.

    Parameters
    ----------
    matrix : ndarray or h5py.Dataset of float16 or float32, shape (n, D)
    rows : ndarray of int64, shape (m,)
        Ascending; no other row is looked at.
    device : str or torch.device

    Attributes
    ----------
    step : int
        Rows of a block, at most.

    Raises
    ------
    FloatingPointError
        If a value is NaN or infinite.
    """

    def __init__(self, matrix, rows, device):
        self._matrix, self._rows, self._device = matrix, rows, torch.device(device)
        dimension = matrix.shape[1]
        self.step = max(64, BLOCK_BYTES // (4 * dimension))
        starts = range(0, len(rows), self.step)
        self._slices = [slice(start, min(start + self.step, len(rows))) for start in starts]
        self._kept = self._keep(len(rows) * dimension * matrix.dtype.itemsize)
        total, square = torch.zeros((2, dimension), dtype=torch.float64, device=self._device)
        for own in self._slices:
            total += self._stored(own).double().sum(0)
        if not torch.isfinite(total).all():
            raise FloatingPointError
        mean = total / len(rows)
        for own in self._slices:
            square += (self._stored(own).double() - mean).square().sum(0)
        scale = (square / len(rows)).sqrt()
        self._mean, self._inverse = mean.float(), torch.where(scale > 0, 1 / scale, 0).float()

    def _keep(self, size):
        """Put all rows onto the device where there is room; a CPU reads them where they are."""
        if self._device.type != "cuda" or size > KEPT * torch.cuda.mem_get_info(self._device)[0]:
            return None
        return [self._read(own).to(self._device) for own in self._slices]

    def _read(self, own):
        rows = self._rows[own]
        span = self._matrix[rows[0] : rows[-1] + 1]  # HDF5 reads one span much faster than scattered rows
        return torch.from_numpy(np.ascontiguousarray(span[rows - rows[0]]))

    def _stored(self, own):
        if self._kept is not None:
            return self._kept[own.start // self.step]
        return self._read(own).to(self._device)

    def __call__(self, own):
        """Return a block: torch.Tensor of float32, shape (m, D), on the device."""
        return (self._stored(own) - self._mean).mul_(self._inverse)  # of 32 bit, whatever is stored

    def gram(self):
        """Return Σ x xᵀ over all rows, on the device, and Σ x.

        Returns
        -------
        torch.Tensor of float32, shape (D, D)
        ndarray of float64, shape (D,)
        """
        dimension = len(self._mean)
        square = torch.zeros((dimension, dimension), device=self._device)
        total = torch.zeros(dimension, dtype=torch.float64, device=self._device)
        for rows in self._slices:
            block = self(rows)
            square.addmm_(block.T, block)
            total += block.double().sum(0)
        return square, total.cpu().numpy()

    def own(self, weights) -> list:
        """Return the standardisation of each problem by its own rows, as `RowBlocks.own` does."""
        first, second = torch.zeros((2, len(weights), len(self._mean)), dtype=torch.float64, device=self._device)
        for rows in self._slices:
            block = self(rows).double()
            squares = block.square()
            # one by one: a product of matrices rounds otherwise where other problems are among them
            for k, weight in enumerate(weights):
                one = torch.from_numpy(weight[rows]).to(self._device).double()
                first[k] += one @ block
                second[k] += one @ squares
        count = torch.from_numpy(weights.sum(axis=1, dtype=np.float64)).to(self._device)[:, None]
        mean, square = first / count, second / count
        variance = square - mean.square()
        inverse = torch.where(variance > ROUNDING * square, variance.clamp(min=0).rsqrt(), 0)
        stored = self._mean.cpu().numpy(), self._inverse.cpu().numpy()
        return [Own(*pair, *stored) for pair in zip(mean.cpu().numpy(), inverse.cpu().numpy(), strict=True)]

    def feed(self, requests, pool, *, parts) -> None:
        """Hand every block, in order, to every request.

        Parameters
        ----------
        requests : sequence of Turned, Curved or DeviceGram
        pool, parts
            As `RowBlocks.feed` takes them; a device is one worker.
        """
        serving = [self._server(request) for request in requests]
        for rows in self._slices if serving else ():
            block = self(rows)
            for server in serving:
                server.feed(rows, block)
        for server in serving:
            server.end()

    def _server(self, request):
        if isinstance(request, DeviceGram):
            return request
        return (_Curved if isinstance(request, Curved) else _Turned)(request, self._device)


class _Turned:
    """Σ r x on the device."""

    def __init__(self, request, device):
        self._request, self._weight = request, torch.from_numpy(request.weight).to(device)
        self._total = torch.zeros(len(request.total), dtype=torch.float64, device=device)

    def feed(self, rows, block):
        self._total += self._weight[rows] @ block

    def end(self):
        self._request.total += self._total.cpu().numpy()


class _Curved:
    """x·u + c of all rows, and the sum of their products with a weight and x, on the device."""

    def __init__(self, request, device):
        self._request = request
        self._coef, self._weight = (torch.from_numpy(of).to(device) for of in (request.coef, request.weight))
        self._values = torch.empty_like(self._weight)
        self._total = torch.zeros(len(request.total), dtype=torch.float64, device=device)

    def feed(self, rows, block):
        values = block @ self._coef + float(self._request.intercept)
        self._values[rows] = values
        self._total += (self._weight[rows] * values) @ block

    def end(self):
        self._request.values[:] = self._values.cpu().numpy()
        self._request.total += self._total.cpu().numpy()


class DeviceGram(Gram):
    """G of a problem and the factor of a Hessian, on the device; as `Gram`."""

    def __init__(self, weight, own, square, total, step):
        self._device = square.device
        super().__init__(weight, own, square, total, step)

    def _make_room(self, square, step):
        self._square, self._factor = square.clone(), None

    def feed(self, rows, block):
        """Add and take off the rows of a block whose weight changes."""
        change = self._change[rows]
        places = np.flatnonzero(change)
        if len(places):
            by = torch.from_numpy(change[places]).to(self._device)
            changed = block[torch.from_numpy(places).to(self._device)]
            self._square.addmm_((changed * by[:, None]).T, changed)
            self._total += (by @ changed).double().cpu().numpy()
            self._count += float(by.double().sum())

    def end(self):
        """Nothing is left to do once all blocks were fed."""

    def factor(self, C):
        """Factor I + 2C G in the problem's own standardisation."""
        total = torch.from_numpy(self._total).to(self._device)
        mean, inverse = (torch.from_numpy(of).to(self._device) for of in (self.own.mean, self.own.inverse))
        size = len(mean)
        hessian = torch.empty((size + 1, size + 1), device=self._device)
        inner = hessian[:size, :size]
        inner.copy_(self._square)
        inner.sub_(torch.outer(mean, total - self._count * mean)).sub_(torch.outer(total, mean))
        inner.mul_((2 * C * inverse)[:, None]).mul_(inverse)
        hessian[size, :size] = 2 * C * inverse * (total - self._count * mean)
        hessian[:size, size] = hessian[size, :size]
        hessian[size, size] = 2 * C * self._count
        diagonal, plain = hessian.diagonal(), hessian.diagonal().clone()
        while True:
            diagonal.copy_(plain + 1 + self._shift * plain.mean())
            self._factor, failed = torch.linalg.cholesky_ex(hessian)
            if not failed:
                break
            self._shift = max(SHIFT, 10 * self._shift)  # larger C need it too: kept, so that no factor fails twice
        self.factored = C

    def solve(self, right):
        """Return the factored Hessian's inverse times a vector of float64, shape (D + 1,)."""
        right = torch.from_numpy(right).to(self._device, torch.float32)[:, None]
        return torch.cholesky_solve(right, self._factor)[:, 0].double().cpu().numpy()
