"""Before a run: is a study in order, and what will it take.

`inspection` checks config, sheets, slides and masks and lists what is wrong; `survey` looks at every slide in a
process of its own, `probe` times each feature set on a part of one, `estimate` makes hours, memory and disk of both,
and `table` prints them. Nothing is written into the study.
"""
