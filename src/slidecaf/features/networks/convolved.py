"""Fully connected layers as convolutions: a network of AlexNet's or VGG's form for images above its own size.

The weights are the same, reshaped: at the own size the map has one place and its value is the vector. Above it the
network moves over the map of its last pooling, as if it were run at every place of it.
"""

from torch import nn

from slidecaf.errors import SlidecafError

OWN_SIZE = 224
"""Px of the images for which torchvision's networks of this form were made."""


def has_flat_classifier(model) -> bool:
    """Tell whether a model is built as AlexNet and VGG are: convolutions, pooling, fully connected layers.

    Parameters
    ----------
    model : torch.nn.Module

    Returns
    -------
    bool
    """
    parts = [getattr(model, name, None) for name in ("features", "avgpool", "classifier")]
    return (
        isinstance(parts[0], nn.Sequential)
        and isinstance(parts[0][-1], nn.MaxPool2d)
        and isinstance(parts[1], nn.AdaptiveAvgPool2d)
        and isinstance(parts[2], nn.Sequential)
        and any(isinstance(layer, nn.Linear) for layer in parts[2])
    )


def first_linear(layers):
    """Return the place of the first fully connected layer among some, None where there is none.

    Parameters
    ----------
    layers : iterable of torch.nn.Module

    Returns
    -------
    int or None
    """
    return next((k for k, layer in enumerate(layers) if isinstance(layer, nn.Linear)), None)


def kernel_of(linear, side):
    """Return a fully connected layer's weights as those of a convolution.

    Parameters
    ----------
    linear : torch.nn.Linear
        Of a map of side x side places.
    side : int

    Returns
    -------
    torch.Tensor, shape (outputs, channels, side, side)
    """
    return linear.weight.detach().view(linear.out_features, -1, side, side)


def for_maps(layer):
    """Return for a map what a layer is for vectors.

    Parameters
    ----------
    layer : torch.nn.Module

    Returns
    -------
    torch.nn.Module or None
        It shares its weights; None for a layer of a kind that is not known.
    """
    if isinstance(layer, nn.Linear):
        return _convolution(layer, kernel_of(layer, 1))
    kinds = {nn.ReLU: nn.ReLU, nn.Dropout: nn.Identity}
    return kinds[type(layer)]() if type(layer) in kinds else None


def _convolution(linear, kernel):
    made = nn.utils.skip_init(nn.Conv2d, kernel.shape[1], kernel.shape[0], kernel.shape[2], device="meta")
    made.weight = nn.Parameter(kernel)
    made.bias = None if linear.bias is None else nn.Parameter(linear.bias.detach())
    return made


class Convolved(nn.Module):
    """A model of `has_flat_classifier` whose fully connected layers are convolutions, layers named as before.

    Parameters
    ----------
    model : torch.nn.Module
        Its weights are shared.

    Raises
    ------
    SlidecafError
        If a layer of the classifier has no counterpart for maps.
    """

    def __init__(self, model):
        super().__init__()
        self.features, self.avgpool = model.features, nn.Identity()  # the map stays as large as it is
        layers, first = list(model.classifier), first_linear(model.classifier)
        side = model.avgpool.output_size[0]
        made = [
            _convolution(layer, kernel_of(layer, side)) if k == first else for_maps(layer)
            for k, layer in enumerate(layers)
        ]
        for k, layer in enumerate(made):
            if layer is None:
                raise SlidecafError(
                    f"input_size: {type(model).__name__} has a {type(layers[k]).__name__} among its fully connected "
                    f"layers, which takes no map; write the size it was made for, often {OWN_SIZE}."
                )
        self.classifier = nn.Sequential(*made).eval()

    def forward(self, x):
        """Return the map of the last layer."""
        return self.classifier(self.avgpool(self.features(x)))


def convolved(model, layers, input_size, run):
    """Return what runs in place of a model above its own size.

    Parameters
    ----------
    model : torch.nn.Module
    layers : iterable of str
        Those that are wanted.
    input_size : int
        In px.
    run : callable
        It computes ``model.features`` of a blank image of `input_size`.

    Returns
    -------
    Convolved or None
        None where the model runs as it is: no fully connected layer is wanted, or its last map is no larger than they
        take.
    """
    wanted = any(name.partition(".")[0] == "classifier" for name in layers) and has_flat_classifier(model)
    if not wanted or input_size <= getattr(model, "own_size", OWN_SIZE):
        return None
    side = run(model.features).shape[-1]
    return Convolved(model) if side > model.avgpool.output_size[0] else None
