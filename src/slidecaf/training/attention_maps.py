"""Where a network with attention looks, whatever the class.

Of attention residual learning the attention of a block is ``alpha * softmax(F(x))``, a weight for each place and
channel (Zhang et al. 2019); of a residual attention network the mask M(x) of a stage (Wang et al. 2017). A map is the
mean over the channels, so that the places of a block's map add up to its alpha. A softmax over channels of which each
looks elsewhere gives a flat map: it says that the block attends to all places alike.
"""

import torch

from slidecaf.errors import SlidecafError
from slidecaf.features.networks.attention import Attention, MaskedStage


class AttentionMaps:
    """The map of a stage's attention: of its last block that has attention.

    Parameters
    ----------
    network : slidecaf.training.networks.Network
        It is set to judge, not to learn.
    stage : str, optional
        One of `stages`; the last of them by default.

    Attributes
    ----------
    stages : list of str
        The network's stages with attention, as their layers are called: ``layer1``, ...
    layer : str
        The layer that gives the attention.

    Raises
    ------
    SlidecafError
        If the network has no attention, or none in this stage.
    """

    def __init__(self, network, stage=None):
        self._network = network.eval()
        layers = _layers(network.model)
        self.stages = list(layers)
        if not layers:
            raise SlidecafError(
                "architecture: the network has no attention that could be drawn; take arl-14, arl-50 or ran-14."
            )
        if stage is not None and stage not in layers:
            raise SlidecafError(f"stage: no attention in {stage!r}; write one of {', '.join(layers)}.")
        self.layer = layers[stage or self.stages[-1]]

    def __call__(self, images) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the maps of some images.

        Parameters
        ----------
        images : torch.Tensor of uint8, shape (n, c, input_size, input_size)
            On the network's device.

        Returns
        -------
        maps : torch.Tensor of float32, shape (n, 1, h, w)
            On the CPU.
        logits : torch.Tensor of float32, shape (n, K)
            On the CPU.
        """
        kept = []

        def keep(module, taken, value):
            kept.append(value.float().mean(1, keepdim=True))

        registered = self._network.model.get_submodule(self.layer).register_forward_hook(keep)
        try:
            with torch.no_grad():
                logits = self._network(images)
        finally:
            registered.remove()
        return kept[0].cpu(), logits.float().cpu()


def _layers(model):
    """Return stage to the layer that gives the attention of its last block."""
    found = {}
    for name, module in model.named_modules():
        if isinstance(module, Attention):
            found[name.partition(".")[0]] = name
        elif isinstance(module, MaskedStage):
            found[name.partition(".")[0]] = f"{name}.mask"
    return found
