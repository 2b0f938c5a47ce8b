"""The word lists of the swaps, read once: terms of gender, names by group, places by part of the world."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

LANGUAGES = ("en", "zh")
GENDERS = ("female", "male")


@dataclass(frozen=True)
class Term:
    """A word of a list: the `index`-th of a `slot` (female, male, city, country, …) of a group."""

    language: str
    group: str
    slot: str
    index: int


@dataclass(frozen=True)
class Groups:
    """Words by language, group and slot.

    Attributes:
        left: words that are never touched, by language.
    """

    lists: Mapping[str, Mapping[str, Mapping[str, Sequence[str]]]]
    left: Mapping[str, Sequence[str]]

    def terms(self, slots: Sequence[str] | None = None) -> dict[str, Term]:
        """Word → where it stands; a word of several lists counts as of the first."""
        found: dict[str, Term] = {}
        for language, groups in self.lists.items():
            for group, lists in groups.items():
                for slot, words in lists.items():
                    if slots is None or slot in slots:
                        for index, word in enumerate(words):
                            found.setdefault(word, Term(language, group, slot, index))
        return found

    def others(self, term: Term, taken: set[str]) -> list[str]:
        """Groups of the term's language that have its slot, but for some."""
        groups = self.lists[term.language]
        return sorted(group for group, lists in groups.items() if term.slot in lists and group not in taken)

    def word(self, term: Term, group: str) -> str:
        """The word of another group that stands for this one."""
        words = self.lists[term.language][group][term.slot]
        return words[term.index % len(words)]


@dataclass(frozen=True)
class GenderWords:
    """Words of gender: each word's counterpart, by language.

    Attributes:
        left: phrases that are never touched.
        after_pronoun: English words that may follow `her` or `his` and begin nothing that is had.
        unclear_before: English words after which `her` may be either.
    """

    counterparts: Mapping[str, Mapping[str, str]]
    left: Mapping[str, Sequence[str]]
    after_pronoun: frozenset[str]
    unclear_before: frozenset[str]


@cache
def gender_words() -> GenderWords:
    """The lists of `gender.toml`."""
    read = _read("gender")
    return GenderWords(
        {language: _counterparts(read[language]) for language in LANGUAGES},
        {language: read[language]["left"] for language in LANGUAGES},
        frozenset(read["en"]["after_pronoun"]),
        frozenset(read["en"]["unclear_before"]),
    )


def _counterparts(lists: Mapping[str, Any]) -> dict[str, str]:
    found = dict(lists["one_way"])
    for one, other in lists["pairs"]:
        found |= {one: other, other: one}
    return found


@cache
def names() -> Groups:
    """The lists of `names.toml`."""
    return Groups(_read("names"), {})


@cache
def regions() -> Groups:
    """The lists of `regions.toml`."""
    read = _read("regions")
    return Groups({language: read[language] for language in LANGUAGES}, read["left"])


@cache
def templates() -> dict[str, tuple[str, ...]]:
    """Language → the sentences of `templates.toml`."""
    return {language: tuple(_read("templates")[language]) for language in LANGUAGES}


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(
        (files("zhiling.evaluation.counterfactual") / f"{name}.toml").read_text(encoding="utf-8")
    )
