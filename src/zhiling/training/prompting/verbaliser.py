"""Labels in words: what a prompt calls them, and what an encoder compares texts with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from zhiling.rows.templates.names import Names, names_in, read_entries
from zhiling.rows.templates.phrases import Language

LANGUAGES: tuple[Language, ...] = ("en", "zh")


@dataclass(frozen=True)
class Verbaliser:
    """Label → words.

    Attributes:
        names: all names of each label, in all languages.
        definitions: all its definitions.
        told: by language of the prompt, what each label is called there.
    """

    names: Mapping[str, tuple[str, ...]]
    definitions: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    told: Mapping[str, Names] = field(default_factory=dict[str, Names])

    @classmethod
    def of(cls, labels: Iterable[str], file: str | None) -> Verbaliser:
        """The names of a file; a label that it does not name is called by itself, with spaces.

        Raises:
            MissingInput: the file is not there.
            UsageError: it is no mapping of labels, or two labels have one name.
        """
        tree: Mapping[str, Any] = read_entries(Path(file)) if file else {}
        known = dict.fromkeys([*map(str, tree), *sorted(set(labels))])
        names = {label: tuple(_names(tree.get(label))) or (_spaced(label),) for label in known}
        definitions = {label: found for label in known if (found := tuple(_definitions(tree.get(label))))}
        told = {language: _told(known, names_in(tree, language, file or "")) for language in LANGUAGES}
        return cls(names, definitions, told)

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """All labels, sorted."""
        return tuple(sorted(self.names))

    def texts(self, label: str, *, definitions: bool) -> tuple[str, ...]:
        """What an encoder compares with texts of a label."""
        return self.names[label] + (self.definitions.get(label, ()) if definitions else ())

    def state(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return {
            "names": {label: list(words) for label, words in self.names.items()},
            "definitions": {label: list(words) for label, words in self.definitions.items()},
            "told": {
                language: {"words": dict(names.words), "definitions": dict(names.definitions)}
                for language, names in self.told.items()
            },
        }

    @classmethod
    def restore(cls, state: Mapping[str, Any]) -> Verbaliser:
        """The verbaliser of this state."""
        return cls(
            {label: tuple(words) for label, words in state["names"].items()},
            {label: tuple(words) for label, words in state["definitions"].items()},
            {language: Names(**names) for language, names in state["told"].items()},
        )


def _names(entry: Any) -> Iterable[str]:
    """Names of a label: one, a list, or by language; definitions are none."""
    if isinstance(entry, dict):
        fields = cast(dict[Any, Any], entry)
        return [name for key in fields if not _defines(key) for name in _names(fields[key])]
    return (
        map(str, cast(list[Any], entry))
        if isinstance(entry, list)
        else [str(entry)]
        if entry is not None
        else []
    )


def _definitions(entry: Any) -> Iterable[str]:
    fields = cast(dict[Any, Any], entry) if isinstance(entry, dict) else {}
    return [str(fields[key]) for key in fields if _defines(key)]


def _defines(key: Any) -> bool:
    return str(key).startswith("definition")


def _told(labels: Iterable[str], found: Names) -> Names:
    """Names of a prompt's language; a label without one there is called by itself, with spaces."""
    words = {label: found.words.get(label, _spaced(label)) for label in labels}
    return Names(words, found.definitions, found.place)


def _spaced(label: str) -> str:
    return label.replace("_", " ").replace("-", " ")
