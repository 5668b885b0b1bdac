"""Slides to a map of necrosis.

`masks` (over `mask_files`, `mask_channels` and `mask_values`) and `labels` say which patches are necrosis, `parts` who
is left out of which model, `rows` what a model learns from and `solver` how; `maps` holds confidences and `cells` the
rectangles on which they are constant; `choice` picks C, threshold and post-processing (`postprocess`), and `rasters`,
`outlines` and `overlay` write what is looked at.
"""

REVISION = 1
"""Of the values that this package computes: a whole number, raised where they change."""
