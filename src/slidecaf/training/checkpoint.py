"""What training goes on from after a kill: the network, the best one so far, the optimiser and the curves.

A checkpoint lies beside the results as a hidden file. Snakemake does not know it, and so does not delete it when a job
fails. It says what it was made from: of other images, labels or settings it is left aside, and training starts anew.
"""

from dataclasses import dataclass, field
from pathlib import Path

import torch

from slidecaf.errors import MachineError, SlidecafError
from slidecaf.logs import logger
from slidecaf.training.file import read_tensors, write_tensors


@dataclass
class State:
    """How far training is.

    Attributes
    ----------
    curves : list of dict
        A row an epoch, as `slidecaf.training.loop.COLUMNS`.
    dropped : list of dict
        Candidates whose loss was no number.
    network, best : dict of str to torch.Tensor or None
        State dicts of the network and of the best one so far.
    optimiser : dict of str to torch.Tensor
        What it keeps of each parameter, as ``parameter/what``.
    """

    curves: list = field(default_factory=list)
    dropped: list = field(default_factory=list)
    network: dict = None
    best: dict = None
    optimiser: dict = field(default_factory=dict)


class Checkpoint:
    """A file that training goes on from.

    Parameters
    ----------
    path : path-like
    made_from : str
        A digest of all that training depends on.
    """

    def __init__(self, path, made_from: str):
        self.path, self._made_from = Path(path), made_from

    def read(self) -> State:
        """Return how far training is: at its beginning, where there is no checkpoint of the same.

        Returns
        -------
        State
        """
        if not self.path.exists():
            return State()
        try:
            tensors, said = read_tensors(self.path)
        except MachineError:  # nothing says that it is not good
            raise
        except SlidecafError as error:
            logger.warning("%s Training starts anew.", error)
            return State()
        if said.get("made_from") != self._made_from:
            logger.info("%s is of other images, labels or settings; training starts anew", self.path)
            return State()
        apart = {"network": {}, "best": {}, "optimiser": {}}
        for name, tensor in tensors.items():
            kind, _, key = name.partition("/")
            apart[kind][key] = tensor
        return State(said["curves"], said["dropped"], **apart)

    def write(self, state: State) -> None:
        """Replace the file.

        Parameters
        ----------
        state : State

        Raises
        ------
        SlidecafError
            If there is no room for it.
        """
        kinds = {"network": state.network, "best": state.best, "optimiser": state.optimiser}
        tensors = {f"{kind}/{key}": tensor for kind, own in kinds.items() for key, tensor in own.items()}
        write_tensors(
            self.path, tensors, {"made_from": self._made_from, "curves": state.curves, "dropped": state.dropped}
        )

    def remove(self) -> None:
        """Remove the file, where there is one."""
        self.path.unlink(missing_ok=True)


def optimiser_tensors(optimiser) -> dict[str, torch.Tensor]:
    """Return what an optimiser keeps of each parameter.

    Parameters
    ----------
    optimiser : torch.optim.Optimizer

    Returns
    -------
    dict of str to torch.Tensor
    """
    kept = optimiser.state_dict()["state"]
    return {f"{index}/{what}": value for index, own in kept.items() for what, value in own.items() if value is not None}


def restore_optimiser(optimiser, tensors) -> None:
    """Give an optimiser what it kept of each parameter.

    Values lie in memory as those of the parameter do: kernels that meet another order may round otherwise.

    Parameters
    ----------
    optimiser : torch.optim.Optimizer
        Of the same parameters.
    tensors : dict of str to torch.Tensor
        From `optimiser_tensors`.
    """
    parameters = [one for group in optimiser.param_groups for one in group["params"]]
    for name, value in tensors.items():
        index, _, what = name.partition("/")
        parameter = parameters[int(index)]
        if value.shape == parameter.shape:
            value = torch.empty_like(parameter, memory_format=torch.preserve_format).copy_(value)
        optimiser.state[parameter][what] = value
