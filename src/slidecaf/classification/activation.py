"""Where a network sees the class that it predicts: its class activation maps, or Grad-CAM, drawn over images.

Each image is drawn by the network that never saw it. What is drawn, and held against a mask, is the map of the class
predicted; a file has the maps of all classes in its texts. Of two stages it is the first one's, which sees the whole
image; what the second one sees of it is outlined.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from slidecaf.classification.class_maps import (
    GAP,
    LONGEST,
    area_under_curve,
    draw,
    opened_image,
    outline,
    over_image,
    picture_of,
    read_mask,
    unread_picture,
    write_map,
)
from slidecaf.classification.folds import judging_part
from slidecaf.classification.network import load_networks
from slidecaf.errors import SlideError
from slidecaf.features.extraction.devices import device
from slidecaf.features.extraction.whole import square
from slidecaf.files.manifests import file_of, make_batch
from slidecaf.files.tables import read_json, read_tsv
from slidecaf.slides.hair import Shaved
from slidecaf.study.config import classification_method
from slidecaf.tiles.whole import over_square
from slidecaf.training.activation_maps import ActivationMaps
from slidecaf.training.attention_maps import AttentionMaps
from slidecaf.training.augment import plain
from slidecaf.training.crops import THRESHOLD, crop_of, region
from slidecaf.training.images import kept_size, shown

DIGITS = 4
"""Significant digits of the maps' values in a file's texts."""


def draw_activations(
    manifest,
    slides: Mapping[str, Mapping],
    settings: Mapping,
    *,
    folds,
    models: Mapping,
    networks: Mapping,
    paths: Mapping,
    masks: Mapping,
    limits: Mapping,
    on_bad_slide: str,
    threads: int = 1,
) -> None:
    """Draw what networks see in some images, each by the network that never saw it: a PNG an image beside the manifest.

    Each PNG has the picture, the map of the class predicted over it, and what is foreground, from a share of the map's
    largest value on. It says in its texts ``class``, ``kind`` (cam or grad-cam), ``threshold``, ``middle`` (half the
    largest value), ``foreground`` (the share of it), of an image with a mask ``auc``, and of two stages ``covered``
    (the share of the mask in what the second one sees). Of a network with attention that of its last stage is drawn
    too, and ``attention`` is the layer that it is of.

    Parameters
    ----------
    manifest : path-like
    slides : mapping of str to mapping
        Slide to its ``digest``, ``mpp``, ``scene`` and the ``mask``'s digest.
    settings : mapping
        ``revision`` and ``versions``.
    folds : path-like
        The table of folds. An image that stands there is drawn by the part that holds it out, any other by ``final``.
    models, networks : mapping of str to path-like
        Part to ``model.json`` and ``network.safetensors``.
    paths, masks : mapping of str to path-like
        Slide to its file, and to its mask's, empty where it has none.
    limits : mapping
        ``max_megapixels`` and ``max_decoded_megapixels`` of the config.
    on_bad_slide : {"fail", "exclude"}
        Whether an image that cannot be read is an error, or has a grey picture.
    threads : int, optional

    Raises
    ------
    SlidecafError
        After the other images are done, if one or its mask cannot be read, or a file is damaged.
    """
    folder = Path(manifest).parent
    part_of = judging_part(read_tsv(folds))
    of_model = {part: [file_of(path), file_of(networks[part])] for part, path in models.items()}
    seers = {}
    torch.set_num_threads(threads)

    with device() as on:

        def seer(name):
            if name not in seers:
                seers[name] = _Seer(read_json(models[name]), networks[name], on)
            return seers[name]

        def work(slide, made, origin):
            said, own = {"threshold": 0.0}, seer(part_of(slide))
            try:
                with opened_image(slide, paths[slide], slides[slide], masks[slide], limits=limits) as opened:
                    picture, size = picture_of(opened), (opened.width, opened.height)
                    seen = own.look(opened)
            except SlideError as error:
                picture, size, seen = unread_picture(error, on_bad_slide), (LONGEST, LONGEST // 4), None
            if seen is None:
                values = np.full(picture.shape[:2], np.nan)
                drawn = draw(picture, values, 0.0)
            else:
                mask = read_mask(masks[slide], size, picture.shape[:2], slide=slide) if masks[slide] else None
                said, drawn = own.drawn(picture, size, *seen, mask)
            write_map(made["map"], drawn, said)

        make_batch(
            manifest,
            slides,
            work,
            outputs=lambda slide: {"map": folder / f"{slide}.png"},
            settings=settings,
            inputs=lambda slide: {"model": of_model[part_of(slide)]},
        )


class _Seer:
    """A part's network, and how it draws."""

    def __init__(self, stored, path, on):
        self.settings, self.classes, self._on = classification_method(stored["settings"]), stored["classes"], on
        network = load_networks(path, self.settings, stored)[0].to(on)
        self.side, self._maps = network.input_size, ActivationMaps(network)
        self._attention = AttentionMaps(network) if self.settings.attends else None

    def look(self, opened):
        """Return the maps and the logits of an open image, and the map of attention, None without."""
        image = self.settings.image
        seen = Shaved(opened) if image.hair_removal else opened
        squares = shown(square(seen, kept_size(self.side), image.fit), self.settings.grey)[None]
        squares = plain(squares, self.side).to(self._on)
        maps, logits = self._maps(squares)
        return maps[0].numpy(), logits[0], self._attention and self._attention(squares)[0][0].numpy()

    def drawn(self, picture, size, maps, logits, attention, mask):
        """Return what a file says, and its picture."""
        fit, predicted = self.settings.image.fit, int(logits.argmax())
        how = {"side": self.side, "border": self._maps.border, "size": list(size), "fit": fit}
        values = over_image(maps[[predicted]], **how, shape=picture.shape[:2])[0]
        largest, share = max(float(values.max()), 0.0), getattr(self.settings, "threshold", THRESHOLD)
        threshold = share * largest
        box = None
        if self.settings.stages == 2:
            wide = over_square(maps[predicted], self.side, self._maps.border)
            box = crop_of(region(wide, share), self.side, size, fit).box
        said = {
            "class": self.classes[predicted],
            "kind": self._maps.kind,
            "threshold": threshold,
            "middle": largest / 2,
        }
        said["foreground"] = float((values > threshold).mean())
        if mask is not None:
            said["auc"] = area_under_curve(values, mask)
            said |= {"covered": _covered(mask, box, size)} if box else {}
        texts = [[[float(f"{value:.{DIGITS}g}") for value in row] for row in one] for one in maps.tolist()]
        said["maps"] = json.dumps({"classes": self.classes, "maps": texts, **how, "box": box})
        looked = None
        if attention is not None:
            said["attention"] = self._attention.layer
            # an alpha below 0 takes away where it looks
            looked = over_image(abs(attention), **{**how, "border": 0}, shape=picture.shape[:2])[0]
        drawn = draw(picture, values, threshold, largest / 2, looked)
        if box:
            outline(drawn, box, size, 2 * (picture.shape[1] + GAP), picture.shape)
        return said, drawn


def _covered(mask, box, size):
    """Return the share of a mask that lies in a box; None of an empty mask."""
    x, y, width, height = box
    rows, columns = ((np.arange(n) + 0.5) * whole / n for n, whole in zip(mask.shape, size[::-1], strict=True))
    inside = ((rows >= y) & (rows < y + height))[:, None] & ((columns >= x) & (columns < x + width))
    return float(mask[inside].sum() / mask.sum()) if mask.any() else None
