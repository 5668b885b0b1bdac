"""Show the patches that activate the neurons with the largest weights of the final model most (Figure 5)."""

from pathlib import Path

from slidecaf.classification.neurons import COLUMNS, activating_patches, draw_figure, read_patch, strongest
from slidecaf.classification.svm import LinearSVM
from slidecaf.files.atomic import atomic
from slidecaf.files.tables import read_json, write_tsv
from slidecaf.logs import job, logger
from slidecaf.slides import Limits, open_slide

params = snakemake.params
with job(snakemake.log[0]):
    stored = read_json(snakemake.input.model)
    neurons = strongest(LinearSVM.from_dict(stored), stored["selection"])
    features = {
        Path(path).stem: path for path in snakemake.input.features if Path(path).parent.name == stored["features"]
    }
    patches = activating_patches(neurons, features)
    of_slide = {}
    for row, found in enumerate(patches):
        for place, patch in enumerate(found):
            of_slide.setdefault(patch["slide"], []).append((row, place, patch))
    pictures = [[None] * len(found) for found in patches]
    limits = Limits.from_config(params.limits)
    for name, wanted in sorted(of_slide.items()):
        with open_slide(params.slides[name]["path"], name=name, limits=limits) as slide:
            for row, place, patch in wanted:
                pictures[row][place] = read_patch(slide, patch["x"], patch["y"], patch["patch_size"])
    table = [
        {
            **{"class": neuron.label, "neuron": neuron.index, "weight": neuron.weight},
            **{"place": place, "label": params.slides[patch["slide"]]["label"], **patch},
        }
        for neuron, found in zip(neurons, patches, strict=True)
        for place, patch in enumerate(found)
    ]
    logger.info("%d neurons, %d patches of %d slides", len(neurons), len(table), len(of_slide))
    write_tsv(snakemake.output.table, COLUMNS, table)
    with atomic(snakemake.output.figure) as partial:
        draw_figure(neurons, patches, pictures, notes=params.caveats).save(partial, "PNG", optimize=True)
