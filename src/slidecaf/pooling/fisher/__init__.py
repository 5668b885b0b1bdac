"""From an image's local descriptors to one vector, by a Gaussian mixture of all images' descriptors.

Descriptors are taken in (`descriptors`), projected (`projection`), and a mixture is fitted to them (`mixture`). Fisher
vectors, bags of words and VLAD say how an image's descriptors differ from it (`encoding`).
"""

REVISION = 1
"""Of the values that this package computes: a whole number, raised where they change."""
