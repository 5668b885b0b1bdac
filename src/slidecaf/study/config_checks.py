"""What the keys of a config have to do with each other: functions over the parts that are right by themselves.

Each returns sentences that name the key, its value and what to write.
"""

import re

from slidecaf.files.faults import is_file
from slidecaf.study.names import HUB, TIMM, TRAINED, is_timm, is_weights_file, near, split_output

LEAST_SIDE, MOST_SIDE = 32, 4096
"""Px of the longer side of an image at a scale: below there is nothing to see, and above memory is not bounded."""

UNPUBLISHED = ("custom-cnn", "arl-14", "resnet-14", "senet-14", "ran-14")
"""Networks built here whose weights nobody has published."""


def check_parts(sets, methods, *, names, folder) -> list:
    """Check feature sets and methods by themselves and against each other.

    Parameters
    ----------
    sets : dict of str to FeatureSet
        Those that parsed.
    methods : dict of str to dict
        Task to its methods that parsed.
    names : iterable of str
        All feature sets, those too that did not parse.
    folder : pathlib.Path
        Where relative paths of weights start.

    Returns
    -------
    list of str
    """
    computed = {name: one for name, one in sets.items() if one.kind != "imported"}
    networks = {name: one for name, one in computed.items() if one.kind == "network"}
    problems = [problem for name, one in computed.items() for problem in _tiling(f"features.{name}.tiling", one.tiling)]
    problems += [problem for name, one in networks.items() for problem in _whole(f"features.{name}", one)]
    problems += [problem for name, one in networks.items() for problem in _encoder(f"features.{name}", one)]
    problems += [
        problem
        for name, one in networks.items()
        for problem in _weights(f"features.{name}.encoder", one.encoder.weights, one.encoder.model, folder)
    ]
    problems += [problem for name, one in networks.items() for problem in _timm(f"features.{name}", one)]
    problems += [
        problem
        for name, one in networks.items()
        if one.encoder.weights.startswith(TRAINED)
        for problem in _trained(f"features.{name}", one, methods.get("classification", {}))
    ]
    for task, named in methods.items():
        for name, method in named.items():
            where = f"{task}.methods.{name}"
            problems += _candidates(where, method)
            if isinstance(names, dict):
                problems += _known(where, method, sets, list(map(str, names)))
    if problems:
        return problems  # a stride is known once its tiling is right
    problems = [
        problem
        for name, method in methods.get("segmentation", {}).items()
        if method.features and "/" not in method.features and method.features in sets
        for problem in _stride(f"segmentation.methods.{name}", method, sets[method.features])
    ]
    problems += [
        f"segmentation.methods.{name}.features: {method.features} is one of several outputs, and a map is made of a "
        "feature set that has one; write a feature set with layer in place of outputs."
        for name, method in methods.get("segmentation", {}).items()
        if method.features and "/" in method.features
    ]
    problems += [
        problem for name, method in methods.get("classification", {}).items() for problem in _fisher(name, method, sets)
    ]
    problems += [
        problem
        for name, method in methods.get("classification", {}).items()
        if method.about.reads == "images"
        for problem in [
            *_network(f"classification.methods.{name}", method, folder),
            *_patches(f"classification.methods.{name}", method, sets, list(map(str, names or ()))),
        ]
    ]
    return problems + [
        f"classification.methods.{name}.features: {features} takes the whole image as one patch (tiling: whole), and "
        f"kind: {method.kind} learns from many patches a slide; name a feature set whose tiling has a patch_size."
        for name, method in methods.get("classification", {}).items()
        if method.about.reads == "features"
        for features in method.features
        if (chosen := sets.get(split_output(features)[0])) and chosen.is_whole
    ]


def _network(where, method, folder):
    """Grey images are for the network that is built for them, and blocks for one that has learned before."""
    problems, custom = [], method.architecture == "custom-cnn"
    if method.grey and not custom:
        problems.append(
            f"{where}.grey: true is for custom-cnn, and {method.architecture} takes images in colour; write false."
        )
    if method.stages == 2 and not method.maps:
        problems.append(
            f"{where}.architecture: {method.architecture} is a transformer and has no map to cut images by; write a "
            "convolutional network, such as vgg16 or mobilenet_v2."
        )
    if custom and method.head != "own":
        problems.append(
            f"{where}.head: {method.head} is for networks of torchvision, and custom-cnn has dense layers of its own; "
            "write own, or another architecture."
        )
    if method.weights is None and method.tuned_blocks is not None:
        problems.append(
            f"{where}.tuned_blocks: {method.tuned_blocks} leaves the other blocks as they are, which without weights "
            "have not learned anything; write weights, or null."
        )
    if method.weights is not None and method.weights.startswith("random:"):
        problems.append(f"{where}.weights: {method.weights!r}: weights are drawn by the study's seed; write null.")
    elif method.weights is not None:
        problems += _weights(where, method.weights, method.architecture, folder)
    if method.architecture in UNPUBLISHED and method.weights is not None and not is_weights_file(method.weights):
        problems.append(
            f"{where}.weights: there are no published ones of {method.architecture}, and so no {method.weights!r}; "
            "write the path of a state dict, or null."
        )
    return problems


def _patches(where, method, sets, names):
    """Check that a network learns from patches of a feature set that lays them, and from these alone."""
    features = method.patches_of
    if features is None:
        most = method.patches_per_slide
        if most != type(method).model_fields["patches_per_slide"].default:
            return [
                f"{where}.patches_per_slide: {most} is for patches_of, and that is missing; write it too, or neither."
            ]
        return []
    if method.stages == 2:
        return [
            f"{where}.patches_of: {features}: {method.kind} cuts out of whole images what it looks at; leave it out, "
            "or write kind: network."
        ]
    problems, shown = [], type(method.image).model_fields["fit"].default
    if features not in names:
        problems.append(
            f"{where}.patches_of: there is no feature set {features!r}{near(features, names)}; known: "
            f"{', '.join(names) or 'none'}."
        )
    elif (own := sets.get(features)) and own.is_whole:
        problems.append(
            f"{where}.patches_of: {features} takes the whole image as one patch (tiling: whole); leave it out, or name "
            "a feature set whose tiling has a patch_size."
        )
    elif own and own.kind == "imported":
        problems.append(
            f"{where}.patches_of: the patches of {features} are another program's; name a feature set that slidecaf "
            "computes."
        )
    if method.image.fit != shown:
        problems.append(f"{where}.image.fit: {method.image.fit} is for whole images, and patches are squares.")
    return problems


def _fisher(name, method, sets):
    """Fisher vectors are made of many descriptors an image, and without a norm."""
    if method.way != "fisher":
        return []
    where, default = f"classification.methods.{name}", type(method).model_fields["norm"].default
    said = [f"{where}.norm: {method.norm} is a way to pool, and so is fisher; leave one of them out."]
    return (said if method.norm != default else []) + [
        f"{where}.features: {features} gives one vector an image, and fisher makes one of many; name a feature set "
        "with map: places, or one whose tiling has a patch_size."
        for features in method.features
        if (chosen := sets.get(split_output(features)[0])) and chosen.is_whole and not _gives_places(chosen)
    ]


def _gives_places(features):
    return getattr(features.encoder, "map", None) == "places"


def _other(method):
    return "it has fisher in place of norm" if method.way == "fisher" else f"it is of kind {method.kind}"


def check_ablation(ablation, methods, sets) -> list:
    """Check what an ablation varies against methods and feature sets.

    Parameters
    ----------
    ablation : slidecaf.study.config.Ablation
    methods : dict of str to ClassificationMethod
    sets : dict of str to FeatureSet

    Returns
    -------
    list of str
    """
    where, chosen = "classification.ablation", methods.get(ablation.method)
    known = [name for name, method in methods.items() if method.way == "svm"]
    if chosen is None or chosen.way != "svm":
        what = "there is no such method" if chosen is None else _other(chosen)
        instead = f"write one of kind svm: {', '.join(known)}" if known else "add a method of kind svm"
        return [f"{where}.method: {ablation.method!r}: {what}{near(ablation.method, known)}; {instead}."]
    if not ablation.settings():
        return [f"{where}: nothing is varied; write a list of values for norm, keep or features."]
    tried = ablation.features or []
    for named in [*chosen.features, *tried]:
        if (own := sets.get(split_output(named)[0])) and own.trained_by:
            return [
                f"{where}: {named} is computed by the networks of {own.trained_by}, one a part, and an ablation reads "
                "all parts at once; leave it out, or name another method."
            ]
    return [
        *_candidates(where, ablation),
        *_named(f"{where}.features", tried, sets, list(sets)),
    ]


def _whole(where, features):
    """Whole images and patches each have keys that say nothing of the other."""
    if features.is_whole:
        if features.extraction == "dense":
            return [
                f"{where}.extraction: dense shares the work of overlapping patches, and with tiling: whole there is "
                "one an image; write patchwise, or a tiling with a patch_size."
            ]
        if features.store == "train":
            return [f"{where}.store: train is for the segmentation, which takes no tiling: whole; write store: all."]
        return []
    fields = type(features).model_fields
    given = {
        "image.fit": (features.image.fit, type(features.image).model_fields["fit"].default),
        "shards": (features.shards, fields["shards"].default),
    }
    return [
        f"{where}.{key}: {value} is for whole images, and this tiling cuts patches; leave it out, or write "
        "tiling: whole."
        for key, (value, default) in given.items()
        if value != default
    ]


def _tiling(where, tiling):
    if tiling == "whole":
        return []
    given = [key for key in ("overlap", "stride") if getattr(tiling, key) is not None]
    if len(given) != 1:
        return [
            f"{where}: {'both' if given else 'neither'} overlap and stride given; write one of them: overlap, a share "
            "of patch_size, or stride, in px."
        ]
    if tiling.edge == "cover" and (tiling.stride or 0) > tiling.patch_size:
        return [
            f"{where}: stride {tiling.stride} leaves gaps between patches of {tiling.patch_size} px, and edge: cover "
            "asks for none; write a stride of at most patch_size."
        ]
    return []


def _weights(where, weights, model, folder):
    where = f"{where}.weights"
    if weights.startswith(HUB) and not is_timm(model):
        return [
            f"{where}: {weights!r} is loaded by timm, and {model!r} is not one of its networks; write model: "
            f"{TIMM} with the name of its architecture."
        ]
    if weights.startswith(HUB) and not re.fullmatch(r"[\w.-]+/[\w.-]+(@[\w.-]+)?", weights.removeprefix(HUB)):
        return [f"{where}: {weights!r} is no name on the hub; write such as hf-hub:MahmoodLab/UNI2-h."]
    if is_weights_file(weights, model) and not is_file(folder / weights):
        named = "a tag of timm's, hf-hub:NAME" if is_timm(model) else "a torchvision weights name such as "
        named += "" if is_timm(model) else "IMAGENET1K_V1"
        return [f"{where}: there is no file {weights!r}; write the path of a state dict, {named}, or random:SEED."]
    if weights.startswith("random:") and not re.fullmatch(r"random:\d{1,9}", weights):
        return [f"{where}: {weights!r} has no seed; write random:0."]
    return []


def _trained(where, features, methods):
    """Check a feature set that the networks of a method of the study compute."""
    one, name = features.encoder, features.trained_by
    said = f"{where}.encoder.weights: {one.weights!r}"
    known = [key for key, method in methods.items() if method.kind == "network"]
    if name not in known:
        instead = f"write {TRAINED} and one of {', '.join(known)}" if known else "add a method of kind: network"
        return [f"{said}: the classification has no method of kind: network called so{near(name, known)}; {instead}."]
    problems, architecture = [], methods[name].architecture
    if architecture == "custom-cnn":
        problems.append(
            f"{said}: custom-cnn is made for one size of image and is no encoder; name a method of another "
            "architecture."
        )
    elif methods[name].head == "gap":
        problems.append(
            f"{said}: {name} has head: gap, another network than its architecture; name a method with head: own."
        )
    elif one.model != architecture:
        problems.append(f"{where}.encoder.model: {one.model!r}, and {name} trains {architecture}; write that.")
    if methods[name].patches_of:
        problems.append(
            f"{said}: {name} learns from patches (patches_of), and features of such networks are not built; name a "
            "method that learns from whole images."
        )
    elif not features.is_whole:
        problems.append(f"{where}.tiling: networks trained here have seen whole images; write tiling: whole.")
    if one.weights_sha256 is not None:
        problems.append(
            f"{where}.encoder.weights_sha256: each part has a network of its own, and one digest is not theirs all; "
            "leave it out."
        )
    return problems


def _timm(where, features):
    """Check what is said of one of timm's networks, or of another and is timm's."""
    one, where_encoder, problems = features.encoder, f"{where}.encoder", []
    if not is_timm(one.model):
        given = {"model_args": one.model_args, "mean": one.mean, "std": one.std}
        given["input_size"] = one.input_size if one.input_size == "own" else None
        return [
            f"{where_encoder}.{key}: it is for networks of timm, and {one.model!r} is not one; leave it out, or write "
            f"model: {TIMM} with a name."
            for key, value in given.items()
            if value is not None
        ]
    name = one.model.removeprefix(TIMM)
    if not re.fullmatch(r"\w+", name):
        instead = "write timm/ with the name of an architecture, such as timm/vit_small_patch14_dinov2"
        if found := re.fullmatch(r"(\w+)\.(\w+)", name):
            instead = f"write model: {TIMM}{found[1]} and weights: {found[2]}"
        problems.append(f"{where_encoder}.model: {one.model!r} will not do; {instead}.")
    if features.extraction == "dense":
        problems.append(
            f"{where}.extraction: dense runs torchvision's networks alone; write patchwise for {one.model}."
        )
    if (one.mean is None) != (one.std is None):
        given, missing = ("mean", "std") if one.std is None else ("std", "mean")
        problems.append(f"{where_encoder}.{missing}: missing, and {given} is given; write both or neither.")
    elif one.mean is None and is_weights_file(one.weights, one.model):
        problems.append(
            f"{where_encoder}.mean: missing; the file {one.weights!r} does not say how its images are normalised: "
            "write mean and std of the card of the weights; ImageNet's are [0.485, 0.456, 0.406] and [0.229, 0.224, "
            "0.225]."
        )
    args = one.model_args
    if args and (args.mlp_layer or "").startswith("SwiGLU") and args.act_layer != "silu":
        problems.append(
            f"{where_encoder}.model_args.act_layer: {args.act_layer or 'missing'}; {args.mlp_layer} is gated by silu, "
            "which timm takes from act_layer; write silu."
        )
    if features.is_whole and one.input_size == "own":
        problems.append(
            f"{where_encoder}.input_size: missing; with tiling: whole write it in px, since images are read for it."
        )
    return problems


def _candidates(where, method):
    return [
        f"{where}.{key}: {value} names a candidate twice; write each once."
        for key, value in method
        if isinstance(value, list) and len(set(map(str, value))) < len(value)
    ]


def _known(where, method, sets, names):
    used = [method.features] if isinstance(method.features, str) else method.features or []
    return _named(f"{where}.features", used, sets, names)


def _named(where, used, sets, names):
    """Feature sets by their name, and of one with several outputs the output."""
    problems = []
    for named in used:
        features, output = split_output(named)
        if features not in names:
            problems.append(
                f"{where}: there is no feature set {features!r}{near(features, names)}; known: {', '.join(names)}."
            )
            continue
        if features not in sets:  # wrong by itself
            continue
        known = sets[features].outputs
        choices = ", ".join(f"{features}/{one}" for one in known)
        if output and not known:
            problems.append(f"{where}: {named!r}: {features} has one output; write {features}.")
        elif known and not output:
            problems.append(f"{where}: {features} has several outputs; write one of them or more: {choices}.")
        elif output not in known and known:
            problems.append(f"{where}: {named!r}: there is no such output{near(output, known)}; known: {choices}.")
    return problems


def _encoder(where, features):
    """Check what an encoder gives: one layer, or several outputs, or the places of a map."""
    one, problems = features.encoder, []
    where_encoder = f"{where}.encoder"
    if (one.layer is None) == (one.outputs is None):
        if one.layer is None:
            return [
                f"{where_encoder}.layer: missing; write the name of a layer of the model, such as classifier.5, or "
                "outputs, a mapping of names."
            ]
        return [f"{where_encoder}: both layer and outputs given; write one of them."]
    if one.map and one.outputs:
        problems.append(f"{where_encoder}.map: {one.map} is of layer; write it beside the layer of each output.")
    if features.extraction == "dense" and (one.outputs or one.map not in (None, "average")):
        key = "outputs" if one.outputs else "map"
        problems.append(
            f"{where_encoder}.{key}: extraction: dense averages one layer; write patchwise, or leave it out."
        )
    if one.map != "places":
        if one.scales:
            problems.append(f"{where_encoder}.scales: it is for map: places; write that too, or leave it out.")
        return problems
    if features.compile:
        problems.append(
            f"{where}.compile: with map: places images have as many sizes as shapes, and each would be compiled anew; "
            "leave compile out."
        )
    if not features.is_whole:
        problems.append(
            f"{where_encoder}.map: places are those of whole images; write tiling: whole, or average or max."
        )
    if one.input_size == "own":  # of a whole image it is asked for
        return problems
    sides = {scale: round(one.input_size * scale) for scale in one.scales or [1]}
    for scale, side in sides.items():
        if not LEAST_SIDE <= side <= MOST_SIDE:
            problems.append(
                f"{where_encoder}.scales: {scale:g} of {one.input_size} px (input_size) are {side} px; write scales "
                f"that give {LEAST_SIDE} to {MOST_SIDE} px."
            )
    if len(sides) < len(one.scales or [1]):
        problems.append(f"{where_encoder}.scales: {one.scales} names a scale twice; write each once.")
    return problems


def _stride(where, method, features):
    """Patches to learn from are every so many of the grid's."""
    name = method.features
    if features.is_whole:
        return [
            f"{where}.features: {name} takes the whole image as one patch (tiling: whole), and a map is made of "
            "patches; name a feature set whose tiling has a patch_size."
        ]
    if features.kind == "imported":  # their stride is known from their files
        if any(method.smooth):
            return [
                f"{where}.smooth: it works on squares of the stride, which imported features ({name}) do not promise; "
                "write smooth: [0]."
            ]
        return []
    stride, size = features.tiling.stride_px, features.tiling.patch_size
    wanted = {"training_stride": method.training_stride}
    if method.hard_examples:
        wanted["hard_examples.stride"] = method.hard_examples.stride
    problems = [
        f"{where}.{key}: {value} is no multiple of the stride of {name}, {stride} px; write "
        f"{', '.join(str(k * stride) for k in (1, 2, 4))} or another multiple."
        for key, value in wanted.items()
        if value % stride
    ]
    if any(method.smooth) and size % stride:
        problems.append(
            f"{where}.smooth: it works on squares of the stride, and the stride of {name}, {stride} px, does not "
            f"divide its patch_size, {size} px; change one of them, or write smooth: [0]."
        )
    return problems
