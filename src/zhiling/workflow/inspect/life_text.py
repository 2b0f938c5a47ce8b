"""A row's life as plain text, in English or Chinese."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from zhiling.pipeline.step import Verdict
from zhiling.workflow.inspect.words import Words, number, shorten

if TYPE_CHECKING:
    from zhiling.workflow.inspect.life import Chapter, Event, Life

_TEXT_LIMIT = 400
_RELATED_LIMIT = 200
_VALUE_LIMIT = 80
_DETAIL_LINES = 6
_INDENT = " " * 6


def render(life: Life, language: str) -> str:
    """The whole life.

    Raises:
        UnknownName: a language other than `en` and `zh`.
    """
    words = Words(language)
    blocks = [_chapter(words, chapter, "life.parent") for chapter in life.before]
    blocks.append(_chapter(words, life.row, "life.row"))
    blocks += [_chapter(words, chapter, "life.child") for chapter in life.after]
    lines = [line for block in blocks for line in (*block, "")]
    if life.offspring:
        ids = ", ".join(each[:12] for each in life.offspring_ids)
        lines.append(f"{words('life.offspring', count=life.offspring)}: {ids}")
    return "\n".join(lines).rstrip()


def _chapter(words: Words, chapter: Chapter, head: str) -> Iterator[str]:
    yield words(head, id=chapter.id, n=chapter.n)
    yield f"  {words('life.place')}  {'  ·  '.join(_place(words, chapter))}"
    known = {"task": chapter.task, "language": chapter.language, "target": chapter.target}
    facts = [words(f"life.{name}", value=value) for name, value in known.items() if value]
    if facts:
        yield f"  {words('life.facts')}  {'  ·  '.join(facts)}"
    for role, text in chapter.messages:
        yield f"  {_role(words, role)}: {_indented(shorten(text, _TEXT_LIMIT))}"
    yield f"  {words('life.steps')}"
    if not chapter.steps:
        yield f"    {words('life.no_steps')}"
    for event in chapter.steps:
        yield from _event(words, event)
    yield f"  {words('life.outcome')}  {outcome(words, chapter)}"


def _place(words: Words, chapter: Chapter) -> Iterator[str]:
    yield chapter.place or "?"
    yield words("life.source", source=chapter.source)
    yield words("life.licence", licence=chapter.licence) if chapter.licence else words("life.no_licence")
    if chapter.group:
        yield words("life.group", group=chapter.group)
    if chapter.maker:
        yield words("life.maker", step=chapter.maker)


def _role(words: Words, role: str) -> str:
    try:
        return words(f"roles.{role}")
    except KeyError:
        return role or "?"


def _event(words: Words, event: Event) -> Iterator[str]:
    step = event.step if event.step == event.use else f"{event.step} ({event.use})"
    said = [words(f"verdicts.{event.verdict}")]
    if event.reason:
        said[0] += f": {words.reason(event.reason)} [{event.reason}]"
    if event.round:
        said.insert(0, words("life.round", round=event.round))
    if event.score is not None:
        said.append(words("life.score", score=number(event.score)))
    if event.bounds:
        bounds = ", ".join(f"{name} {number(value)}" for name, value in event.bounds.items())
        said.append(words("life.bounds", bounds=bounds))
    said += [f"{name} = {shorten(number(value), _VALUE_LIMIT)}" for name, value in event.values.items()]
    yield f"    {step}  {'  ·  '.join(said)}"
    if event.related:
        if event.related.text is None:
            yield f"{_INDENT}{words('life.related_place', id=event.related.id)}"
        else:
            named = f"{words('life.related', id=event.related.id[:12])} ({event.related.place})"
            yield f"{_INDENT}{named}: {shorten(event.related.text, _RELATED_LIMIT)}"
    if event.detail:
        for line in event.detail.splitlines()[-_DETAIL_LINES:]:
            yield f"{_INDENT}{line}"


def outcome(words: Words, chapter: Chapter) -> str:
    """Where the row is at the end of the run, in words."""
    if chapter.outcome == "exported":
        return words("life.in_part", part=words(f"parts.{chapter.split}"))
    last = {"rejected": Verdict.REJECT, "failed": Verdict.FAILED, "replaced": Verdict.REPLACED}.get(
        chapter.outcome
    )
    if last is None:
        return words(f"life.{chapter.outcome}")
    event = next((each for each in reversed(chapter.steps) if each.verdict == str(last)), None)
    step, reason = (event.step, event.reason) if event else ("repeat", None)
    return words(f"life.{chapter.outcome}", step=step, reason=words.reason(reason or "?"))


def _indented(text: str) -> str:
    return text.replace("\n", "\n    ")
