"""GraphRLM: regions of like texture, without labels (Tosun and Gunduz-Demir, TMI 2011; the paper's section 5.2).

Reimplemented from the description; `docs/decisions.md` says what it leaves open and how it is read here. `stains` tells
pixels apart, `primitives` fits circles into them, `graph` joins these, `run_lengths` describes each by the runs around
it, and `regions` grows and merges regions of like circles. `slide` does all that to one slide and `file` keeps it.
`clusters` learns from training slides which regions are necrosis, and `finding`, `learning` and `mapping` do what the
rules ask for.
"""

REVISION = 1
"""Of the values that this package computes: a whole number, raised where they change."""
