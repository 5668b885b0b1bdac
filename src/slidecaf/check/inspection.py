"""A study is checked as a whole: config and sheets, every slide and mask, networks, disk; and a run is estimated."""

import os
import shutil
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import numpy as np

from slidecaf.check.estimate import GIB, estimate
from slidecaf.check.near_copies import find_near_copies, without_copies
from slidecaf.check.survey import ImportedFiles, WholeSlide, forkserver, survey
from slidecaf.errors import SlidecafError, SlideError
from slidecaf.files.fingerprints import MEMORY, Fingerprints
from slidecaf.logs import progress
from slidecaf.segmentation.graph_rlm.slide import check_size
from slidecaf.segmentation.mask_values import one_sided
from slidecaf.segmentation.rows import on_grid
from slidecaf.study.checked import SLIDE_SUFFIXES, check_study
from slidecaf.study.config import patch_sets
from slidecaf.study.config_file import read_config
from slidecaf.study.copies import find_copies, judge_copies
from slidecaf.study.imported import Source, find_sources
from slidecaf.study.names import split_output
from slidecaf.study.tasks import ClassificationTask

FEW_PATCHES = 10
"""Below so many patches a slide's tissue is called tiny."""

MPP_SPREAD = 1.1
"""Resolutions further apart than by this factor are mixed."""

PAIRS = 3
"""Pairs of near-copies that a warning names."""

LONG = 8.0
"""Hours of features or training on a CPU beyond which a GPU is worth a word."""

SLOW = {"features": "", "training": "s"}
"""Stages that a GPU is for, and how a verb behind their name ends."""

PROBE_TIMEOUT = 600.0
"""Seconds after which a network that does not answer is given up."""


@dataclass(frozen=True)
class Checked:
    """What a check found.

    Attributes
    ----------
    errors : list of str
        What would make a run fail.
    warnings : list of str
        What looks wrong.
    notes : list of str
        What is as it is.
    slides : dict
        How many, in which splits, sizes and resolutions.
    each : list of dict
        A slide each: what was understood of it.
    features : dict of str to dict
        By feature set: patches, and what the probe measured; of an imported one also what its files say.
    stages : list of dict
        The run's stages, as `slidecaf.check.estimate.Stage`.
    masks : list of dict
        As `slidecaf.check.survey.MaskLook`: first those of which almost nothing, or almost all, is foreground.
    near_copies : list of dict
        Pairs of slides of different patients that look the same, the likest first: ``slide``, ``patient``, ``split``,
        the same of the ``other``, and ``likeness``, up to 1.
    """

    errors: list
    warnings: list
    notes: list
    slides: dict
    each: list
    features: dict
    stages: list
    masks: list
    near_copies: list


def inspect_study(*, made=(), workers=1, timeout=120.0, seconds=2.0, job_start=None) -> Checked:
    """Check the study in the working directory.

    Parameters
    ----------
    made : container of str, optional
        Paths of slides and masks that the workflow makes, which need not exist yet.
    workers : int, optional
        Slides that are opened side by side.
    timeout : float, optional
        Seconds that a slide may take.
    seconds : float, optional
        How long to try each network.
    job_start : callable, optional
        Returns the seconds that a job takes to start. None leaves out the networks, and with them the estimate.

    Returns
    -------
    Checked

    Raises
    ------
    InputErrors
        If config or sheets are not valid.
    SlidecafError
        If the config is not YAML.
    """
    study = check_study(read_config("config.yaml"), made=made)
    errors, warnings, notes = [], [], []
    notes += _rare(study)
    copied = find_copies([*study.classification, *study.segmentation], Fingerprints(MEMORY))
    copies = _judged(study, copied)
    errors += copies.problems
    warnings += copies.warnings
    there = [row for row in study.slides.values() if os.path.exists(row.path)]
    if missing := len(study.slides) - len(there):
        notes.append(f"{missing} slides of the demo are drawn by the first job; check again once they are there.")
    wanted, without_file = _wanted(study)
    looks = _look(study, there, wanted, workers, timeout)
    readable = {slide: look for slide, look in looks.items() if not look.unreadable}
    near, near_note = _near_copies(study, readable, copied)
    warnings += _near_warning(study, near)
    notes += near_note
    left_out = errors if study.config.on_bad_slide == "fail" else warnings
    left_out += without_file
    left_out += [look.unreadable for look in looks.values() if look.unreadable and not look.fault]
    errors += [look.unreadable for look in looks.values() if look.fault]
    left_out += [problem for look in readable.values() for problem in look.refused]
    errors += [problem for look in readable.values() for problem in look.problems]
    errors += _grids(study, readable) + _one_sided(study, readable) + _too_large(study, readable)
    masks = [mask for look in readable.values() for mask in look.masks]
    warnings += [mask.warning for mask in masks if mask.warning]
    warnings += _odd(study, readable) + _unnamed(study)
    notes += _stains(study)
    imported = _imported(study, readable)
    notes += [f"features.{name}: {_imported_text(of)}" for name, of in imported.items()]
    warnings += [
        f"features.{name}: its files name several encoders ({', '.join(of['encoders'])}); take the files of one."
        for name, of in imported.items()
        if len(of["encoders"]) > 1
    ]
    probes, trained = {}, {}
    if job_start and readable and not any(look.problems for look in readable.values()):
        probes, failed, refused = _probe(study, readable, wanted, seconds)
        errors += failed
        left_out += refused
        trained, failed, refused = _train(study, readable)
        errors += failed
        left_out += refused
        notes += _weights(study)
    cores = len(os.sched_getaffinity(0))
    known = probes or trained
    stages = estimate(study, readable, probes, trained, job_start=job_start(), cores=cores) if known else []
    errors += _disk(study, stages) + _negative(study, probes)
    warnings += _slow({**probes, **trained}, stages)
    return Checked(
        errors,
        warnings,
        notes,
        _slides(study, readable),
        [_slide(look) for look in readable.values()],
        _features(study, readable, imported, probes),
        [asdict(stage) for stage in stages],
        [asdict(mask) for mask in sorted(masks, key=lambda mask: min(mask.share, 1 - mask.share))],
        near,
    )


def _stains(study):
    """Say towards what colours are moved."""
    return [
        f"features.{name}: each slide's stain is normalised ({study.config.features[name].image.stain.method}) to that "
        f"of {target['name']}, {target['path']}."
        for name in study.config.features
        if (target := study.stain_target(name))
    ]


def _rare(study):
    """Say which classes are left out, having too few rows."""
    if not study.rare_classes:
        return []
    task = study.config.classification
    listed = ", ".join(f"{label} ({count})" for label, count in study.rare_classes.items())
    return [
        f"{task.sheet}: classification.min_images: {task.min_images} leaves out {len(study.rare)} {task.item_name}s of "
        f"{len(study.rare_classes)} classes: {listed}."
    ]


def _judged(study, copies):
    """Say what slides of the same content mean; the study's memory of digests hears nothing of it."""
    return judge_copies(
        copies,
        classification=study.classification,
        segmentation=study.segmentation,
        on_copies=study.config.on_copies,
    )


def _near_copies(study, looks, copies):
    """Return pairs of near-copies of different patients, and a note on what was compared."""
    pictures = {slide: look.picture for slide, look in looks.items() if look.picture is not None}
    rows, splits = study.slides, study.splits
    trained = {slide for slide, its in splits.items() if "train" in its}
    found = find_near_copies(pictures, {slide: row.patient for slide, row in rows.items()}, trained)
    of = {slide: {"patient": rows[slide].patient, "split": " and ".join(sorted(its))} for slide, its in splits.items()}
    pairs = [
        {
            **{"slide": first, **of[first]},
            **{"other": other, **{f"other_{key}": said for key, said in of[other].items()}},
            "likeness": likeness,
        }
        for first, other, likeness in without_copies(found.pairs, [[row.slide for row in group] for group in copies])
    ]
    item, group = _item_name(study), _group_name(study)
    left = [
        *([f"{len(found.empty)} almost empty"] if found.empty else []),
        *([f"{few} of too few px or without a small level"] if (few := len(looks) - len(pictures)) else []),
    ]
    note = f"near-copies of different {group}s: {found.compared} of {len(looks)} {item}s were compared"
    note += f", all but {' and '.join(left)}" if left else ""
    note += "" if found.complete else "; so many look alike that not all pairs were"
    return pairs, [f"{note}."] if looks else []


def _near_warning(study, pairs):
    """Say which slides of different patients look the same, those on both sides of the split first."""
    if not pairs:
        return []
    group = _group_name(study)
    within, across = ([pair for pair in pairs if (pair["split"] != pair["other_split"]) == sides] for sides in (0, 1))
    named = [
        f"{pair['slide']} ({group} {pair['patient']}, {pair['split']}) and {pair['other']} ({group} "
        f"{pair['other_patient']}, {pair['other_split']})"
        for pair in [*across, *within][:PAIRS]
    ]
    more = f"; {len(pairs) - PAIRS} more: --json" if len(pairs) > PAIRS else ""
    many = f"{len(pairs)} pairs of {_item_name(study)}s look" if len(pairs) > 1 else f"2 {_item_name(study)}s look"
    return [
        f"{many} the same and are of different {group}s, {len(across) or 'none'} across train and test: "
        f"{'; '.join(named)}{more}. What is learned from one is judged on the other, which makes scores too good: "
        f"where they show the same, give both the same {group}, or take one out."
    ]


def _features(study, looks, imported, probes):
    said = {}
    for name in study.config.features:
        patches = [looks[slide].patches.get(name, 0) for slide in study.tiled_slides(name) if slide in looks]
        if patches:
            said[name] = {"slides": len(patches), "patches": sum(patches), **imported.get(name, {})}
            said[name] |= asdict(probes[name]) if name in probes else {}
    return said


def _wanted(study):
    """Return what to look at: slide to feature set to its tiling, or to its files; and which files are not there."""
    wanted, missing = {slide: {} for slide in study.slides}, []
    for name, settings in study.config.features.items():
        slides = study.tiled_slides(name)
        if settings.kind != "imported":
            how = WholeSlide(settings.encoder.input_size) if settings.is_whole else settings.tiling.plain()
            for slide in slides:
                wanted[slide][name] = how
            continue
        sources, problems = find_sources(settings.plain(), [study.slides[slide] for slide in slides])
        missing += [f"features.{name}: {problem}" for problem in problems]
        first = next((source.features for source in sources.values() if source.features.is_file()), None)
        for slide, source in sources.items():
            if all(path.is_file() for path in source.files):
                wanted[slide][name] = ImportedFiles(source, Source(first), settings.format, settings.folder)
    return wanted, missing


def _imported(study, looks):
    """Return what the files of imported feature sets say, by feature set."""
    said = {}
    for name, settings in study.config.features.items():
        files = [look.imported[name] for look in looks.values() if name in look.imported]
        if files:
            said[name] = {
                "imported": settings.format,
                "folder": settings.folder,
                "files": len(files),
                "listed": len(study.slides_of(name)),
                "dimension": files[0].dimension,
                "encoders": sorted({of.encoder for of in files if of.encoder}),
            }
    return said


def _imported_text(of):
    encoder = ", ".join(of["encoders"]) or "an encoder that no file names"
    return (
        f"features of {of['imported'].upper()} in {of['folder']}: files of {of['files']} of {of['listed']} slides, "
        f"{of['dimension']} values a patch, by {encoder}."
    )


def _grids(study, looks):
    """Say where imported patches stand on no grid that a method of the segmentation can learn from."""
    said = []
    for method in study.config.methods("segmentation").values():
        hard, features = method.hard_examples, method.features
        if features is None:
            continue
        strides = [method.training_stride, *([hard.stride] if hard else [])]
        for row in study.segmentation:
            look = looks.get(row.slide)
            if row.split == "train" and look and features in look.imported and look.patches[features]:
                said += _off_grid(row.slide, look.imported[features], strides)
    return list(dict.fromkeys(said))


def _too_large(study, looks):
    """Say which slides a method cannot take as a whole."""
    if not any(method.kind == "graph-rlm" for method in study.config.methods("segmentation").values()):
        return []
    said = []
    for row in study.segmentation:
        if look := looks.get(row.slide):
            try:
                check_size(look.width, look.height, where=f"slide {row.slide}: {row.path}")
            except SlidecafError as error:
                said.append(str(error))
    return said


def _off_grid(slide, imported, strides):
    attributes = {"name": slide, "regular": imported.regular, "stride": imported.stride, "stride_level0": 1.0}
    said = []
    for stride in strides:
        try:
            on_grid(np.empty((0, 2), np.int64), attributes, stride)
        except SlidecafError as error:
            said.append(str(error))
    return said


def _one_sided(study, looks):
    """Say where training masks leave nothing to learn from; nothing of masks that were looked at in part."""
    rows = [row.slide for row in study.segmentation if row.split == "train"]
    masks = [mask for slide in rows if slide in looks for mask in looks[slide].masks if mask.column == "mask"]
    if not masks or not all(mask.whole for mask in masks):
        return []
    said = one_sided(study.config.segmentation.sheet, [(mask.marked, mask.pixels, mask.values) for mask in masks])
    return [said] if said else []


def _look(study, rows, wanted, workers, timeout):
    task = study.config.segmentation
    keys = {key: getattr(task, key) for key in ("mask_value", "mask_channel", "mask_class")} if task else {}
    masks = {row.slide: keys for row in study.segmentation}
    stains = {name: one.image.stain.method for name, one in study.config.features.items() if study.stain_target(name)}
    looks = {}
    if rows:
        pairs = [(row, wanted[row.slide]) for row in rows]
        with progress(len(rows), "slides", unit="slides") as advance:
            for look in survey(pairs, masks=masks, stains=stains, workers=workers, timeout=timeout):
                looks[look.slide] = look
                advance(1)
    return looks


def _odd(study, looks):
    """Say which slides have little tissue, and whether resolutions are mixed."""
    said, features = [warning for look in looks.values() for warning in look.warnings], study.config.features
    cut = [name for name, chosen in features.items() if not chosen.is_whole]
    counts = {name: [look.patches[name] for look in looks.values() if name in look.patches] for name in cut}
    # where most slides have few patches, one with few is like the others
    usual = {name: median(found) for name, found in counts.items() if found}
    telling = [name for name, patches in usual.items() if patches >= FEW_PATCHES]
    if few := [f"{usual[name]:.0f} of {name}" for name in usual if name not in telling]:
        said.append(
            f"half of the slides have few patches, at most {', '.join(few)}; where that is not meant, write a smaller "
            "patch_size or a larger overlap."
        )
    for look in looks.values():
        own = {name: count for name, count in look.patches.items() if name in cut}
        least = min((count for name, count in own.items() if name in telling or not count), default=FEW_PATCHES)
        if least < FEW_PATCHES:
            what = "no tissue was found" if least == 0 else f"some {least} patches are all"
            said.append(
                f"slide {look.slide}: {what} ({look.tissue:.1%} of its overview is no glass); see whether it is the "
                "right file. A slide without tissue counts as wrong."
            )
    cut = {name: chosen for name, chosen in features.items() if chosen.kind != "imported" and not chosen.is_whole}
    at_level0 = [name for name, chosen in cut.items() if chosen.tiling.mpp is None]
    known = {slide: look.mpp for slide, look in looks.items() if look.mpp}
    if at_level0 and known and max(known.values()) > MPP_SPREAD * min(known.values()):
        low, high = min(known, key=known.get), max(known, key=known.get)
        said.append(
            f"resolutions are mixed: {known[low]:.3g} micrometres a pixel in slide {low}, {known[high]:.3g} in {high}; "
            f"patches of {', '.join(at_level0)} count pixels of level 0 and so show more tissue in some slides than in "
            "others. Set tiling.mpp."
        )
    unknown = [slide for slide, look in looks.items() if not look.mpp]
    if unknown and known:
        said.append(
            f"{len(unknown)} of {len(looks)} slides do not say their micrometres a pixel, such as {unknown[0]}; where "
            "you know them, write them into the sheet's column mpp."
        )
    turned = {slide: look.orientation for slide, look in looks.items() if look.orientation != 1}
    if turned:
        first, orientation = next(iter(turned.items()))
        said.append(
            f"{len(turned)} of {len(looks)} {_item_name(study)}s say that they are shown turned, such as {first} "
            f"(orientation {orientation}), and are taken as stored; where they are not to lie on their side, save them "
            "with their px turned and without that tag."
        )
    return said


def _unnamed(study):
    """Say which files beside the slides no row names."""
    named, folders = set(), {}
    for row in [*study.classification, *study.segmentation]:
        named |= {os.path.realpath(path) for path in (row.path, row.mask, row.hemorrhage) if path}
        folders.setdefault(os.path.dirname(row.path) or ".", None)
    said = []
    for folder in folders:
        if os.path.isdir(folder):
            found = sorted(os.scandir(folder), key=lambda entry: entry.name)
            left = [
                entry.name
                for entry in found
                if entry.is_file()
                and not entry.name.startswith(".")
                and os.path.splitext(entry.name)[1].lower() in SLIDE_SUFFIXES
                and os.path.realpath(entry.path) not in named
            ]
            if left:
                names = ", ".join(left[:5]) + (f" and {len(left) - 5} more" if len(left) > 5 else "")
                said.append(f"no row names {len(left)} of the files in {folder}: {names}.")
    return said


def _probe(study, looks, wanted, seconds):
    """Try each feature set in a process of its own, on the slide with most patches.

    Returns probes, what would make a run fail, and what would have a slide left out or make a run fail, as the config
    says.
    """
    from slidecaf.check.probe import probe, probe_imported

    rows, probes, failed, refused = study.slides, {}, [], []
    threads = study.config.threads
    for name, settings in study.config.features.items():
        seen = [looks[slide] for slide in study.slides_of(name) if slide in looks]
        chosen = max(seen, key=lambda look: look.patches.get(name, 0), default=None)
        if chosen is None or not chosen.patches.get(name):
            continue
        row = rows[chosen.slide]
        if settings.kind == "imported":
            tried, of, options = probe_imported, wanted[chosen.slide][name], {"name": row.slide}
            what, remedy = "reading its files", "take a machine with more"
        else:
            tried, of = probe, settings.plain()
            if settings.trained_by:  # other weights of the same network are as fast
                of["encoder"]["weights"] = "random:0"
            options = {"seconds": seconds, "target": study.stain_target(name)}
            what, remedy = "trying its network", "take a smaller model, batch_size or number of threads"
        options |= {"mpp": row.mpp, "scene": row.scene, "threads": threads}
        where = f"features.{name}"
        probes[name] = _tried(tried, (of, row.path), options, where, what, remedy, failed, refused)
    return {name: found for name, found in probes.items() if found}, failed, refused


def _train(study, looks):
    """Try each network that is trained, as `_probe` tries feature sets, on the largest image."""
    from slidecaf.check.training import probe_training

    probes, failed, refused = {}, [], []
    seen = [row for row in study.classification if row.slide in looks and row.split == "train"]
    row = max(seen, key=lambda row: looks[row.slide].width * looks[row.slide].height, default=None)
    for name, method in study.config.methods("classification").items():
        if row is None or method.about.reads != "images":
            continue
        if _absent(method):  # other weights of the same network are as fast
            method = method.model_copy(update={"weights": None, "tuned_blocks": None})
        options = {"classes": len(study.classes), "mpp": row.mpp, "scene": row.scene, "threads": study.config.threads}
        for features in patch_sets(method):
            options["tiling"] = study.config.features[features].tiling.given()
        where, remedy = f"classification.methods.{name}", "take a smaller architecture or input_size"
        told = failed, refused
        probes[name] = _tried(probe_training, (method, row.path), options, where, "trying its network", remedy, *told)
    return {name: found for name, found in probes.items() if found}, failed, refused


def _absent(method):
    """Return the address of weights that a network trained here begins with, where they are not on this machine."""
    from slidecaf.check.probe import absent_weights
    from slidecaf.training.networks import published

    if method.weights is None:
        return ""
    return absent_weights({"encoder": {"model": published(method.architecture), "weights": method.weights}})


def _tried(tried, args, options, where, what, remedy, failed, refused):
    """Try something in a process of its own, so that the peak of memory is its own; None where it failed."""
    from concurrent.futures import TimeoutError

    from pebble import ProcessExpired, ProcessPool

    with ProcessPool(1, context=forkserver()) as pool:
        waiting = pool.schedule(tried, args=args, kwargs=options, timeout=PROBE_TIMEOUT)
        try:
            return waiting.result()
        except SlideError as error:
            refused.append(f"{where}: {error}")
        except SlidecafError as error:
            failed.append(f"{where}: {error}")
        except TimeoutError:
            failed.append(f"{where}: {what} took more than {PROBE_TIMEOUT:.0f} s.")
        except ProcessExpired as error:
            failed.append(
                f"{where}: {what} ended the program (exit code {error.exitcode}), as happens when memory runs out; "
                f"{remedy}."
            )
    return None


def _weights(study):
    from slidecaf.check.probe import absent_weights

    said = []
    for name, settings in study.config.features.items():
        if settings.kind != "network" or not study.slides_of(name):
            continue
        weights = settings.encoder.weights
        if settings.trained_by:
            continue
        if weights.startswith("random:"):
            said.append(f"features.{name}: random weights; its network was never trained.")
        elif url := absent_weights(settings.plain()):
            said.append(f"features.{name}: the first job downloads {weights} from {url}.")
    for name, method in study.config.methods("classification").items():
        if method.about.reads == "images" and (url := _absent(method)):
            said.append(f"classification.methods.{name}: the first job downloads {method.weights} from {url}.")
    return said


def _negative(study, probes):
    said, methods = [], study.config.methods("classification")
    named = [(f"methods.{name}", one) for name, one in methods.items() if one.about.reads == "pooled"]
    named += [("ablation", one) for one in ClassificationTask(study.config.classification, []).tried()]
    for where, method in named:
        powers = [norm for norm in method.norm if norm not in (1, "inf")]
        for features in method.features:
            of, _ = split_output(features)
            if powers and study.pools(of) and of in probes and probes[of].minimum < 0:
                network = study.config.features[of].kind == "network"
                other = ", or take a layer after a ReLU" if network else ""
                said.append(
                    f"classification.{where}.norm: {powers[0]} needs features from 0, and those of {features} "
                    f"go below; write [1, inf]{other}."
                )
    return list(dict.fromkeys(said))


def _disk(study, stages):
    needed = sum(stage.size for stage in stages)
    folder = Path(study.config.results).absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if needed > free:
        return [
            f"results: some {needed / GIB:.1f} GB will be written and {free / GIB:.1f} GB are free; make room, set "
            "results to a larger disk, or write store: train."
        ]
    return []


def _slow(probes, stages):
    if all(probe.device != "cpu" for probe in probes.values()):
        return []
    hours = {what: sum(stage.hours for stage in stages if stage.name.startswith(what)) for what in SLOW}
    return [
        f"there is no GPU that torch can use, and {what} take{verb} some {hours[what]:.0f} hours without one."
        for what, verb in SLOW.items()
        if hours[what] > LONG
    ]


def _group_name(study):
    """Return what the patient column holds; where two tasks call it differently, the first's."""
    return next(task.group_name for task in study.config.tasks().values())


def _item_name(study):
    """Return what a row of the sheet is; slides where there are two tasks."""
    task, other = study.config.classification, study.config.segmentation
    return task.item_name if task and not other else "slide"


def _slide(look):
    """Return what was understood of a slide."""
    return {
        **{key: getattr(look, key) for key in ("slide", "width", "height", "mpp", "mpp_from", "file_mpp")},
        **{key: getattr(look, key) for key in ("levels", "tissue", "patches", "kept")},
    }


def _slides(study, looks):
    rows = list(study.slides.values())
    mpps = [look.mpp for look in looks.values() if look.mpp]
    pixels = [look.width * look.height for look in looks.values()]
    return {
        "listed": len(rows),
        "opened": len(looks),
        "train": sum(row.split == "train" for row in rows),
        "test": sum(row.split == "test" for row in rows),
        "group_name": _group_name(study),
        "item_name": _item_name(study),
        "groups": len({row.patient for row in rows}),
        "predicted": bool(study.config.model),
        "labels": dict(sorted(Counter(row.label for row in study.classification if row.label).items())),
        "masks": sum(bool(row.mask) for row in study.segmentation),
        "gigapixels": sum(pixels) / 1e9,
        "largest_gigapixels": max(pixels, default=0) / 1e9,
        "gigabytes": sum(look.size for look in looks.values()) / GIB,
        "mpp": [min(mpps), max(mpps)] if mpps else None,
    }
