"""Fit the SVMs of patches: for every part its inner models and its own, for every C."""

from itertools import groupby
from pathlib import Path

from slidecaf.features.file import open_features
from slidecaf.files.hdf5 import scratch
from slidecaf.files.tables import read_tsv
from slidecaf.files.versions import origin
from slidecaf.logs import job, logger
from slidecaf.segmentation.parts import problems_of
from slidecaf.segmentation.rows import read_patch_rows, row_weights
from slidecaf.segmentation.solver.patch_models import fit_left_out, write_models

params, settings = snakemake.params, snakemake.params.settings
memory = int(params.memory * 2**30)
copies = params.hard["copies"] if params.hard else 0


def fit(listed, hard):
    """Fit some problems that may know of one another's rows."""
    weights = [row_weights(rows, problem, hard, copies=copies) for problem in listed]
    left = memory - min(memory // 2, rows.matrix.nbytes)
    options = {"max_iter": settings["max_iter"], "memory": left, "threads": snakemake.threads}
    return fit_left_out(rows.matrix, rows.labels, weights, settings["C"], **options)


with job(snakemake.log[0]), scratch(Path(snakemake.output[0]).parent, memory // 2) as room:
    hard = {}
    for path in map(Path, snakemake.input.hard):
        part = path.parent.name if path.parent.name.startswith("fold-") else "final"
        hard[part] = [(row["slide"], int(row["x"]), int(row["y"])) for row in read_tsv(path)]
    features, labels = (
        {Path(path).stem: path for path in paths} for paths in (snakemake.input.features, snakemake.input.labels)
    )
    rows = read_patch_rows(
        features,
        labels,
        training_stride=settings["training_stride"],
        hard={row for rows in hard.values() for row in rows},
        on_bad_slide=params.on_bad_slide,
        room=room,
    )
    listed = problems_of(read_tsv(snakemake.input.folds), settings["inner_folds"], seed=params.seed)
    logger.info(
        "%d patches of %d values, %d of them necrosis; %d sets of rows, %d values of C",
        *(*rows.matrix.shape, rows.labels.sum(), len(listed), len(settings["C"])),
    )
    if hard:  # which rows are hard examples of a part, no other part may know
        groups = [list(group) for _, group in groupby(listed, lambda problem: problem.part)]
        models = [model for group in groups for model in fit(group, hard[group[0].part])]
    else:
        models = fit(listed, ())
    for problem, model in zip(listed, models, strict=True):
        where = problem.part if problem.inner is None else f"{problem.part}, inner fold {problem.inner}"
        if model.constant:
            kind = "necrosis" if model.positive else "without necrosis"
            logger.warning("%s: all %d patches are %s: its confidence is constant", where, model.rows, kind)
        for C, converged in zip(settings["C"], model.converged, strict=True):
            if not converged:
                logger.warning("%s: C = %s did not converge in %d steps", where, C, settings["max_iter"])
    with open_features(snakemake.input.features[0]) as file:
        made = origin(params.code, file["features"].attrs["weights_sha256"])
    for path in snakemake.output:
        own = [k for k, problem in enumerate(listed) if problem.part == Path(path).parent.name]
        inner = [listed[k].inner for k in own]
        write_models(path, [models[k] for k in own], C=settings["C"], inner=inner, origin=made)
