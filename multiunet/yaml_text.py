"""YAML from strangers: read safely, and no larger than it looks."""

from __future__ import annotations

from typing import Any

import yaml

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Reader of plain values alone: no tag makes an object of any class. That of libyaml is ten times as fast."""

LONGEST = 400_000
"""Characters of the longest text that is read: settings of thousands of classes have some ten thousand."""

MOST_NODES = 200_000
"""Values and keys that a text may stand for, each alias counted as a copy of what it stands for."""


def parse_yaml(text: str) -> Any:
    """Return the value of a YAML text.

    Raises:
        ValueError: for a text that is too long, or whose aliases multiply (a "billion laughs" text).
        yaml.YAMLError: for one that is no YAML, or names objects of Python.
    """
    if len(text) > LONGEST:
        raise ValueError(f"has {len(text):,} characters, where {LONGEST:,} are enough for any settings")
    loader = LOADER(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        if _count_nodes(node, {}, set()) > MOST_NODES:
            raise ValueError("its aliases (*name) stand for too many values; write out what they stand for")
        return loader.construct_document(node)
    except yaml.YAMLError as error:
        if "nesting depth" in str(error):  # libyaml's own limit
            raise ValueError("nested too deeply") from error
        raise
    finally:
        loader.dispose()


def _count_nodes(node: yaml.Node, counted: dict[int, int], above: set[int]) -> int:
    """Count a node and all below it, as often as aliases repeat them."""
    key = id(node)
    if key in above:
        raise ValueError("an alias (*name) stands for what it lies in; write the values out")
    if key not in counted:
        above.add(key)
        counted[key] = 1 + sum(_count_nodes(child, counted, above) for child in _children(node))
        above.remove(key)
    return counted[key]


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []
