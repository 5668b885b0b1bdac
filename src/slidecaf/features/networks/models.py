"""torchvision, imported without torch's compiler: that takes two seconds, and no job of ours compiles.

One line of torchvision (``torchvision.ops.roi_align``, of detection networks) takes one function of
``torch._dynamo.utils``, and with it the compiler whole, SymPy and Triton included. While torchvision is imported a
stand-in is in that module's place; its function calls the real one.
"""

import importlib
import sys
from types import ModuleType

COMPILER = "torch._dynamo.utils"


def _is_compile_supported(device_type):
    return importlib.import_module(COMPILER).is_compile_supported(device_type)


def _torchvision():
    if COMPILER in sys.modules:
        return importlib.import_module("torchvision")
    stand_in = ModuleType(COMPILER)
    stand_in.is_compile_supported = _is_compile_supported
    sys.modules[COMPILER] = stand_in
    try:
        return importlib.import_module("torchvision")
    finally:
        del sys.modules[COMPILER]


models = _torchvision().models
"""``torchvision.models``."""
