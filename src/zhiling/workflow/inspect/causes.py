"""What somebody changed between two runs: sources, steps, settings, seed, split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from zhiling.workflow.inspect.book import Book, Line
from zhiling.workflow.inspect.words import Words


@dataclass(frozen=True)
class Cause:
    """One thing that was changed, or that followed from a change.

    Attributes:
        kind: source_file, source_setting, source_added, source_removed, step_setting, step_identity,
            step_added, step_removed, step_moved, seed, split_setting; or what follows from one: upstream and
            split_upstream (other rows reached the step, the split).
        id: the source or step.
        name: the setting.
        before: its old value as JSON.
        after: its new value as JSON.
    """

    kind: str
    id: str = ""
    name: str = ""
    before: str = ""
    after: str = ""

    def render(self, words: Words) -> str:
        """The cause in words."""
        values = {"id": self.id, "name": self.name, "before": self.before, "after": self.after}
        return words(f"difference.{self.kind}", **values)


def changes(before: Book, after: Book) -> list[Cause]:
    """Everything that was changed, sources first."""
    return [*_sources(before, after), *_steps(before, after), *_whole(before, after)]


def _sources(before: Book, after: Book) -> Iterator[Cause]:
    old = {stage.id: stage for stage in before.stages if stage.kind == "source"}
    new = {stage.id: stage for stage in after.stages if stage.kind == "source"}
    for name in [*old, *(name for name in new if name not in old)]:
        if name not in new or name not in old:
            yield Cause("source_removed" if name in old else "source_added", name)
        elif old[name].key != new[name].key:
            settings = list(_settings("source_setting", name, before.sources, after.sources))
            yield from settings or [Cause("source_file", name)]


def _steps(before: Book, after: Book) -> Iterator[Cause]:
    old, new = _base_keys(before), _base_keys(after)
    shared = [name for name in new if name in old]
    for name in [*old, *(name for name in new if name not in old)]:
        if name not in new or name not in old:
            yield Cause("step_removed" if name in old else "step_added", name)
        elif old[name] != new[name] and before.run.manifest.seed == after.run.manifest.seed:
            settings = list(_settings("step_setting", name, before.steps, after.steps))
            yield from settings or [Cause("step_identity", name)]
        elif old[name] != new[name]:
            yield from _settings("step_setting", name, before.steps, after.steps)
    order = [name for name in old if name in new]
    for name in _moved(order, shared):
        yield Cause("step_moved", name)


def _moved(order: list[str], new: list[str]) -> list[str]:
    """Names that must be taken out of `new` for the others to stand as in `order`: the fewest."""
    place = {name: number for number, name in enumerate(order)}
    longest: dict[str, list[str]] = {}
    none: list[str] = []
    for name in new:
        shorter = [chain for last, chain in longest.items() if place[last] < place[name]]
        longest[name] = [*max(shorter, key=len, default=none), name]
    stay = set(max(longest.values(), key=len, default=none))
    return [name for name in new if name not in stay]


def _base_keys(book: Book) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for stage in book.stages:
        if stage.kind != "source":
            found[stage.id] = (
                (*found.get(stage.id, ()), stage.base_key) if stage.round <= 1 else found[stage.id]
            )
    return found


def _whole(before: Book, after: Book) -> Iterator[Cause]:
    seeds = before.run.manifest.seed, after.run.manifest.seed
    if seeds[0] != seeds[1]:
        yield Cause("seed", before=str(seeds[0]), after=str(seeds[1]))
    old: dict[str, Any] = before.recipe.get("split") or {}
    new: dict[str, Any] = after.recipe.get("split") or {}
    yield from _values("split_setting", "split", old, new)


def _settings(kind: str, name: str, before: Mapping[str, Line], after: Mapping[str, Line]) -> Iterator[Cause]:
    if name in before and name in after:
        if before[name].use != after[name].use:
            yield Cause(kind, name, "use", _json(before[name].use), _json(after[name].use))
        yield from _values(kind, name, before[name].settings, after[name].settings)


def _values(kind: str, name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Cause]:
    for key in [*before, *(key for key in after if key not in before)]:
        old, new = before.get(key), after.get(key)
        if old != new:
            yield Cause(kind, name, str(key), _json(old), _json(new))


def _json(value: Any) -> str:
    return orjson.dumps(value, default=str).decode()


def joined(causes: Sequence[Cause]) -> Cause:
    """Several changes of one source, step or section as one: names and values side by side."""
    first = causes[0]
    settings = [cause for cause in causes if cause.kind == first.kind and cause.name]
    if len(settings) < 2:
        return first
    name, before, after = (
        ", ".join(getattr(cause, field) for cause in settings) for field in ("name", "before", "after")
    )
    return Cause(first.kind, first.id, name, before, after)
