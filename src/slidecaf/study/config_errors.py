"""What is wrong with a config, in sentences: the key's full path, the value, and what to write instead.

What to write is the key's description, found in the JSON schema by the way to the error.
"""

from slidecaf.study.names import near


def explain(error, schema) -> list:
    """Turn what pydantic found into sentences.

    Parameters
    ----------
    error : pydantic.ValidationError
    schema : dict
        The JSON schema of the model.

    Returns
    -------
    list of str
        One for each key that is wrong, in the models' order.
    """
    sentences = [_sentence(found, schema) for found in error.errors(include_url=False, include_context=True)]
    return list(dict.fromkeys(sentences))  # each member of a union says the same


def _sentence(found, schema):
    kind, way, value = found["type"], found["loc"], found["input"]
    if way and way[-1] == "[key]":
        return (
            f"{_path(way[:-2], schema)}: the name {value!r} will not do; write letters, digits, '.', '_' and '-', "
            "first a letter or digit, no '..', at most 128; put a number in quotes."
        )
    if kind in ("extra_forbidden", "invalid_key"):
        path, known = _follow(way[:-1], schema)
        known = list(_resolved(known, schema)["properties"])
        return f"{_joined([*path, way[-1]])}: unknown key{near(way[-1], known)}; known here: {', '.join(known)}."
    path, part = _follow(way, schema)
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        kinds = list(part["discriminator"]["mapping"])
        said = value["kind"]
        listed = f"{', '.join(kinds[:-1])} or {kinds[-1]}"
        return f"{_joined([*path, 'kind'])}: {said!r} will not do{near(said, kinds)}; write {listed}."
    if kind == "missing":
        return f"{_joined(path)}: missing; {_write(part)}"
    if kind == "old_form":
        return f"{_joined([*path, 'imported'])}: {found['msg']}"
    return f"{_joined(path)}: {value!r} will not do; {_write(part)}"


def _follow(way, schema):
    """Return the keys on the way to an error, and the part of the schema there.

    pydantic names the members of unions on the way too: those of kinds lead on, others end it.
    """
    keys, part = [], schema
    for step in way:
        inside = _resolved(part, schema)
        if "discriminator" in inside and step in inside["discriminator"]["mapping"]:
            part = {"$ref": inside["discriminator"]["mapping"][step]}
            continue
        if step in inside.get("properties", {}):
            part = inside["properties"][step]
        elif isinstance(step, int) and "items" in inside:
            part = inside["items"]
        elif inside.get("additionalProperties"):
            part = inside["additionalProperties"]
        else:
            break
        keys.append(step)
    return keys, part


def _resolved(part, schema):
    """Return a part itself where it refers to a definition, and the mapping of one that may be null."""
    if "$ref" in part:
        return schema["$defs"][part["$ref"].rpartition("/")[2]]
    references = [one for one in part.get("anyOf", ()) if "$ref" in one]
    return _resolved(references[0], schema) if references else part


def _path(way, schema):
    return _joined(_follow(way, schema)[0])


def _joined(keys):
    return ".".join(map(str, keys)) or "the config"


def _write(part):
    description = part["description"]
    return f"write {description[0].lower()}{description[1:]}"
