"""Find the hard examples of every part on maps by models that never saw the slide.

A region is missed or false by C and threshold that are chosen for this purpose, without post-processing, so that the
sizes of objects and holes change no SVM.
"""

from pathlib import Path

from slidecaf.files.tables import read_tsv, write_json, write_tsv
from slidecaf.logs import job, logger
from slidecaf.segmentation.choice import choose_on_maps
from slidecaf.segmentation.hard_examples import draw, hard_patches
from slidecaf.segmentation.labels import read_truth
from slidecaf.segmentation.parts import FINAL, choice_slides
from slidecaf.segmentation.postprocess import binarise
from slidecaf.segmentation.rows import on_grid
from slidecaf.tiles.file import read_tiles

RAW = {"smooth": [0], "min_object": [0], "max_hole": [0]}

params, settings, hard = snakemake.params, snakemake.params.settings, snakemake.params.hard
with job(snakemake.log[0]):
    folds = read_tsv(snakemake.input.folds)
    tiles, labels = (
        {Path(path).stem: path for path in paths} for paths in (snakemake.input.tiles, snakemake.input.labels)
    )
    summary = {}
    for path in [*snakemake.output.parts, snakemake.output.final]:
        part = FINAL if path == snakemake.output.final else Path(path).parent.name
        slides = choice_slides(part, folds, snakemake.input.maps, snakemake.input.labels)
        choice = choose_on_maps(slides, grid={"C": settings["C"], **RAW})
        found, training_rows = [], 0
        for judged in slides:
            slide = judged.name
            coords, attributes = read_tiles(tiles[slide])
            training_rows += int(on_grid(coords, attributes, settings["training_stride"]).sum())
            coords = coords[on_grid(coords, attributes, hard["stride"])]
            predicted = binarise(judged.read(choice["chosen"]["C"]), choice["chosen"]["threshold"])
            patches = hard_patches(read_truth(labels[slide]), predicted, coords, int(attributes["patch_size_level0"]))
            found += [
                {"slide": slide, "x": int(coords[k, 0]), "y": int(coords[k, 1]), "kind": kind}
                for kind, places in patches.items()
                for k in places
            ]
        drawn = draw(
            found,
            training_rows=training_rows,
            copies=hard["copies"],
            max_share=hard["max_share"],
            seed=params.seed,
        )
        write_tsv(path, ["slide", "x", "y", "kind"], drawn)
        kinds = {kind: sum(row["kind"] == kind for row in found) for kind in ("missed", "false")}
        chosen = {key: choice["chosen"][key] for key in ("C", "threshold")}
        summary[part] = {**chosen, "training_rows": training_rows, **kinds, "drawn": len(drawn)}
        logger.info("%s: %s", part, summary[part])
        if not drawn:
            logger.warning("%s: no hard example found: retraining equals plain", part)
    write_json(snakemake.output.summary, summary)
