"""A check laid out for a terminal."""

from slidecaf.check.estimate import GIB


def table(checked, *, shown=20) -> str:
    """Lay out what a check found.

    Parameters
    ----------
    checked : slidecaf.check.inspection.Checked
    shown : int, optional
        Lines of slides, of masks, of errors and of warnings at most.

    Returns
    -------
    str
    """
    lines = [*_slides_text(checked.slides), *_each_text(checked.each, shown), *_masks_text(checked.masks, shown)]
    lines += [*_features_text(checked.features), *_stages_text(checked.stages)]
    said = {"Notes": checked.notes, "Looks wrong": checked.warnings, "Has to be mended": checked.errors}
    for title, all_of in said.items():
        more = [f"and {len(all_of) - shown} more"] if len(all_of) > shown else []
        lines += ["", title, *(f"  {line}" for line in [*all_of[:shown], *more])] if all_of else []
    verdict = f"{len(checked.errors)} to mend before the run." if checked.errors else "Nothing stands against a run."
    return "\n".join([*lines, "", verdict])


def _slides_text(slides):
    labels = "".join(f", {count} {label}" for label, count in slides["labels"].items())
    masks = f", {slides['masks']} with a mask" if slides["masks"] else ""
    count = f"{slides['listed']} {slides['item_name']}{'s' * (slides['listed'] != 1)}"
    parts = " to predict" if slides["predicted"] else f": {slides['train']} train, {slides['test']} test"
    lines = [f"{count}{parts}, {slides['groups']} {slides['group_name']}s{labels}{masks}"]
    if slides["opened"]:
        mpp = slides["mpp"]
        resolution = "resolution not stated"
        if mpp:
            span = f"{mpp[0]:.3g}" if mpp[0] == mpp[1] else f"{mpp[0]:.3g} to {mpp[1]:.3g}"
            resolution = f"{span} micrometres a pixel"
        lines.append(
            f"{slides['opened']} opened: {slides['gigapixels']:.2f} gigapixels, the largest "
            f"{slides['largest_gigapixels']:.3f}; {slides['gigabytes']:.2f} GB on disk; {resolution}"
        )
    return lines


def _each_text(each, shown):
    if not each:
        return []
    lines = ["", f"{'slide':<28}{'px':>17}{'micrometres a px':>22}{'tissue':>9}  patches, level, what the rules leave"]
    for of in each[:shown]:
        size = f"{of['width']} x {of['height']}"
        lines.append(f"{of['slide']:<28}{size:>17}{_resolution(of):>22}{of['tissue']:>9.1%}  {_patches(of)}")
    more = len(each) - shown
    return [*lines, f"  and {more} more: --json"] if more > 0 else lines


def _resolution(of):
    if not of["mpp_from"]:
        return "not stated"
    if of["mpp_from"] == "sheet":
        return f"{of['mpp']:.4g} (sheet)"
    across, down = of["file_mpp"]
    return f"{across:.4g} (file)" if across == down else f"{across:.4g} x {down:.4g} (file)"


def _patches(of):
    said = []
    for name, count in of["patches"].items():
        rules = [f"{rule} {share:.0%}" for rule, share in of["kept"].get(name, {}).items() if rule != "none"]
        level = f", level {of['levels'][name]}" if name in of["levels"] else ""
        said.append(f"{name} {count:,}{level}{', ' if rules else ''}{', '.join(rules)}")
    return "; ".join(said)


def _masks_text(masks, shown):
    if not masks:
        return []
    lines = ["", f"{'mask of slide':<28}{'column':<12}{'px':>17}{'foreground':>12}"]
    for of in masks[:shown]:
        part = "" if of["whole"] else f"  of {of['pixels'] / of['width'] / of['height']:.0%} of it, in bands"
        size = f"{of['width']} x {of['height']}"
        lines.append(f"{of['slide']:<28}{of['column']:<12}{size:>17}{of['share']:>12.2%}{part}")
    more = len(masks) - shown
    return [*lines, f"  and {more} more, of which less extreme shares are foreground: --json"] if more > 0 else lines


def _features_text(features):
    if not features:
        return []
    lines = ["", f"{'feature set':<20}{'patches':>12}{'values':>8}{'bytes each':>12}{'patches/s':>11}  on"]
    for name, of in features.items():
        line = f"{name:<20}{of['patches']:>12,}"
        if "dimension" in of:
            line += f"{of['dimension']:>8,}"
        if "device" in of:
            rate = 1 / max(of["seconds"], 1e-9)
            line += f"{of['size']:>12,.0f}{rate:>11,.0f}  {of['device']}"
        lines.append(line)
    if any("imported" not in of for of in features.values()):
        lines.append("  patches: estimated from the white share of an overview of each slide")
    if any("imported" in of for of in features.values()):
        lines.append("  patches of imported features: counted in their files")
    return lines


def _stages_text(stages):
    if not stages:
        return []
    lines = ["", f"{'stage':<34}{'jobs':>7}{'hours':>9}{'gigabytes':>11}{'memory GB':>11}"]
    for of in stages:
        memory = f"{of['memory'] / GIB:.1f}" if of["memory"] else "-"
        lines.append(f"{of['name']:<34}{of['jobs']:>7}{of['hours']:>9.2f}{of['size'] / GIB:>11.2f}{memory:>11}")
    hours, size = sum(of["hours"] for of in stages), sum(of["size"] for of in stages) / GIB
    lines.append(f"{'all':<34}{sum(of['jobs'] for of in stages):>7}{hours:>9.2f}{size:>11.2f}")
    return [*lines, "  hours: rough, from a probe of a part of a slide on this machine; a job's memory at its peak"]
