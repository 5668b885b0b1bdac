"""The features of a shard of whole images: what the rule ``whole_features`` does."""

import os
import secrets
from collections.abc import Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from slidecaf.errors import MachineError, SlidecafError, SlideError
from slidecaf.features.batch import (
    describe_loaded,
    described_before,
    network_attributes,
    network_on_demand,
)
from slidecaf.features.outputs import outputs_of, width_of
from slidecaf.features.shards import WholeImage, read_shard, write_shard
from slidecaf.features.source import Image
from slidecaf.files.atomic import refused
from slidecaf.files.fingerprints import value_digest
from slidecaf.files.manifests import COLUMNS, Sums, Token
from slidecaf.files.tables import write_tsv
from slidecaf.files.versions import origin
from slidecaf.logs import logger
from slidecaf.slides import Limits
from slidecaf.study.config import NetworkFeatures
from slidecaf.study.status import STATUS_OK, STATUS_UNREADABLE


def extract_shard(
    manifest,
    slides: Mapping[str, Mapping],
    settings: Mapping,
    *,
    encoder=None,
    paths: Mapping,
    limits: Mapping,
    on_bad_slide: str,
    threads: int,
    target: Mapping | None = None,
) -> None:
    """Compute the features of whole images with one network, and write their shard beside the manifest.

    An image keeps the features that an earlier shard has of it, where they were made from the same. Where an image
    fails, the shard holds the others, so that the next run keeps these; without a manifest nobody reads it.

    Parameters
    ----------
    manifest : path-like
        ``shard-{k}.tsv``: a row a slide, each with the file ``shard-{k}.h5``.
    slides : mapping of str to mapping
        Slide to its ``digest`` and, as the sheet has them, ``mpp`` and ``scene``; one at least.
    settings, encoder, paths, limits, threads, target
        As for `slidecaf.features.batch.extract_slides`.
    on_bad_slide : {"fail", "exclude"}
        Whether an image that cannot be read is an error, or has no vector.

    Raises
    ------
    SlidecafError
        After the other images are done, if one cannot be read, or the network cannot be run like this.
    """
    manifest = Path(manifest)
    path, known = manifest.with_suffix(".h5"), Sums(manifest)
    chosen = NetworkFeatures.model_validate(settings["features"]).plain()
    described, precision = described_before(encoder, chosen)
    how = {"settings": chosen, "precision": precision, "threads": threads, "max_unreadable": 0.0}
    how["target"] = target and Image(**target)
    with ExitStack() as waiting, network_on_demand(**how, limits=Limits.from_config(limits)) as network:
        described = described or describe_loaded(network().encoder, chosen, precision)
        # features come of the tensors in use, which are described; other bytes of a weights file make none anew
        depends = {key: value for key, value in settings.items() if key != "weights"} | {"encoder": described}
        made_from = {
            slide: value_digest({"slide": slide, "own": own, "settings": depends}) for slide, own in slides.items()
        }
        places = chosen["encoder"].get("map") == "places"
        # rows of places are more than memory holds; they wait on the disk
        keep = waiting.enter_context(_on_disk(path.parent)) if places else lambda rows: rows
        earlier = _earlier(path, known, Token(manifest).files.get(str(path)), keep)
        images = {slide: image for slide, image in earlier.items() if image.made_from == made_from.get(slide)}
        todo = [
            Image(slide, paths[slide], own["mpp"], own["scene"]) for slide, own in slides.items() if slide not in images
        ]
        logger.info("%d images, of which %d have features already", len(slides), len(images))
        failed = []
        for image, features, seen, *where in _extracted(network, todo, places):
            if isinstance(seen, SlidecafError):
                if on_bad_slide == "fail" or not isinstance(seen, SlideError):
                    logger.error("%s", seen)
                    failed.append(image.name)
                    continue
                logger.warning("left out: %s", seen)
            own = {"slide_digest": slides[image.name]["digest"], "made_from": made_from[image.name]}
            own |= dict(zip(("scale", "box"), where, strict=False))
            features = None if features is None else keep(features)
            images[image.name] = _whole_image(features, seen, width_of(described["dimension"]), **own)
        if images and (todo or images.keys() != earlier.keys()):
            images = {slide: images[slide] for slide in slides if slide in images}
            held = value_digest({slide: image.made_from for slide, image in images.items()})
            said = origin(settings["revision"], made_from=held, weights_sha256=described["weights_sha256"])
            own = {"outputs": outputs_of(described), "origin": said}
            write_shard(path, images, network_attributes(chosen, described), **own)
    if failed:
        raise SlidecafError(
            f"{len(failed)} of the {len(slides)} images of this shard failed ({', '.join(failed)}); mend what is said "
            "of them above and run again, the others are kept."
        )
    size, sha256 = known(path)
    write_tsv(
        manifest, COLUMNS, [{"slide": slide, "file": path.name, "size": size, "sha256": sha256} for slide in slides]
    )
    known.save()
    Token(manifest).settle()


def _extracted(network, todo, places):
    if not todo:
        return ()
    return network().extract_places(todo) if places else network().extract_whole(todo)


@contextmanager
def _on_disk(folder):
    """Give a function that puts rows into a file without a name, and returns them as they lie there."""
    path = Path(folder) / f".places.{secrets.token_hex(4)}"

    def keep(rows):
        if not len(rows):
            return rows
        start = file.seek(0, os.SEEK_END)
        try:
            file.write(np.ascontiguousarray(rows).tobytes())
            file.flush()
        except OSError as error:
            if reason := refused(error, folder):
                raise SlidecafError(f"{folder}: places of images cannot be written: {reason}") from error
            raise
        return np.memmap(file, rows.dtype, "r", start, rows.shape)

    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w+b") as file:
        path.unlink()  # open, it is there for us; whatever ends us, it is gone
        yield keep


def _earlier(path, known, bad, keep):
    """Return what an earlier shard holds, where it is there, whole, and not what the plan found amiss."""
    if not path.is_file() or (bad is not None and known(path)[1] == bad):
        return {}
    try:
        return read_shard(path, keep=keep)
    except MachineError:  # nothing says that it is not good
        raise
    except SlidecafError as error:
        logger.warning("%s It is made anew.", error)
        return {}


def _whole_image(features, seen, dimension, **own):
    if features is None:
        return WholeImage(np.zeros((0, dimension), np.float16), STATUS_UNREADABLE, **own)
    width, height, mpp = seen
    mpp = np.nan if mpp is None else mpp
    return WholeImage(features, STATUS_OK, **own, level0_width=width, level0_height=height, level0_mpp=mpp)
