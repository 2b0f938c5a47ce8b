"""Labels and their numbers, for the tasks that answer with labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from zhiling.errors import UsageError


def learn_labels(occurring: Iterable[str], examples: int, *, least: int = 2) -> tuple[str, ...]:
    """The labels that occur, sorted: a label's number is its place.

    Raises:
        UsageError: fewer than `least`.
    """
    labels = tuple(sorted(set(occurring)))
    if len(labels) < least:
        needed = "at least two" if least == 2 else "at least one"
        raise UsageError(
            f"the {examples} training examples hold {len(labels)} label(s): {list(labels)!r}; "
            f"a classifier needs {needed}",
            hint="Check the label column of the sources, or add rows of another label.",
        )
    return labels


def restore_labels(state: Mapping[str, Any], name: str = "labels") -> tuple[str, ...]:
    """The labels of a saved model.

    Raises:
        ValueError: the state holds no list of strings.
    """
    labels = state.get(name)
    if not isinstance(labels, list) or not all(isinstance(each, str) for each in cast(list[object], labels)):
        raise ValueError(f"{name} must be a list of strings, got {labels!r}")
    return tuple(cast(list[str], labels))


def unknown_labels(occurring: Iterable[str], labels: Sequence[str]) -> dict[str, int]:
    """Labels that no training example had, with how often each occurs."""
    known = set(labels)
    return dict(sorted(Counter(label for label in occurring if label not in known).items()))
