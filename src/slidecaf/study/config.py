"""A study's config: read, held against the schema, defaults filled in, names checked.

The schema (``workflow/schemas/config.schema.yaml``) is the one place where keys, defaults and descriptions
stand. All errors are reported at once, each with the key's full path, the value and what to write instead.
"""

import difflib
import math
import re
from pathlib import Path

import jsonschema
import yaml

from slidecaf.errors import InputErrors, SlidecafError

NAME = re.compile(r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
"""Slide ids, feature-set and method names: they become file names."""


TASKS = ("classification", "segmentation")

MOST_BYTES = 2**20
"""Of a config file."""

MOST_NODES = 100_000
"""Values of a config, each alias counted as what it stands for: aliases of aliases could stand for any number."""

PLAIN = {f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float", "str", "seq", "map", "merge")}
"""Tags of the values that a config is made of."""


def load_schema(path):
    """Read a JSON schema written in YAML.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    dict
    """
    return yaml.safe_load(Path(path).read_text(encoding="utf-8"))


def load_config(path, schema):
    """Read a config file and check it.

    Parameters
    ----------
    path : path-like
        As for `read_config`.
    schema : dict
        From `load_schema`.

    Returns
    -------
    dict
        With every default filled in.

    Raises
    ------
    SlidecafError
        If the file is not YAML.
    InputErrors
        If the config is not valid.
    """
    return check_config(read_config(path), schema, source=path, folder=Path(path).parent)


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
    if not Path(path).is_file():
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


def check_config(config, schema, *, source="config.yaml", folder="."):
    """Hold a config against the schema and fill in its defaults.

    Parameters
    ----------
    config : dict
        As read from YAML; it is not changed.
    schema : dict
        From `load_schema`.
    source : str, optional
        The file's name in errors.
    folder : path-like, optional
        Where relative paths of weights start.

    Returns
    -------
    dict
        A copy with every default filled in and single candidates made lists.

    Raises
    ------
    InputErrors
        With every problem found.
    """
    if not isinstance(config, dict):
        raise InputErrors(source, [f"the file holds {type(config).__name__}, not keys with values."])
    schema = _with_imported(config, schema)
    config = _fill(config, schema)
    problems = [
        _explain(error)
        for error in sorted(
            jsonschema.Draft202012Validator(schema).iter_errors(config), key=lambda e: list(map(str, e.path))
        )
    ]
    problems += _names(config) + _not_numbers(config)
    if not problems:  # what follows reads keys that the schema has just proved to be there
        problems += _tilings(config) + _encoders(config, Path(folder)) + _methods(config)
    if problems:
        raise InputErrors(source, problems)
    return config


def _with_imported(config, schema):
    """Let feature sets that another program computed follow the schema of such sets."""
    sets = config.get("features")
    imported = [name for name, one in sets.items() if is_imported(one)] if isinstance(sets, dict) else []
    part = {
        **schema["properties"]["features"],
        "properties": dict.fromkeys(imported, schema["$defs"]["imported_features"]),
    }
    return {**schema, "properties": {**schema["properties"], "features": part}} if imported else schema


def is_imported(features):
    """Tell whether another program computed a feature set.

    Parameters
    ----------
    features : mapping
        The feature set in the config.

    Returns
    -------
    bool
    """
    return isinstance(features, dict) and "imported" in features


def _computed(config):
    """Return the feature sets that slidecaf computes."""
    return {name: features for name, features in config["features"].items() if not is_imported(features)}


def _fill(value, schema):
    """Copy `value` with the schema's defaults in place of missing keys, keys in the schema's order."""
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        rest = schema.get("additionalProperties")
        filled = {}
        for key, part in properties.items():
            if key in value or "default" in part:
                filled[key] = _fill(value.get(key, part.get("default")), part)
        for key, item in value.items():
            if key not in properties:
                filled[key] = _fill(item, rest if isinstance(rest, dict) else {})
        return filled
    if isinstance(value, list):
        return [_fill(item, schema.get("items", {})) for item in value]
    # A list of candidates may be written as its only value.
    if schema.get("type") == "array" and isinstance(value, int | float | str) and not isinstance(value, bool):
        return [value]
    return value


def _explain(error):
    where = _where(error.path)
    if error.validator == "additionalProperties":
        known = list(error.schema.get("properties", {}))
        unknown = [key for key in error.instance if key not in known]
        return " ".join(
            f"{_where([*error.path, key])}: unknown key{_near(key, known)}; known here: {', '.join(known)}."
            for key in unknown
        )
    if error.validator == "required":
        missing = [key for key in error.validator_value if key not in error.instance]
        return " ".join(
            f"{_where([*error.path, key])}: missing; {_meaning(error.schema['properties'][key])}" for key in missing
        )
    return f"{where}: {error.instance!r} will not do; {_meaning(error.schema)}"


def _where(path):
    return ".".join(map(str, path)) or "the config"


def _meaning(schema):
    return f"write {schema['description'][0].lower()}{schema['description'][1:]}"


def _near(name, known):
    close = difflib.get_close_matches(str(name), list(map(str, known)), n=1)
    return f", did you mean {close[0]}?" if close else ""


def _names(config):
    """Feature sets and methods become folders."""
    sections = {"features": config.get("features")}
    for task in TASKS:
        if isinstance(config.get(task), dict):
            sections[f"{task}.methods"] = config[task].get("methods")
    return [
        f"{section}: the name {name!r} will not do; write letters, digits, '.', '_' and '-', first a letter "
        "or digit, no '..', at most 128; put a number in quotes."
        for section, entries in sections.items()
        if isinstance(entries, dict)
        for name in entries
        if not (isinstance(name, str) and NAME.fullmatch(name)) or name == "comparison.json"
    ]


def _not_numbers(value, path=()):
    """NaN and infinity pass every bound of a schema."""
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return [problem for key, item in items for problem in _not_numbers(item, (*path, key))]
    if isinstance(value, float) and not math.isfinite(value):
        return [f"{_where(path)}: {value} will not do; write a number, or inf (without a dot) as a norm."]
    return []


def _tilings(config):
    problems = []
    for name, features in _computed(config).items():
        tiling = features["tiling"]
        given = {"overlap", "stride"} & set(tiling)
        if len(given) != 1:
            problems.append(
                f"features.{name}.tiling: {'both' if given else 'neither'} overlap and stride given; write one "
                "of them: overlap, a share of patch_size, or stride, in px."
            )
        elif tiling["edge"] == "cover" and tiling.get("stride", 0) > tiling["patch_size"]:
            problems.append(
                f"features.{name}.tiling: stride {tiling['stride']} leaves gaps between patches of "
                f"{tiling['patch_size']} px, and edge: cover asks for none; write a stride of at most patch_size."
            )
    return problems


def _encoders(config, folder):
    problems = []
    for name, features in _computed(config).items():
        weights = features["encoder"]["weights"]
        if is_weights_file(weights) and not (folder / weights).is_file():
            problems.append(
                f"features.{name}.encoder.weights: there is no file {weights!r}; write the path of a state "
                "dict, a torchvision weights name such as IMAGENET1K_V1, or random:SEED."
            )
        elif weights.startswith("random:") and not re.fullmatch(r"random:\d{1,9}", weights):
            problems.append(f"features.{name}.encoder.weights: {weights!r} has no seed; write random:0.")
    return problems


def is_weights_file(weights):
    """Tell whether a config's ``weights`` name a file.

    Parameters
    ----------
    weights : str

    Returns
    -------
    bool
        True for anything that is neither ``random:SEED`` nor a torchvision weights name such as
        ``IMAGENET1K_V1`` or ``AlexNet_Weights.IMAGENET1K_V1``.
    """
    named = re.fullmatch(r"(\w+_Weights\.)?[A-Z][A-Z0-9_]*", weights)
    return not weights.startswith("random:") and not named


def _methods(config):
    problems = []
    for task in TASKS:
        for name, method in config.get(task, {}).get("methods", {}).items():
            where = f"{task}.methods.{name}"
            used = method["features"] if task == "classification" else [method["features"]]
            for features in used:
                if features not in config["features"]:
                    problems.append(
                        f"{where}.features: there is no feature set {features!r}"
                        f"{_near(features, config['features'])}; known: {', '.join(config['features'])}."
                    )
            for key, value in method.items():
                if isinstance(value, list) and len(set(map(str, value))) < len(value):
                    problems.append(f"{where}.{key}: {value} names a candidate twice; write each once.")
    return problems or _strides(config)


def _strides(config):
    """Patches to learn from are every so many of the grid's."""
    problems = []
    for name, method in config.get("segmentation", {}).get("methods", {}).items():
        where, features = f"segmentation.methods.{name}", method["features"]
        if is_imported(config["features"][features]):  # their stride is known from their files
            if any(method["smooth"]):
                problems.append(
                    f"{where}.smooth: it works on squares of the stride, which imported features ({features}) do not "
                    "promise; write smooth: [0]."
                )
            continue
        tiling = config["features"][features]["tiling"]
        stride = tiling.get("stride") or round(tiling["patch_size"] * (1 - tiling["overlap"]))
        wanted = {"training_stride": method["training_stride"]}
        if method["hard_examples"]:
            wanted["hard_examples.stride"] = method["hard_examples"]["stride"]
        problems += [
            f"{where}.{key}: {value} is no multiple of the stride of {features}, {stride} px; write "
            f"{', '.join(str(k * stride) for k in (1, 2, 4))} or another multiple."
            for key, value in wanted.items()
            if value % stride
        ]
        if any(method["smooth"]) and tiling["patch_size"] % stride:
            problems.append(
                f"{where}.smooth: it works on squares of the stride, and the stride of {features}, {stride} px, does "
                f"not divide its patch_size, {tiling['patch_size']} px; change one of them, or write smooth: [0]."
            )
    return problems
