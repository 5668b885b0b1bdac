"""Commands beside the workflow: one module each, with `add_arguments(parser)` and `run(arguments)`."""

COMMANDS = ("init", "check", "view", "export", "import_")
"""Modules of this folder, in the order in which `slidecaf --help` lists them; `import_` is ``import``."""
