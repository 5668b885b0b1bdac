"""A paragraph on methods, ready for a paper, from a study's config and what its results hold."""

from slidecaf.study.kinds import told_apart
from slidecaf.study.names import TIMM, is_timm, trained_by

NETWORKS = {
    "alexnet": "AlexNet",
    "mobilenet_v2": "MobileNetV2",
    "squeezenet1_0": "SqueezeNet 1.0",
    "squeezenet1_1": "SqueezeNet 1.1",
    "vgg16": "VGG-16",
    "vgg19": "VGG-19",
}


def network_name(feature_set) -> str:
    """Name the network of a feature set, as `network` does without its weights; other sets by their kind."""
    model = feature_set.get("model", feature_set["kind"]).removeprefix(TIMM)
    return NETWORKS.get(model, model)


def network(feature_set) -> str:
    """Name the network of a feature set, and what its weights are.

    Parameters
    ----------
    feature_set : dict
        From `slidecaf.report.results.Results.feature_sets`.

    Returns
    -------
    str
    """
    weights, name = feature_set["weights"], network_name(feature_set)
    if weights.startswith("random:"):
        return f"{name} with random weights (never trained; seed {weights.removeprefix('random:')})"
    if trained_by(weights):
        return f"{name} as the method {trained_by(weights)} trained it, in each fold on the fold's own training rows"
    return f"{name} with weights {weights.rpartition('/')[2]} (SHA-256 {feature_set['weights_sha256'][:12]}…)"


def features_text(feature_set, versions) -> str:
    """Say how patches were cut and turned into vectors.

    Parameters
    ----------
    feature_set : dict
    versions : dict
        Package to version.

    Returns
    -------
    str
    """
    if program := feature_set.get("imported"):
        return f"Patches and their feature vectors were computed by {program} (say here with which network)."
    if "fit" in feature_set:
        return _whole_text(feature_set, versions)
    said = [patches_text(feature_set)]
    said.append(f". {stain}" if (stain := _stain(feature_set)) else "")
    if feature_set["kind"] == "manual":
        said.append(
            ". A patch's features were 186 values: a SIFT descriptor of the whole patch (128), uniform, rotation "
            "invariant local binary patterns (10) and histograms of L*, a* and b* (16 each), stored with 16 bit."
        )
        return "".join(said)
    side = feature_set["input_size"]
    said.append(f". Patches were resized to {side} × {side} px and passed through {network(feature_set)}")
    said.append(f", {_implemented(feature_set, versions)}; ")
    if feature_set["extraction"] == "dense":
        said.append("the network ran once over the enlarged slide, and a patch's values were taken from its map")
    else:
        said.append("each patch went through the network alone")
    said.append(f". {_output(feature_set)} is a patch's feature vector.")
    return "".join(said)


def patches_text(where) -> str:
    """Say how patches were cut.

    Parameters
    ----------
    where : dict
        A row of `slidecaf.report.results.Results.feature_sets`, or `slidecaf.report.results.Results.patches`.

    Returns
    -------
    str
        Without the full stop.
    """
    size, white = where["patch_size"], where["white_above"]
    said = [f"Slides were cut into square patches of {size} × {size} {where['unit']}, {where['stride']} px apart"]
    if where["edge"] == "cover":
        said.append(", on a grid that covers every pixel (pixels beyond the border are reflected)")
    if white is not None:
        said.append(f"; patches whose every pixel has red, green and blue above {white} were discarded")
    if where["tissue"]:
        least = f"{100 * where['min_tissue']:g}"
        said.append(
            f"; patches of which less than {least} % is tissue were discarded, where tissue was told from glass by "
            "Otsu's threshold on the saturation at low resolution, black and pen strokes left out"
        )
    return "".join(said)


def _whole_text(feature_set, versions):
    side = feature_set["input_size"]
    shape = "" if feature_set["fit"] == "stretch" else ", their shape kept and the rest filled with one colour,"
    implemented, stain = _implemented(feature_set, versions), _stain(feature_set)
    stain = f"{stain}. " if stain else ""
    if feature_set.get("map") == "places":
        scales = ", ".join(f"{scale:g}" for scale in sorted(feature_set["scales"] or [1]))
        shape = "" if feature_set["fit"] == "stretch" else " on their longer side, their shape kept"
        return (
            f"{stain}Slides were resized as a whole to {side} px{shape}, times {scales}, and passed through "
            f"{network(feature_set)}, {implemented}. Every place of the map of layer {feature_set['layer']} at every "
            f"scale, scaled to length 1 ({feature_set['dimension']:,} values, stored with 16 bit), is a feature vector."
        )
    return (
        f"{stain}Slides were resized as a whole to {side} × {side} px{shape} and passed through "
        f"{network(feature_set)}, {implemented}. {_output(feature_set)} is a slide's feature vector."
    )


HAIR = "Dark hair was found by closings and drawn over by interpolation (after Lee et al., 1997)"

_STAINED = {
    "reinhard": "mean and deviation of its tissue's L*, a* and b* made those of {target} (after Reinhard et al., 2001)",
    "macenko": "its two stains told apart in optical density and shown in those of {target} (Macenko et al., 2009)",
}


def _stain(feature_set):
    """Say what was done to pixels; nothing where they were left as they are."""
    said = [HAIR] if feature_set.get("hair_removal") else []
    if "stain" in feature_set:
        stain = feature_set["stain"]
        target = stain["target"].rpartition("/")[2]
        said.append(f"The stain of each slide was normalised: {_STAINED[stain['method']].format(target=target)}")
    return ". ".join(said)


def _implemented(feature_set, versions):
    if feature_set["model"] in OWN:
        return "built by the table of its paper"
    if is_timm(feature_set["model"]):
        return f"as implemented in timm {versions['timm']}"
    return f"as implemented in torchvision {versions['torchvision']}"


def _output(feature_set):
    words = {"pooled": "What the network pools before its classifier", "class": "The class token"}
    words |= {"mean": "The mean of the tokens of places", "class+mean": "The class token beside the mean of the others"}
    if is_timm(feature_set["model"]) and feature_set["layer"] in words:
        return f"{words[feature_set['layer']]} ({feature_set['dimension']:,} values, stored with 16 bit)"
    largest = ", of a map the largest value of each channel," if feature_set.get("map") == "max" else ""
    return (
        f"The output of layer {feature_set['layer']}{largest} ({feature_set['dimension']:,} values, stored with 16 bit)"
    )


OWN = ("overfeat-fast", "arl-14", "arl-50", "resnet-14", "senet-14", "ran-14")
"""Networks that torchvision does not have."""


def classification_text(task, method, scores, versions, *, pooled=True) -> str:
    """Say how slides were classified.

    Parameters
    ----------
    task, method : slidecaf.study.config.Settings
        Of the config.
    scores : dict
        Of ``scores.json``.
    versions : dict
    pooled : bool, optional
        Whether a slide has several vectors; False where every feature set takes it as a whole.

    Returns
    -------
    str
    """
    group, found = task.group_name, scores["cross_validation"]
    said = [
        *_told_by(task, method, scores, versions, pooled),
        "Accuracy was estimated by cross-validation, stratified by class, with all slides of a",
        f"{group} in one fold ({found['n']} slides of {found['patients']['all']} {group}s). It was {_accuracy(found)}",
    ]
    if test := scores["test"]:
        said.append(f"and {_accuracy(test)} on the test slides, by the model of all training slides")
    said[-1] += "."
    said.append("Intervals are exact binomial (Clopper-Pearson); slides without a prediction count as wrong.")
    if found.get("with_probability"):
        said.append(
            "Probabilities are by Platt scaling of the confidences inside the training slides of each fold (of the "
            "folds' decisions, for the test)."
        )
    return " ".join(said)


def _kept(keep):
    if keep == "all":
        return "All values were kept,"
    several = "all" in keep
    number, candidates = ("", f" (candidates for their number: {keep})") if several else (f"{keep} ", "")
    return (
        f"The {number}values with the largest difference between the class means of the training slides were kept"
        f"{candidates},"
    )


def _svm_text(task, method, scores, versions, pooled):
    norm, keep, C = (_candidates(getattr(method, key)) for key in ("norm", "keep", "C"))
    return [
        *(_fisher_text(method.fisher) if method.fisher else []),
        *([f"The vectors of a slide were pooled by the p-norm (p = {norm})."] if pooled and not method.fisher else []),
        _kept(keep),
        f"and a linear support vector machine (scikit-learn {versions['scikit-learn']})",
        f"told {_all_of(scores['classes'])} apart{_variants(method, len(scores['classes']))}. Its C (candidates {C})",
        f"and every other setting with several candidates were chosen{_by(method)}",
        f"by {task.inner_folds}-fold cross-validation inside the training slides, selection repeated inside.",
    ]


def _all_of(classes):
    return f"{', '.join(classes[:-1])} and {classes[-1]}"


def _variants(method, classes):
    """Say how more than two classes are told apart, and what is not the default."""
    said = []
    if classes > 2:
        said.append({"one-vs-one": "by an SVM a pair", "one-vs-rest": "by an SVM a class"}[method.scheme])
    if method.scale != ["none"]:
        said.append(f"with values standardised by the training slides (candidates {_candidates(method.scale)})")
    if method.class_weight != ["none"]:
        said.append(f"with weights of classes (candidates {_candidates(method.class_weight)})")
    return f", {', '.join(said)}" if said else ""


def _by(method):
    return "" if method.choose_by == "accuracy" else f", for the largest {method.choose_by.replace('_', ' ')},"


_ENCODINGS = {
    "fv": "Fisher vectors of length 1",
    "ifv": "improved Fisher vectors (signed square roots, length 1)",
    "ffv": "foreground Fisher vectors (each component's gradients by a weight from 0, learned from one half of the "
    "training slides for an SVM of the other)",
    "bow": "bags of words",
    "vlad": "vectors of locally aggregated descriptors (VLAD)",
}


def _fisher_text(fisher):
    """Say how many vectors became one."""
    kept = ", ".join("all values" if size is None else f"{size} principal components" for size in fisher.pca)
    return [
        f"The vectors of a slide were made to have length 1 and projected ({kept}), and encoded by a mixture of",
        f"{_candidates(fisher.components)} Gaussians with diagonal covariances as",
        f"{' or '.join(_ENCODINGS[kind] for kind in fisher.kind)}.",
        "Projection, mixture and weights were learned from the training slides alone, inside each inner fold anew.",
    ]


def _told_by(task, method, scores, versions, pooled):
    if method.kind == "svm":
        return _svm_text(task, method, scores, versions, pooled)
    trained = method.about.reads == "images"
    return _network_text(task, method, scores, versions) if trained else _kind_text(method, scores)


_COMPARED = "built of torchvision's blocks, with which Zhang et al. (2019) compare attention residual learning"

_ARCHITECTURES = {
    "custom-cnn": "the convolutional network of Menkovski et al. (2015): ten convolutions and two dense layers with "
    "batch normalisation, leaky ReLUs and dropout",
    **{
        f"arl-{layers}": f"the network of attention residual learning with {layers} layers (Zhang et al., 2019)"
        for layers in (14, 50)
    },
    "resnet-14": f"a residual network of 14 layers {_COMPARED}",
    "senet-14": f"a residual network of 14 layers with squeeze and excitation (Hu et al., 2018) {_COMPARED}",
    "ran-14": f"a residual attention network (Wang et al., 2017) cut down to 14 layers and three masks, {_COMPARED}",
}
"""Networks built here, by what a config calls them."""


def _network_text(task, method, scores, versions):
    """Say how a network was trained."""
    custom = method.architecture == "custom-cnn"
    side = method.input_size or (128 if custom else 224)
    model = _ARCHITECTURES.get(
        method.architecture, f"{method.architecture} as implemented in torchvision {versions['torchvision']}"
    )
    begun = "from random values" if method.weights is None else f"from the weights {method.weights.rpartition('/')[2]}"
    if method.tuned_blocks is not None:
        begun += f", the last {method.tuned_blocks} blocks and the output alone"
    changed = "as they are"
    if own := method.augment:
        changed = (
            f"changed anew for every epoch: cut to {own.crop:.0%} of their area at least, stretched by up to "
            f"{own.stretch:.0%}, turned by up to {own.rotate:g} degrees, moved by up to {own.translate:.0%}, sheared "
            f"by up to {own.shear:g} degrees"
        )
        changed += {"none": "", "horizontal": ", mirrored", "both": ", mirrored both ways"}[own.flip]
        changed += ", turned by quarters" if own.quarter_turns else ""
    weighted = ", classes weighted alike" if method.class_weight == "balanced" else ""
    if method.head == "gap":
        model += (
            ", with a convolution of 1,024 channels, its mean over places, dropout of one half and a linear layer "
            "behind its convolutions (Zhou et al., 2016)"
        )
    twice = []
    if method.stages == 2:
        mean = "the mean of both stages' probabilities" if method.decides == "both" else "the second stage"
        twice = [
            f"Of each {task.item_name} the bounding box of the largest region with {method.threshold:.0%} or more of "
            "the largest value of the map of the class that this network predicted was cut out of the",
            f"{task.item_name} as stored (Jia and Shen, 2017), and the network was trained further on these in the",
            f"same way; {task.item_name}s to decide on were cut by the first stage of their own part. What counts is",
            f"{mean}.",
        ]
    seen, judged = f"the training {task.item_name}s, whole", []
    if method.patches_of:
        most, item = method.patches_per_slide, task.item_name
        seen = f"patches of the training {item}s with the {item}'s label, at most {most} of each {item} an epoch, drawn"
        seen += " anew each time"
        judged = [f"The probability of each {item} is the mean of those of all its patches."]
    return [
        *([f"{HAIR}."] if method.image.hair_removal else []),
        f"{_all_of(scores['classes'])} were told apart by {model}, trained {begun} on {seen}"
        f"{', in grey' if method.grey else ''}, at {side} px, {changed}.",
        f"The loss was cross entropy{weighted}; {'AdamW' if method.optimiser == 'adamw' else 'SGD'} (learning rate",
        f"{_candidates(method.learning_rate)}, {method.schedule}; weight decay {method.weight_decay:g}; batches of",
        f"{method.batch_size}) ran for {method.epochs} epochs at most. One part in {method.validation} of the training",
        f"{task.item_name}s, whole {task.group_name}s, was held back; the epoch with the smallest loss on it was kept,",
        f"and training ended after {method.patience} epochs without a smaller one.",
        *judged,
        *twice,
    ]


def _kind_text(method, scores):
    """Say what a kind is by its own words in the config's models, and with which settings it ran."""
    words = type(method).model_fields["kind"].description
    settings = {key: value for key, value in method.plain().items() if key not in ("kind", "features")}
    listed = ", ".join(
        f"{key} {_candidates(value if isinstance(value, list) else [value])}" for key, value in settings.items()
    )
    return [
        f"{' and '.join(scores['classes'])} were told apart by a method of the kind {words.rstrip('.')}"
        f"{f', with {listed}' if listed else ''}."
    ]


def segmentation_text(task, method, scores) -> str:
    """Say how necrosis was mapped.

    Parameters
    ----------
    task, method : slidecaf.study.config.Settings
        Of the config.
    scores : dict
        Of ``scores.json``.

    Returns
    -------
    str
    """
    group, last = task.group_name, list(scores)[-1]
    said = [*_LEARNED[method.kind](method), *_chosen(method, group)]
    if hard := method.hard_examples:
        said += [
            "The model was then retrained: patches with more than half their area in a missed or a falsely found",
            f"region of those inner maps counted {hard.copies} more time{'s' if hard.copies > 1 else ''},",
            f"up to {hard.max_share:.0%} of the training patches.",
        ]
    left_out = f"{task.folds} groups of {group}s were" if task.folds else f"each {group} was"
    said += [
        f"For the estimate {left_out} left out in turn, with all choices and hard examples from the others alone.",
        "The score of a slide is S = 2|P ∩ G| / (|P| + |G|), with predicted pixels P and true pixels G.",
    ]
    means = []
    for part, where in (("leave_one_out", f"left-out {group}s"), ("test", "test slides")):
        if found := scores[last][part]:
            interval = found["score_ci95"]
            known = f", 95 % interval {interval[0]:.3f} to {interval[1]:.3f}" if interval else ""
            means.append(f"{found['score']:.3f} ({where}, {found['n']} slides of {found['patients']} {group}s{known})")
    if means:
        said.append(f"Its mean was {' and '.join(means)}; intervals are bootstraps over {group}s.")
    return " ".join(said)


def _by_svm(method):
    return [
        "Patches of which more than half is necrosis by the mask were positive.",
        "A linear support vector machine (squared hinge loss) was fitted to the patches of every",
        f"{method.training_stride} px, features standardised by the training patches.",
        *(
            ["In context, a patch's vector stood beside itself standardised by all patches of its own slide."]
            if "slide" in method.context
            else []
        ),
        "A pixel's confidence is the mean over all patches that contain it.",
    ]


def _by_graph_rlm(method):
    return [
        "Slides were segmented without labels by GraphRLM (Tosun and Gunduz-Demir, 2011), reimplemented from its",
        f"description: pixels in three clusters, circles from a radius of {method.r_min} px in each, a Delaunay graph",
        f"with six types of edges, run-length features in windows of {method.win_size} px, regions grown and merged.",
        "The regions of the training slides were sorted into clusters (k-means), and a region's confidence is that of",
        "the most similar cluster, from -1 to 1 by the share of necrosis that it has on the training slides.",
    ]


_LEARNED = {"svm": _by_svm, "graph-rlm": _by_graph_rlm}
"""Kind to how confidences were learned."""


def _chosen(method, group):
    """Say what was chosen, and on what."""
    told = [f"{key} (candidates {_candidates(values)})" for key, values in told_apart(method).items()]
    least, most = (_candidates(getattr(method, key)) for key in ("min_object", "max_hole"))
    smooth = f"smoothing (σ {_candidates(method.smooth)} px), " if any(method.smooth) else ""
    return [
        f"{', '.join(told)}, {smooth}threshold, the smallest object kept ({least} px)",
        f"and the largest hole filled ({most} px) were chosen together by the mean score of inner maps,",
        f"in {method.inner_folds} folds of the other {group}s.",
    ]


def _candidates(values):
    return ", ".join(f"{value:g}" if isinstance(value, float | int) else str(value) for value in values)


def _accuracy(found):
    low, high = found["accuracy_ci95"]
    auc = f", AUC {found['auc']:.3f}" if found["auc"] is not None else ""
    return f"{found['accuracy']:.1%} ({found['correct']} of {found['n']}, 95 % interval {low:.1%} to {high:.1%}{auc})"
