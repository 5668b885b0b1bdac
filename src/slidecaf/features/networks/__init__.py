"""Encoders: a network, one of its layers and its weights, turned into one vector a patch.

Importing this package imports torch and torchvision.
"""

import gc

# The collector would look at all that the two make again and again, and once more when the process ends: a third of
# the time that a job with a network takes to start and to end.
gc.disable()
import torchvision  # noqa: E402, F401

gc.freeze()
gc.enable()
