"""Networks trained here: images and labels in, a network with its loss and accuracy by epoch out.

`images` reads each image once and keeps it as a square, `augment` draws what an epoch sees of it, and `custom_cnn` and
`networks` build what is trained. `loop` trains, judges every epoch on images that the network does not learn from, and
keeps the best; `checkpoint` is what it goes on from after a kill, and `file` what is left in the end.
`activation_maps` shows where a network sees its classes, `attention_maps` where one with attention looks.
"""

REVISION = 1
"""Of the values that this package computes: a whole number, raised where they change."""
