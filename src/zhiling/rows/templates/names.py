"""How labels are called in a prompt: names and definitions by language, and the lists that prompts show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import orjson

from zhiling.errors import MissingInput, UsageError
from zhiling.rows.templates.pattern import Piece
from zhiling.rows.templates.phrases import Language, read_yaml
from zhiling.rows.templates.wording import Wording


@dataclass(frozen=True)
class Names:
    """Label → its name in words, and → its definition, in one language.

    Raises:
        UsageError: two labels have one name, so a reply could not be read.
    """

    words: Mapping[str, str] = field(default_factory=dict[str, str])
    definitions: Mapping[str, str] = field(default_factory=dict[str, str])
    place: str = ""

    def of(self, labels: Sequence[str]) -> dict[str, str]:
        """The name of each of these labels; a label without one is called by itself.

        Raises:
            UsageError: two of them have one name.
        """
        named: dict[str, str] = {}
        owners: dict[str, str] = {}
        for label in labels:
            word = self.words.get(label, label)
            other = owners.setdefault(word, label)
            if other != label:
                raise UsageError(
                    f"labels {other!r} and {label!r} are both called {word!r}", place=self.place or None,
                    hint="give each label a name of its own, so that a reply can be read",
                )  # fmt: skip
            named[label] = word
        return named


def read_names(path: Path, language: Language) -> Names:
    """Names and definitions from a file: label → a name, a list of names, or `en, zh, definition_en, …`.

    Of several names the first counts. A language that the file does not have falls back on the label itself.

    Raises:
        MissingInput: the file is not there.
        UsageError: it is no such mapping, or two labels have one name.
    """
    return names_in(read_entries(path), language, str(path))


def names_in(tree: Mapping[str, Any], language: Language, place: str) -> Names:
    """What the entries of a file say in one language.

    Raises:
        UsageError: two labels have one name.
    """
    words: dict[str, str] = {}
    definitions: dict[str, str] = {}
    for label, value in tree.items():
        word, definition = _entry(value, language)
        if word:
            words[label] = word
        if definition:
            definitions[label] = definition
    names = Names(words, definitions, place)
    names.of(list(tree))
    return names


def read_entries(path: Path) -> dict[str, Any]:
    """Label → what the file says of it.

    Raises:
        MissingInput: the file is not there.
        UsageError: it is no mapping.
    """
    from ruamel.yaml.error import YAMLError

    try:
        tree: Any = read_yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise MissingInput(f"label_names {path.name!r} is not there", place=str(path)) from error
    except (YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot be read as YAML: {error}", place=str(path)) from error
    if not isinstance(tree, dict):
        raise UsageError("label names are a mapping: label → names", place=str(path))
    return {str(label): value for label, value in cast(dict[Any, Any], tree).items()}


def _entry(value: Any, language: Language) -> tuple[str | None, str | None]:
    definition = None
    if isinstance(value, dict):
        fields = cast(dict[str, Any], value)
        definition = fields.get(f"definition_{language}") or fields.get("definition")
        value = fields.get(language)
    if isinstance(value, list):
        value = cast(list[Any], value)[0] if value else None
    return (None if value is None else str(value)), (None if definition is None else str(definition))


@dataclass(frozen=True)
class Listing:
    """The labels that a prompt lists, in their order; made once for many rows."""

    labels: tuple[str, ...]
    names: Names = Names()
    _shown: dict[str, dict[str, Piece]] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def words(self) -> dict[str, str]:
        """Label → name."""
        return self.names.of(self.labels)

    @cached_property
    def json(self) -> dict[str, Any]:
        """`labels`, and `words` where names differ from labels, for a target: encoded once."""
        words = list(self.words.values())
        told = {"labels": list(self.labels)} | ({"words": words} if words != list(self.labels) else {})
        return {key: orjson.Fragment(orjson.dumps(value)) for key, value in told.items()}

    def values(self, wording: Wording) -> dict[str, Piece]:
        """The slots `labels`, `label_lines` and, where every label has one, `definitions`."""
        shown = self._shown.get(wording.name)
        if shown is None:
            shown = self._shown[wording.name] = self._values(wording)
        return shown

    def _values(self, wording: Wording) -> dict[str, Piece]:
        spelled = {label: wording.form.spelling.spell(word) for label, word in self.words.items()}
        colon = ": " if wording.language == "en" else "："
        values = {
            "labels": Piece(wording.comma.join(spelled.values())),
            "label_lines": Piece("\n".join(f"- {word}" for word in spelled.values())),
        }
        if self.labels and all(label in self.names.definitions for label in self.labels):
            lines = (f"- {word}{colon}{self.names.definitions[label]}" for label, word in spelled.items())
            values["definitions"] = Piece("\n".join(lines))
        return values
