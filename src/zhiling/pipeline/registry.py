"""Names to classes: literal tables in each package, joined with entry points, imported on use.

A new built-in touches three files: its module, one line in its package's table, one test. A plug-in
declares an entry point in the group named below. `module:object` is taken as it stands.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from zhiling.errors import MissingExtra, UnknownName, UsageError

# noun → (packages with their table, entry-point group)
_TABLES: dict[str, tuple[tuple[tuple[str, str], ...], str]] = {
    "step": (
        (
            ("zhiling.verification", "STEPS"),
            ("zhiling.curation", "STEPS"),
            ("zhiling.synthesis", "STEPS"),
            ("zhiling.adversarial", "STEPS"),
        ),
        "zhiling.steps",
    ),
    "block": ((("zhiling.adversarial", "BLOCKS"),), "zhiling.blocks"),
    "source": ((("zhiling.sources", "SOURCES"),), "zhiling.sources"),
    "format": ((("zhiling.rows.formats", "FORMATS"),), "zhiling.formats"),
    "gate": ((("zhiling.pipeline.gates", "GATES"),), "zhiling.gates"),
    "encoder": ((("zhiling.encoders", "ENCODERS"),), "zhiling.encoders"),
    "task": ((("zhiling.training.tasks", "TASKS"),), "zhiling.tasks"),
    "method": ((("zhiling.training.methods", "METHODS"),), "zhiling.methods"),
    "update": ((("zhiling.adversarial.generators.updates", "UPDATES"),), "zhiling.updates"),
    "metric": ((("zhiling.evaluation.metrics", "METRICS"),), "zhiling.metrics"),
}

# top-level module of a missing import → the extra that brings it
_EXTRAS = {
    "torch": "train", "transformers": "train", "safetensors": "train", "peft": "train", "captum": "train",
    "sklearn": "curation", "ftfy": "curation",
    "PIL": "images", "lxml": "documents", "pypdfium2": "documents",
    "jsonschema": "verification", "referencing": "verification",
}  # fmt: skip

_REFERENCE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


@cache
def table(noun: str) -> Mapping[str, str]:
    """All names of one noun with their `module:object`, built-ins first, then plug-ins.

    Raises:
        UsageError: two components with one name (a plug-in may not shadow another silently).
    """
    packages, group = _TABLES[noun]
    names: dict[str, str] = {}
    for module, attribute in packages:
        names |= getattr(importlib.import_module(module), attribute)
    for point in entry_points(group=group):
        if point.name in names and names[point.name] != point.value:
            raise UsageError(f"{noun} {point.name!r} is declared twice: {names[point.name]}, {point.value}")
        names[point.name] = point.value
    return names


def nouns() -> tuple[str, ...]:
    """All kinds of component that have a registry."""
    return tuple(_TABLES)


def load(noun: str, name: str, *, place: str | None = None) -> Any:
    """The class or function that `name` stands for.

    Raises:
        UnknownName: no such component, with the nearest name.
        MissingExtra: it is there, but needs a package that is not installed.
        UsageError: its module does not hold the object.
    """
    known = table(noun)
    target = name if _REFERENCE.fullmatch(name) else known.get(name)
    if target is None:
        raise UnknownName(noun, name, known, place=place)
    module, _, attribute = target.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        missing = (error.name or module).partition(".")[0]
        if missing in _EXTRAS:
            raise MissingExtra(_EXTRAS[missing], missing) from error
        raise UsageError(f"{noun} {name!r}: module {error.name!r} cannot be imported", place=place) from error
    except AttributeError as error:
        raise UsageError(f"{noun} {name!r}: {module!r} has no {attribute!r}", place=place) from error
    if noun == "step":
        _refuse_reserved(found, place)
    return found


def _refuse_reserved(step: Any, place: str | None) -> None:
    """A setting named like a recipe key, or like a method of pydantic's, would be shadowed silently."""
    from pydantic import BaseModel

    from zhiling.pipeline.step import RESERVED

    shadowed = [name for name in step.model_fields if name in RESERVED or hasattr(BaseModel, name)]
    if shadowed:
        raise UsageError(f"step {step.name!r}: settings may not be named {shadowed!r}", place=place)
