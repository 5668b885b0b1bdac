"""Figure 5 drawn and read back."""

import numpy as np
import pytest
from PIL import Image

from slidecaf.classification.figure import PATCHES, SIDE, draw_figure, read_figure
from slidecaf.classification.neurons import COLUMNS, Neuron
from slidecaf.files.tables import read_tsv, write_tsv


def test_the_figure_gives_back_each_patch_as_it_was_drawn(tmp_path):
    rng = np.random.default_rng(1)
    neurons = [Neuron("GBM", 5, 0.5), Neuron("a class with a very long name, far too long", 7, 0.25)]
    patches = [
        [{"slide": f"slide-{k}-{'x' * 60}", "x": k, "y": 2 * k, "patch_size": 64, "activation": 1.5} for k in range(n)]
        for n in (PATCHES, 3)
    ]
    pictures = [[Image.fromarray(rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8)) for _ in row] for row in patches]
    draw_figure(neurons, patches, pictures, notes=["random weights"]).save(tmp_path / "figure.png")
    rows = [
        {"class": neuron.label, "neuron": neuron.index, "weight": neuron.weight, "place": k, "label": "GBM", **patch}
        for neuron, row in zip(neurons, patches, strict=True)
        for k, patch in enumerate(row)
    ]
    write_tsv(tmp_path / "figure.tsv", COLUMNS, rows)
    found = read_figure(tmp_path / "figure.png", read_tsv(tmp_path / "figure.tsv"))
    assert [(row["class"], row["neuron"], row["weight"]) for row in found] == [
        (n.label, n.index, n.weight) for n in neurons
    ]
    for drawn, row in zip(pictures, found, strict=True):
        assert len(drawn) == len(row["patches"])
        assert all(np.array_equal(a, b["picture"]) for a, b in zip(drawn, row["patches"], strict=True))


@pytest.mark.parametrize("count", [0, 1])
def test_a_figure_of_few_neurons_is_whole(count):
    patch = {"slide": "s", "x": 0, "y": 0, "patch_size": 8, "activation": 1.0}
    picture = Image.new("RGB", (SIDE, SIDE))
    drawn = draw_figure([Neuron("a", 1, 1.0)] * count, [[patch]] * count, [[picture]] * count, notes=["a note"])
    assert drawn.width > PATCHES * SIDE
