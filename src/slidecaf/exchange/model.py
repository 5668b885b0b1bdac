"""A method's final models as one file that needs no study: a ZIP archive of JSON, tables, HDF5 files and weights.

The archive holds `slidecaf.study.model.STATED`, which lists every other file with its SHA-256, the files of the final
part where `slidecaf.study.layout.Layout` looks for them, and the networks' weights where they came from files. No slide
and no patient is named in it. Archives made twice of the same study are equal byte for byte.
"""

import hashlib
import json
import math
import zipfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

import numpy as np

from slidecaf.errors import SlidecafError
from slidecaf.files.atomic import atomic
from slidecaf.files.checksums import beside
from slidecaf.files.hdf5 import create_hdf5, open_hdf5
from slidecaf.files.tables import read_json, read_tsv
from slidecaf.files.versions import version
from slidecaf.slides import open_slide, stain
from slidecaf.study.checked import Study
from slidecaf.study.config import Config, feature_sets, patch_sets
from slidecaf.study.layout import Layout
from slidecaf.study.model import FORMAT, STAIN, STATED, WEIGHTS, check_format, predicting_revisions
from slidecaf.study.names import TASKS, is_weights_file, split_output, trained_by
from slidecaf.study.provenance import read_study
from slidecaf.study.tasks import ClassificationTask, SegmentationTask
from slidecaf.tiles.file import read_tiles

LIBRARIES = ("torch", "torchvision", "numpy", "openslide-bin", "tifffile", "pillow", "imagecodecs")
"""Whose versions are said: other versions may change the last digits of a confidence."""

MOST_STATED = 2**26
"""Bytes of `STATED` at most: it is read whole, from a file that may be anybody's."""

DESCRIBED = ("dimension", "weights_sha256", "precision")
"""What is said of a network."""

LEARNED_FROM_ALL = "all"
"""The group of a mixture of all training rows, as `slidecaf.classification.fisher.mixtures.Codebook` names it."""

SHEET = "slides.tsv"
"""The sheet of slides that are predicted."""

PIECE = 2**20
"""Bytes that are copied at once."""


def export_model(study: Study, method: str, to, *, task: str | None = None, weights: bool = True) -> dict:
    """Write a method's final models, and all that has to be known to apply them.

    Parameters
    ----------
    study : slidecaf.study.checked.Study
        In the working directory, and run to its end.
    method : str
        Of either task; where both have one of this name both are written, unless `task` says which.
    to : path-like
        The archive.
    task : {"classification", "segmentation"}, optional
    weights : bool, optional
        Whether weights that came from a file are put in. Without them whoever predicts names the file.

    Returns
    -------
    dict
        What the archive says of itself.

    Raises
    ------
    SlidecafError
        If there is no such method, its features cannot be computed from a slide, or the study has not been run as its
        config and sheets are now.
    """
    config = study.config
    if config.model:
        raise SlidecafError(f"the study only applies the model in {config.model}; export that of the study it is from.")
    tasks = [name for name in config.tasks() if method in config.methods(name) and task in (None, name)]
    if not tasks:
        known = sorted({one for name in config.tasks() if task in (None, name) for one in config.methods(name)})
        raise SlidecafError(f"the study has no method {method!r}; write one of: {', '.join(known) or 'none'}.")
    layout = Layout(config.results)
    _check_run(study, layout, tasks)
    narrow = _narrowed(config, layout, method, tasks)
    sets = {name for one in tasks for name in narrow.feature_sets_of(one)}
    files, plain = {}, narrow.plain()
    networks = sorted(name for name in sets if narrow.features[name].kind == "network")
    trained = [name for name in networks if narrow.features[name].trained_by]
    encoders = {name: read_json(layout.encoder.format(features=name)) for name in networks}
    for name, known in encoders.items():
        own = plain["features"][name]
        own["precision"] = known["precision"]  # auto was decided there
        encoder = own["encoder"]
        encoder["weights_sha256"] = known["weights_sha256"]
        if is_weights_file(encoder["weights"], encoder["model"]):
            inside = f"{WEIGHTS}/{name}{PurePosixPath(encoder['weights']).suffix}"
            if weights:
                files[inside] = Path(encoder["weights"])
            encoder["weights"] = inside
    with TemporaryDirectory() as scratch:
        for name in trained:  # without them the model would not be one
            encoder = plain["features"][name]["encoder"]
            path = Path(layout.network.format(method=trained_by(encoder["weights"]), part="final"))
            encoder["weights"] = f"{WEIGHTS}/{name}{path.suffix}"
            files[encoder["weights"]] = _without_images(path, Path(scratch) / f"weights-{name}{path.suffix}")
        files |= _stain_targets(study, plain, sorted(sets), Path(scratch))
        stated = _stated(study, narrow, layout, tasks, method, plain, encoders)
        for one in tasks:
            files |= _final_files(narrow, layout, one, method, Path(scratch))
        stated["files"] = {name: _sha256(path) for name, path in sorted(files.items())}
        _write(to, stated, files)
    return stated


def _stain_targets(study, plain, sets, scratch):
    """Write what the stains of feature sets are fitted to, in place of the slides that show them."""
    files = {}
    for name in sets:
        if target := study.stain_target(name):
            method, inside = plain["features"][name]["image"]["stain"]["method"], f"{STAIN}/{name}{stain.FIT}"
            copy = scratch / f"stain-{name}{stain.FIT}"
            with open_slide(target["path"], name=target["name"], mpp=target["mpp"], scene=target["scene"]) as slide:
                stain.write_fit(copy, stain.fit(slide, method), method)
            plain["features"][name]["image"]["stain"]["target"] = inside
            files |= {inside: copy}
    return files


def _stated(study, config, layout, tasks, method, plain, encoders):
    """Return what the archive says of itself, but for its files."""
    described = {}
    for one in tasks:
        gather = {"classification": _of_classification, "segmentation": _of_segmentation}[one]
        described[one] = {"method": method, **gather(study, layout, method)}
    return {
        "format": FORMAT,
        "slidecaf_version": version(),
        "title": config.title,
        "tasks": described,
        "encoders": {name: {key: one[key] for key in DESCRIBED} for name, one in encoders.items()},
        "resolution": {one: _resolution(study, config, layout, one, method) for one in tasks},
        "revisions": predicting_revisions(config),
        "versions": {library: version(library) for library in LIBRARIES},
        "config": plain,
    }


def _without_images(path, copy):
    """Write a network trained here without the ids of the images that it learned from."""
    from slidecaf.training.file import read_tensors, write_tensors  # and torch, which takes seconds

    tensors, said = read_tensors(path)
    write_tensors(copy, tensors, {key: value for key, value in said.items() if key != "images"})
    return copy


def _without_slides(path, copy):
    """Write mixtures without the ids of the slides that they were learned from, and without those of inner folds."""
    with open_hdf5(path) as file, create_hdf5(copy) as kept:
        kept["slides"] = np.array([], "S1")
        kept.attrs["method"] = file.attrs["method"]

        def take(name, one):
            folder, _, learned = name.rpartition("/")
            if learned == LEARNED_FROM_ALL:
                file.copy(one, kept.require_group(folder), name=learned)

        file.visititems(take)
    return copy


def _check_run(study, layout, tasks):
    """Make sure that results are of the config and the sheets as they are now."""
    again = "run the study first: slidecaf run"
    if not Path(layout.study).is_file() or read_study(layout.study) != study.config:
        raise SlidecafError(f"{layout.study} is missing, or is of another config than config.yaml; {again}")
    for task in tasks:
        rows = getattr(study, task)
        for method in study.config.methods(task):
            path = Path(getattr(layout, _table_of(task)).format(method=method))
            if not path.is_file():
                raise SlidecafError(f"{path} is missing; {again}")
            keys = ("slide", "patient", "split", *(["label"] if task == "classification" else []))
            listed = {tuple(row[key] for key in keys) for row in read_tsv(path)}
            named = {"train": "cv"} if task == "classification" else {}
            wanted = {tuple(named.get(getattr(row, key), getattr(row, key)) for key in keys) for row in rows}
            if wanted - listed:
                slide = sorted(wanted - listed)[0][0]
                raise SlidecafError(f"{path} does not have slide {slide} as the sheet has it; {again}")


def _table_of(task):
    return "predictions" if task == "classification" else "slide_scores"


def _narrowed(config: Config, layout, method, tasks) -> Config:
    """Return the config with one method, and of its candidates for features and norm those that were chosen."""
    plain = {key: value for key, value in config.plain().items() if key not in TASKS or key in tasks}
    for task in tasks:
        chosen = plain[task]["methods"][method]
        if task == "classification" and config.methods(task)[method].about.reads == "pooled":
            model = read_json(layout.model.format(method=method, part="final"))
            chosen |= {key: [model[key]] for key in ("features", "norm")}
        elif task == "classification" and config.methods(task)[method].about.reads == "images":
            chosen |= {"weights": None, "tuned_blocks": None}  # training began with them, and has ended
        plain[task] |= {"methods": {method: chosen}, "sheet": SHEET}
    plain.get("classification", {}).pop("ablation", None)
    narrow = Config.model_validate(plain)
    used = {name for task in tasks for name in narrow.feature_sets_of(task)}
    tiled = {*narrow.classification.patch_sets} - used if narrow.classification else set()
    for name in sorted(used):
        if config.features[name].kind == "imported":
            raise SlidecafError(
                f"features.{name}: another program computed these features, so that slidecaf cannot compute those of a "
                "new slide; export a method whose features slidecaf computes."
            )
    of_patches = {name: {"kind": "manual", "tiling": plain["features"][name]["tiling"]} for name in sorted(tiled)}
    plain["features"] = {name: one for name, one in plain["features"].items() if name in used} | of_patches
    return Config.model_validate(plain)


def _final_files(config, layout, task, method, scratch):
    """Return the files of the final part, and their checksums: the name in the archive to the file, or to a copy."""
    if task == "classification":
        own = ClassificationTask(config.classification, [])
        patterns = [layout.selection, layout.model]
        patterns += [layout.mixtures] if method in own.encoding else []
        patterns += [layout.network] if method in own.trained else []
        paths = [pattern.format(method=method, part="final") for pattern in patterns]
    else:
        own = SegmentationTask(config.segmentation, [], config.features, config.seed)
        patterns = [getattr(layout, own.kind(method).models), layout.map_choice]
        paths = [
            pattern.format(method=method, part="final", variant=variant)
            for variant in own.variants(method)
            for pattern in patterns
        ]
    found = {}
    for path in map(Path, paths):
        if not path.is_file():
            raise SlidecafError(f"{path} is missing; run the study first: slidecaf run")
        found |= {
            one.relative_to(layout.results).as_posix(): one for one in (path, Path(beside(path))) if one.is_file()
        }
    stripped = {
        layout.network.format(method=method, part="final"): _without_images,
        layout.mixtures.format(method=method, part="final"): _without_slides,
    }
    for name, path in found.items():
        if strip := stripped.get(path.as_posix()):
            found[name] = strip(path, scratch / path.name)
    return found


def _of_classification(study, layout, method):
    scores = read_json(layout.scores.format(method=method))
    rows = [row for row in study.classification if row.split == "train"]
    return {
        "classes": study.classes,
        "learned_from": {
            "slides": len(rows),
            "patients": len({row.patient for row in rows}),
            "labels": dict(sorted(Counter(row.label for row in rows).items())),
        },
        "item_name": scores["item_name"],
        "group_name": scores["group_name"],
        "curves": scores["calibration"]["final"],
        "threshold": scores.get("thresholds", {}).get("final"),
        "caveats": scores["caveats"],
        "scores": {part: scores[part] for part in ("cross_validation", "test")},
    }


def _of_segmentation(study, layout, method):
    scores = read_json(layout.segmentation_scores.format(method=method))
    rows = [row for row in study.segmentation if row.split == "train"]
    caveats = dict.fromkeys(caveat for variant in scores.values() for caveat in variant["caveats"])
    return {
        "learned_from": {"slides": len(rows), "patients": len({row.patient for row in rows})},
        "group_name": study.config.segmentation.group_name,
        "caveats": list(caveats),
        "scores": {variant: {part: own[part] for part in ("leave_one_out", "test")} for variant, own in scores.items()},
    }


def _resolution(study, config, layout, task, method):
    """Return the least and the greatest micrometres a pixel of what was learned from, where sizes count at level 0.

    None where sizes count in micrometres, where images are taken whole, and where no file says its resolution.
    """
    settings = config.methods(task)[method]
    names = sorted({split_output(name)[0] for name in [*feature_sets(settings), *patch_sets(settings)]})
    if names or task == "classification":
        patterns = [
            layout.tiles.replace("{features}", name)
            for name in names
            if not config.features[name].is_whole and config.features[name].tiling.mpp is None
        ]
    else:
        own = SegmentationTask(config.segmentation, [], config.features, config.seed)
        patterns = [getattr(layout, own.kind(method).cells).replace("{method}", method)]
    found = []
    for pattern in patterns[:1]:
        for row in getattr(study, task):
            if row.split == "train":
                found.append(float(read_tiles(pattern.format(slide=row.slide))[1].get("level0_mpp", math.nan)))
    known = [mpp for mpp in found if not math.isnan(mpp)]
    return [min(known), max(known)] if known else None


def _sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()


def _write(to, stated, files):
    with atomic(to) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as archive:
        text = json.dumps(stated, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        archive.writestr(_entry(STATED), text.encode())
        for name, path in sorted(files.items()):
            with open(path, "rb") as file, archive.open(_entry(name), "w", force_zip64=True) as inside:
                while piece := file.read(PIECE):
                    inside.write(piece)


def _entry(name):
    return zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))


def read_stated(path) -> dict:
    """Read what an archive says of itself.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    dict

    Raises
    ------
    SlidecafError
        If it is no archive of `export_model`, or one of another format.
    """
    if not Path(path).is_file():
        raise SlidecafError(f"{path} is no file; give the model that slidecaf export model wrote.")
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo(STATED).file_size > MOST_STATED:
                raise KeyError(STATED)
            return check_format(json.loads(archive.read(STATED)), path)
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise SlidecafError(
            f"{path} is no model of slidecaf; take the file that slidecaf export model wrote."
        ) from error


def unpack_model(path, folder, weights: Mapping[str, str] = {}) -> dict:
    """Unpack a model; files that are there already and are the same keep their times.

    Parameters
    ----------
    path : path-like
        The archive.
    folder : path-like
        Made where it is missing.
    weights : mapping of str to path-like, optional
        Feature set to the file of its weights, of a model that was exported without them.

    Returns
    -------
    dict
        What the archive says of itself, which stands in the folder too.

    Raises
    ------
    SlidecafError
        If the archive is damaged, or lacks weights.
    """
    stated, folder = read_stated(path), Path(folder)
    for name in stated["files"]:
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or "\\" in name:
            raise SlidecafError(
                f"{path}: {name!r} would lie outside the model's folder; the file is not to be trusted."
            )
    with zipfile.ZipFile(path) as archive:
        for name, digest in stated["files"].items():
            target = folder / name
            if target.is_file() and _sha256(target) == digest:
                continue
            found = hashlib.sha256()
            try:
                with archive.open(name) as inside, atomic(target) as partial:
                    with open(partial, "wb") as file:
                        while piece := inside.read(PIECE):
                            found.update(piece)
                            file.write(piece)
                    if found.hexdigest() != digest:
                        raise SlidecafError(f"{path} is damaged: {name} is not what was written; fetch it again.")
            except (KeyError, zipfile.BadZipFile, OSError) as error:
                raise SlidecafError(f"{path} is damaged: {name} cannot be read ({error}); fetch it again.") from error
    _name_weights(stated, folder, weights)
    return stated


def _name_weights(stated, folder, weights):
    """Let the config name weights, and what stains are fitted to, where they lie."""
    sets = stated["config"]["features"]
    for name in weights:
        if name not in stated["encoders"]:
            known = ", ".join(stated["encoders"]) or "none"
            raise SlidecafError(f"--weights: the model has no network {name!r}; write one of: {known}.")
    for one in sets.values():
        if (own := (one.get("image") or {}).get("stain")) and own["target"].startswith(f"{STAIN}/"):
            own["target"] = f"{folder.name}/{own['target']}"
    for name in stated["encoders"]:
        encoder = sets[name]["encoder"]
        if name in weights:
            encoder["weights"] = Path(weights[name]).absolute().as_posix()
        elif encoder["weights"].startswith(f"{WEIGHTS}/"):
            if encoder["weights"] not in stated["files"]:
                raise SlidecafError(
                    f"the model was exported without the weights of {name}, {encoder['model']}, digest "
                    f"{encoder['weights_sha256']}; give the file: --weights {name}=FILE"
                )
            encoder["weights"] = f"{folder.name}/{encoder['weights']}"
