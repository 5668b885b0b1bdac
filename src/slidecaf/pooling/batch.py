"""The pooled vectors of a batch of slides: what the rule ``pooling`` does."""

from collections.abc import Mapping
from pathlib import Path

from slidecaf.features.file import open_features, valid_features
from slidecaf.files.manifests import make_batch, slide_files
from slidecaf.pooling.file import write_pooled
from slidecaf.pooling.norms import Pooler, norm_name, parse_norm
from slidecaf.study.status import STATUS_OK


def pool_slides(manifest, slides: Mapping[str, Mapping], settings: Mapping, *, features) -> None:
    """Pool the features of some slides, and write a vector a norm for each beside the manifest.

    Parameters
    ----------
    manifest : path-like
    slides : mapping of str to mapping
        Slide to nothing of its own.
    settings : mapping
        ``norms``, as the config has them, or of several outputs a mapping of output to norms, ``revision`` and
        ``versions``.
    features : path-like
        The manifest of the batch's features.

    Raises
    ------
    SlidecafError
        After the other slides are done, if a features file is damaged or has values that a norm forbids.
    """
    of_features, folder = slide_files([features]), Path(manifest).parent

    def work(slide, files, origin):
        path = of_features[slide].path
        with open_features(path) as file:
            status = str(file["features"].attrs["status"])
            norms, named, count = settings["norms"], {}, 0
            for output, asked in norms.items() if isinstance(norms, Mapping) else [("", norms)]:
                pooler = Pooler([parse_norm(norm) for norm in asked], source=path)
                for block in valid_features(file, output=output):
                    pooler.add(block)
                vectors = pooler.result() if status == STATUS_OK else {}
                place, count = f"{output}/" if output else "", pooler.count
                named |= {f"{place}{norm_name(norm)}": vector for norm, vector in vectors.items()}
            made = {**origin, "weights_sha256": str(file["features"].attrs["weights_sha256"])}
            write_pooled(files["pooled"], named, patches=count, status=status, origin=made)

    make_batch(
        manifest,
        slides,
        work,
        outputs=lambda slide: {"pooled": folder / f"{slide}.h5"},
        settings=settings,
        inputs=lambda slide: {"features": of_features[slide]},
    )
