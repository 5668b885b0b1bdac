"""What `slidecaf` can be asked for: one module a command, with `add_arguments(parser)` and `run(arguments)`.

Modules import inside their functions what takes time, so that every command starts at once.
"""

COMMANDS = ("init", "check", "run", "view", "export", "predict", "import_", "clean")
"""Modules of this folder, in the order in which `slidecaf --help` lists them; `import_` is ``import``."""
