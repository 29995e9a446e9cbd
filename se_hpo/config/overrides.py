"""Values as a user writes them: `--set nes.step_size=1e-3`, and in recipes."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import Any

import yaml

from se_hpo.errors import UserError
from se_hpo.storage.json_records import checked, fits
from se_hpo.text import one_line


def parse_overrides(values: Iterable[str]) -> dict[str, Any]:
    """`["nes.step_size=0.5"]` as a flat configuration.

    Raises:
        UserError: not of this form, or a name given twice.
    """
    overrides: dict[str, Any] = {}
    for text in values:
        name, equals, value = text.partition("=")
        if not equals or not name or not value:
            raise UserError(f"--set {text}: give NAME=VALUE, as in nes.step_size=0.5")
        if name in overrides:
            raise UserError(f"--set {name} is given twice: keep one")
        overrides[name] = parse_value(value)
    return overrides


def parse_value(text: str) -> Any:
    """A value as in a recipe.

    >>> parse_value("1e-3"), parse_value("true"), parse_value("tanh"), parse_value("16")
    (0.001, True, 'tanh', 16)
    """
    try:
        return yaml.load(text, ValueLoader)
    except (yaml.YAMLError, ValueError, RecursionError):
        return text


def read_yaml(path: Path, what: str) -> dict[str, Any]:
    """The mapping that a YAML file holds; an empty file holds an empty one.

    Raises:
        UserError: it cannot be read, or holds something else; `what` it should hold.
    """
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), ValueLoader)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read ({error}): give a YAML file") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UserError(f"{path} is no YAML: {one_line(error)}") from error
    try:
        return {} if data is None else checked(dict, data, what)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


class ValueLoader(yaml.SafeLoader):
    """Safe YAML of what JSON can hold, too; `1e-3` is a number, a date is text.

    Refuses a key given twice, what contains itself, and integers of more than 64 bits.
    """

    def construct_document(self, node: yaml.Node) -> Any:
        """What the text holds."""
        self.deep_construct = True  # else what contains itself is taken
        return super().construct_document(node)

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        """A number that fits into 64 bits."""
        value = super().construct_yaml_int(node)
        if not fits(value):
            raise yaml.constructor.ConstructorError(
                None, None, "a number of more than 64 bits", node.start_mark
            )
        return value

    def construct_mapping(
        self, node: yaml.MappingNode, deep: bool = False
    ) -> dict[Hashable, Any]:
        """The mapping, if no key is there twice."""
        own = (key for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge")
        keys = [self.construct_object(key, deep=True) for key in own]
        for key in keys:
            if keys.count(key) > 1:
                mark = node.start_mark
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key!r} is given twice", mark
                )
        return super().construct_mapping(node, deep)


ValueLoader.add_constructor("tag:yaml.org,2002:int", ValueLoader.construct_yaml_int)
ValueLoader.add_constructor("tag:yaml.org,2002:timestamp", ValueLoader.construct_scalar)
for kind in ("binary", "omap", "pairs", "set"):  # JSON has none
    ValueLoader.add_constructor(
        f"tag:yaml.org,2002:{kind}", ValueLoader.construct_undefined
    )
ValueLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)[eE][-+]?\d+$"),
    list("-+0123456789."),
)
