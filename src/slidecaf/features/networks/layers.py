"""Layers: the outputs of some of a network's modules in one pass, without what lies behind the last of them.

The network is traced once by torch.fx, as torchvision's `create_feature_extractor` does it. That function looks into no
block of ``torchvision.ops``, and takes a container's last operation for its output; here every module that runs is a
layer, and its output is what it returns.
"""

import difflib
from dataclasses import dataclass

import torch
from torch import fx

from slidecaf.errors import SlidecafError

COUNTER = "num_batches_tracked"
"""What a batch normalisation counts while it is trained: no network's output depends on it."""


@dataclass(frozen=True, eq=False)
class Trace:
    """What a network runs for some of its layers.

    Attributes
    ----------
    graph : torch.fx.Graph
        The operations; it returns a list, one output a layer. With several layers each is a copy: operations in place,
        such as most ReLUs, would otherwise change it later in the pass.
    modules, tensors : frozenset of str
        Names of the modules that run, and of the tensors of the state dict that are used.
    """

    graph: fx.Graph
    modules: frozenset
    tensors: frozenset

    def network(self, model) -> fx.GraphModule:
        """Return what gives the outputs, a list, and shares the model's tensors."""
        return fx.GraphModule(model, self.graph)


def trace(model, layers):
    """Trace a network as far as the last of some layers.

    Nothing is computed: the network may be on the meta device.

    Parameters
    ----------
    model : torch.nn.Module
        In evaluation mode.
    layers : sequence of str
        Names of submodules.

    Returns
    -------
    Trace

    Raises
    ------
    SlidecafError
        If the network has no such layer or does not use it, or the layer gives more than one tensor.
    """
    names = [name for name, _ in model.named_modules() if name]
    for layer in layers:
        if layer not in names:
            near = difflib.get_close_matches(layer, names, n=5, cutoff=0.3) or names[-5:]
            raise SlidecafError(f"layer: {type(model).__name__} has no {layer!r}; near names: {', '.join(near)}.")
    tracer = _Tracer()
    graph = tracer.trace(model)
    for layer in layers:
        if layer not in tracer.returned:
            raise SlidecafError(f"layer: {layer!r} is not used when the network runs; write another layer.")
        if not isinstance(tracer.returned[layer], fx.Proxy):
            raise no_tensor(layer)
    nodes = list(graph.nodes)  # in the order in which they run
    outputs = [tracer.returned[layer].node for layer in layers]
    last = max(map(nodes.index, outputs))
    for node in reversed(nodes[last + 1 :]):
        graph.erase_node(node)
    if len(outputs) > 1:
        outputs = [_copied(graph, output) for output in outputs]
    graph.output(outputs)
    modules = frozenset(name for name, before in tracer.before.items() if before <= last)
    tensors = frozenset(name for name in fx.GraphModule(model, graph).state_dict() if not name.endswith(COUNTER))
    return Trace(graph, modules, tensors)


class _Tracer(fx.Tracer):
    """Notes for each module, when it first runs, how many operations come before and what it returns."""

    def __init__(self):
        super().__init__()
        self.before, self.returned = {}, {}

    def call_module(self, m, forward, args, kwargs):
        name = self.path_of_module(m)
        self.before.setdefault(name, len(self.graph.nodes))
        output = super().call_module(m, forward, args, kwargs)
        self.returned.setdefault(name, output)
        return output


def _copied(graph, node):
    with graph.inserting_after(node):
        return graph.call_function(_copy, (node,))


def _copy(output):
    return output.clone() if isinstance(output, torch.Tensor) else output


def no_tensor(layer):
    """Return the error of a layer whose output is no vector and no map.

    Parameters
    ----------
    layer : str

    Returns
    -------
    SlidecafError
    """
    return SlidecafError(f"layer: {layer!r} gives no vector and no map; write a layer with one tensor as its output.")
