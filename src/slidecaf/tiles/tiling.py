"""How patches are laid over a slide, as a config says it."""

from dataclasses import dataclass

from slidecaf.errors import SlidecafError


@dataclass(frozen=True)
class Tiling:
    """How patches are laid over a slide.

    Attributes
    ----------
    patch_size : int
        The side of a patch in px, from 1.
    stride : int
        Px from one patch to the next, from 1.
    edge : {"drop", "cover"}
        Leave out patches that do not fit, or let the grid go on until every pixel is covered.
    white_above : int or None
        Discard a patch where R, G and B of every pixel are above this; None keeps all.
    mpp : float or None
        Micrometres a pixel at which `patch_size` and `stride` count; None is level 0.
    tissue : {"otsu"} or None
        Discard a patch that has too little tissue, as `slidecaf.tiles.otsu` finds it; None looks for none.
    min_tissue : float
        The share of a patch, 0 to 1, that has to be tissue then.

    Raises
    ------
    SlidecafError
        If the stride is below 1, or leaves gaps where `edge` is "cover".

    Examples
    --------
    The paper's patches: 336 px, a quarter of which overlap.

    >>> Tiling.from_config({"patch_size": 336, "overlap": 0.25, "white_above": 200})
    Tiling(patch_size=336, stride=252, edge='drop', white_above=200, mpp=None, tissue=None, min_tissue=0.1)
    """

    patch_size: int
    stride: int
    edge: str = "drop"
    white_above: int | None = None
    mpp: float | None = None
    tissue: str | None = None
    min_tissue: float = 0.1

    def __post_init__(self):
        if self.stride < 1:
            raise SlidecafError(f"tiling: the stride is {self.stride} px; lower overlap.")
        if self.edge == "cover" and self.stride > self.patch_size:
            raise SlidecafError(
                f"tiling: with stride {self.stride} patches of {self.patch_size} px do not cover every pixel; "
                "lower stride, or write edge: drop."
            )

    @classmethod
    def from_config(cls, config) -> "Tiling":
        """Make a tiling from a config's mapping.

        Parameters
        ----------
        config : mapping
            ``patch_size``, either ``overlap`` (a share from 0 to below 1) or ``stride`` (px), and, where the
            defaults are not wanted, ``edge``, ``white_above``, ``tissue``, ``min_tissue`` and ``mpp``.

        Returns
        -------
        Tiling
            With an overlap the stride is patch_size (1 - overlap), rounded: 252 for 336 at 0.25 (section 3.2).
        """
        rest = dict(config)
        if "overlap" in rest:
            rest["stride"] = round(rest["patch_size"] * (1 - rest.pop("overlap")))
        return cls(**rest)
