"""A config file as plain values: YAML, read so that nothing in it runs, fills memory or is misread."""

from pathlib import Path

import yaml

from slidecaf.errors import SlidecafError
from slidecaf.files.faults import is_file, unread

MOST_BYTES = 2**20
"""Of a config file."""

MOST_NODES = 100_000
"""Values of a config, each alias counted as what it stands for: aliases of aliases could stand for any number."""

PLAIN = {f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float", "str", "seq", "map", "merge")}
"""Tags of the values that a config is made of."""


def read_config(path):
    """Read a config file as plain values, and run nothing that it may hold.

    Parameters
    ----------
    path : path-like
        YAML, of which JSON is a part.

    Returns
    -------
    dict, list, str, int, float, bool or None

    Raises
    ------
    SlidecafError
        If there is no such file, if it is not YAML in UTF-8, has a key twice, a tag that would build anything but
        plain values, aliases that stand for themselves or for too much, or is too large.
    """
    if not is_file(path):
        raise SlidecafError(f"{path} is no file; write a config there, such as a copy of slidecaf's config.yaml.")
    if Path(path).stat().st_size > MOST_BYTES:
        raise SlidecafError(f"{path} has more than {MOST_BYTES} bytes; a config is shorter: take the right file.")
    try:
        loader = yaml.SafeLoader(Path(path).read_text(encoding="utf-8-sig"))
        node = loader.get_single_node()
        _check_node(node)
        return None if node is None else loader.construct_document(node)
    # PyYAML raises its own errors, and over odd values ValueError, TypeError, RecursionError and others.
    except Exception as error:
        if isinstance(error, OSError | MemoryError):
            raise unread(path, error) from error
        raise SlidecafError(f"{path} is not valid YAML: {' '.join(str(error).split()).rstrip('.')}.") from error


def _check_node(root):
    """Refuse what PyYAML would take in silence: keys given twice, odd tags, aliases that stand for too much."""
    sizes, open_nodes = {}, set()

    def size(node):
        if id(node) in open_nodes:
            raise ValueError(f"line {node.start_mark.line + 1}: an alias stands for what it is a part of; write it out")
        if id(node) in sizes:
            return sizes[id(node)]
        if node.tag not in PLAIN:
            kind = node.tag.removeprefix("tag:yaml.org,2002:")
            raise ValueError(
                f"line {node.start_mark.line + 1}: a value of the kind {kind} will not do; write a number, or a text "
                "in quotes"
            )
        open_nodes.add(id(node))
        parts = []
        if isinstance(node, yaml.MappingNode):
            _check_keys(node)
            parts = [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            parts = node.value
        sizes[id(node)] = 1 + sum(map(size, parts))
        open_nodes.remove(id(node))
        if sizes[id(node)] > MOST_NODES:
            raise ValueError(f"it stands for more than {MOST_NODES} values; write fewer aliases")
        return sizes[id(node)]

    if root is not None:
        size(root)


def _check_keys(node):
    seen = set()
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise ValueError(f"line {line}: a key is no text")
        if (key.tag, key.value) in seen and not key.tag.endswith(":merge"):
            raise ValueError(f"line {line}: the key {key.value!r} stands there twice; keep one")
        seen.add((key.tag, key.value))


def study_config(over: dict, path="config.yaml") -> dict:
    """Return a study's config: the file, and over it what else is said.

    Parameters
    ----------
    over : dict
        What a command line or a workflow that uses this one as a module says. If it names feature sets it is a whole
        config, and no file is read.
    path : path-like, optional

    Returns
    -------
    dict

    Raises
    ------
    SlidecafError
        As `read_config`.
    """
    if "features" in over:
        return over
    config = read_config(path)
    return _laid_over(config, over) if isinstance(config, dict) else config


def _laid_over(below, above):
    """Return a mapping with another's values in place of its own; mappings in both are joined."""
    joined = {**below, **above}
    both = [key for key in above if isinstance(below.get(key), dict) and isinstance(above[key], dict)]
    return joined | {key: _laid_over(below[key], above[key]) for key in both}
