"""The report's charts: small SVG pictures as data URIs, so that one page holds them all."""

import base64
import io
from contextlib import contextmanager

import numpy as np

from slidecaf.scores.intervals import exact_interval

BLUE, ORANGE, PURPLE, RED, GREY = "#1f5f9e", "#d97706", "#7a28c9", "#d3263f", "#8a8f98"
STYLE = {
    "axes.grid": True,
    "axes.prop_cycle": "cycler('color', ['1f5f9e', 'd97706', '2f855a', '7a28c9', 'd3263f'])",
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.axisbelow": True,
    "font.size": 10,
    "grid.color": "#e3e6ea",
    "legend.frameon": False,
    "legend.fontsize": 9,
    "svg.hashsalt": "slidecaf",
    "text.parse_math": False,  # a $ in a label is a $
}
BINS = 6
"""Bins of the calibration, each with as many slides."""


@contextmanager
def _chart(width=4.6, height=3.8):
    """Give a figure's axes and a dict, whose ``uri`` is the picture once the block has ended."""
    import matplotlib.style
    from matplotlib.figure import Figure

    with matplotlib.style.context(["default", STYLE]):
        figure, done = Figure(figsize=(width, height), layout="constrained"), {}
        yield figure.add_subplot(), done
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    done["uri"] = "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode()


def roc_chart(curves) -> str:
    """Draw ROC curves.

    Parameters
    ----------
    curves : list of (str, ndarray of bool, ndarray of float, bool)
        Name, truth and confidence of each slide, and whether the curve is a main one. A slide without a prediction has
        NaN and stands at its worst end.

    Returns
    -------
    str
        A data URI.
    """
    from sklearn.metrics import roc_curve

    with _chart() as (axes, done):
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=":")
        for name, truth, confidence, main in curves:
            worst = np.where(np.isnan(confidence), np.where(truth, -np.inf, np.inf), confidence)
            finite = np.clip(worst, -np.finfo(float).max / 4, np.finfo(float).max / 4)
            false, true, _ = roc_curve(truth, finite)
            if main:
                axes.plot(false, true, linewidth=2.2, label=name)
            else:
                axes.plot(false, true, linewidth=0.9, color=GREY, alpha=0.7, label=name)
        axes.set(xlabel="false positive rate (1 − specificity)", ylabel="true positive rate (sensitivity)")
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
        handles, names = axes.get_legend_handles_labels()
        kept = dict(zip(names, handles, strict=True))
        axes.legend(kept.values(), kept.keys(), loc="lower right")
    return done["uri"]


def calibration_chart(truth, confidence, classes) -> str:
    """Draw how often the positive class is true where confidences are low, middle and high.

    Parameters
    ----------
    truth : ndarray of bool, shape (n,)
    confidence : ndarray of float, shape (n,)
        No NaN.
    classes : (str, str)
        Negative and positive.

    Returns
    -------
    str
        A data URI.
    """
    with _chart() as (axes, done):
        order = np.argsort(confidence, kind="stable")
        for places in np.array_split(order, min(BINS, max(1, len(order) // 3))):
            hits, n = int(truth[places].sum()), len(places)
            low, high = exact_interval(hits, n)
            middle, share = confidence[places].mean(), hits / n
            axes.errorbar(middle, share, yerr=[[share - low], [high - share]], fmt="o", color=BLUE, capsize=3)
        rng = np.random.default_rng(0)  # so that points do not hide one another
        for value, at, colour in ((False, -0.12, ORANGE), (True, 1.12, BLUE)):
            own = confidence[truth == value]
            axes.scatter(own, at + rng.uniform(-0.04, 0.04, len(own)), s=9, color=colour, alpha=0.7, linewidths=0)
        axes.axvline(0, color=GREY, linewidth=1, linestyle=":")
        axes.set(ylim=(-0.2, 1.2), xlabel=f"confidence (above 0: predicted {classes[1]})")
        axes.set_ylabel(f"share that is {classes[1]}")
        axes.set_yticks([-0.12, 0, 0.25, 0.5, 0.75, 1, 1.12])
        axes.set_yticklabels(
            ["each " + _short(classes[0]), "0", "0.25", "0.5", "0.75", "1", "each " + _short(classes[1])]
        )
    return done["uri"]


def reliability_chart(parts, xlabel, ylabel) -> str:
    """Draw what probabilities say against how often it is so, in groups of as many slides.

    Parameters
    ----------
    parts : dict of str to (ndarray of float, ndarray of bool)
        Name of a part to the probability of each slide, without NaN, and whether it was so.
    xlabel, ylabel : str

    Returns
    -------
    str
        A data URI.
    """
    with _chart() as (axes, done):
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=":")
        for (name, (probability, right)), colour in zip(parts.items(), (BLUE, ORANGE), strict=False):
            order, points = np.argsort(probability, kind="stable"), []
            for places in np.array_split(order, min(BINS, max(1, len(order) // 3))):
                hits, n = int(right[places].sum()), len(places)
                low, high = exact_interval(hits, n)
                points.append((probability[places].mean(), hits / n, hits / n - low, high - hits / n))
            x, y, below, above = np.array(points).T
            axes.errorbar(x, y, yerr=[below, above], fmt="o", color=colour, capsize=3, label=name)
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel=xlabel, ylabel=ylabel)
        axes.legend(loc="upper left")
    return done["uri"]


def _short(text, most=14):
    return text if len(text) <= most else f"{text[: most - 1]}…"


def score_chart(scores) -> str:
    """Draw the distribution of scores.

    Parameters
    ----------
    scores : dict of str to list of float
        What they are of, to the scores of its slides.

    Returns
    -------
    str
        A data URI.
    """
    with _chart() as (axes, done):
        edges = np.linspace(0, 1, 11)
        axes.hist(list(scores.values()), bins=edges, label=list(scores))
        axes.set(xlabel="score S of a slide", ylabel="slides", xlim=(0, 1))
        axes.yaxis.get_major_locator().set_params(integer=True)
        axes.legend(loc="upper left")
    return done["uri"]


def threshold_chart(curves) -> str:
    """Draw the mean score at other thresholds.

    Parameters
    ----------
    curves : list of (str, ndarray of float, ndarray of float, float)
        Name, thresholds, mean scores and the chosen threshold.

    Returns
    -------
    str
        A data URI.
    """
    with _chart() as (axes, done):
        for k, (name, thresholds, scores, chosen) in enumerate(curves):
            axes.plot(thresholds, scores, color=f"C{k}", label=name, linewidth=2)
            at = float(scores[np.abs(thresholds - chosen).argmin()])
            axes.plot([chosen], [at], "o", color=f"C{k}")
        axes.set(xlabel="threshold on the confidence (the dot: chosen)", ylabel="mean score S", ylim=(0, 1))
        axes.legend(loc="best")
    return done["uri"]


def training_chart(curves, key) -> str:
    """Draw the loss or accuracy of networks by epoch.

    Parameters
    ----------
    curves : mapping of str to (list of dict, int)
        Part to rows of ``curves.tsv``, of one learning rate, and the epoch that was kept.
    key : {"loss", "accuracy"}

    Returns
    -------
    str
        A data URI.
    """
    with _chart() as (axes, done):
        for k, (part, (rows, kept)) in enumerate(curves.items()):
            epochs, colour = [int(row["epoch"]) for row in rows], f"C{k % 5}"
            axes.plot(epochs, [float(row[key]) for row in rows], color=colour, alpha=0.35, linewidth=1)
            if rows and rows[0][f"validation_{key}"]:
                values = [float(row[f"validation_{key}"]) for row in rows]
                axes.plot(epochs, values, color=colour, label=part, linewidth=1.8)
                axes.plot([kept], [values[epochs.index(kept)]], "o", color=colour)
        axes.set(xlabel="epoch (the dot: kept)", ylabel=key, ylim=(0, 1.02 if key == "accuracy" else None))
        if axes.get_legend_handles_labels()[0]:
            axes.legend(loc="best")
    return done["uri"]


def paired_chart(first, second, names) -> str:
    """Draw the scores of two variants on the same slides.

    Parameters
    ----------
    first, second : ndarray of float, shape (n,)
    names : (str, str)

    Returns
    -------
    str
        A data URI.
    """
    with _chart() as (axes, done):
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=":")
        axes.scatter(first, second, s=22, color=BLUE, alpha=0.75, linewidths=0)
        axes.set(
            xlabel=f"S, {names[0]}", ylabel=f"S, {names[1]}", xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), aspect="equal"
        )
    return done["uri"]


def ablation_chart(factor, rows, own) -> str:
    """Draw the score at each value of one setting, with its interval, and that of the method itself.

    Parameters
    ----------
    factor : str
        What is varied.
    rows : list of dict
        value, score, low, high and own (whether the method has the value among its candidates), in the order drawn.
    own : float
        The score of the method itself.

    Returns
    -------
    str
        A data URI.
    """
    with _chart() as (axes, done):
        axes.axhline(own, color=GREY, linewidth=1.2, linestyle=":")
        for place, row in enumerate(rows):
            below, above = row["score"] - row["low"], row["high"] - row["score"]
            colour = BLUE if row["own"] else ORANGE
            axes.errorbar(place, row["score"], yerr=[[below], [above]], fmt="o", color=colour, capsize=3)
        names = [_short(str(row["value"]), 18) for row in rows]
        axes.set_xticks(range(len(rows)), names, rotation=25 if max(map(len, names)) > 6 else 0)
        axes.set(xlabel=factor, ylabel="accuracy, left-out slides", ylim=(-0.02, 1.02), xlim=(-0.5, len(rows) - 0.5))
    return done["uri"]
