"""Procedures of a passage: numbered lists and running text with cues, and what their steps rest on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from pydantic import BaseModel, ConfigDict

from zhiling.rows import target
from zhiling.rows.templates.phrases import Language, phrases, read_yaml
from zhiling.synthesis.passage_blocks import Block, ItemList, Paragraph, Place, blocks, plain, sentences
from zhiling.synthesis.passage_rows import Passage

_LEAST_VERBS = 0.5  # of the steps of a list that nothing above it calls a procedure
_COLON = (":", "：")
_MARKED = re.compile(r"\*\*([^*\n]{2,40})\*\*|`([^`\n]{2,40})`|“([^”\n]{2,40})”|\"([^\"\n]{2,40})\"")
_CLAUSE_EN = re.compile(r"(?<=[.!])\s+|[,;]\s+(?:and\s+)?(?=(?:then|next|afterwards|finally|lastly)\b)")
_CLAUSE_ZH = re.compile(r"(?<=[。；！，])")
_MOST_WAITING = 2  # clauses between two cues; farther apart they do not belong together
_ENDS = ".。;；,，!！ "


class Cues(BaseModel):
    """One language's cues and wordings; see `procedures.yaml`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    about: str
    verbs: frozenset[str]
    first: str
    next: str
    inputs: list[str]
    results: list[str]
    after: list[str]
    together: str
    questions: dict[str, list[str]]


@cache
def cues(language: Language) -> Cues:
    """The cues of a language."""
    file = resources.files("zhiling.synthesis").joinpath("procedures.yaml")
    return Cues(**read_yaml(file.read_text("utf-8"))[language])


@dataclass(frozen=True)
class Procedure:
    """An instruction sequence as a passage tells it.

    Attributes:
        goal: what it is for: the headings above it, and the line before it where one heading has several.
        steps: its steps in words, without marks.
        operations: what the text tells of each.
        places: where each stands in the passage, word for word; empty for running text.
    """

    goal: str
    steps: tuple[str, ...]
    operations: tuple[target.Operation, ...]
    places: tuple[Place, ...] = ()

    @property
    def linear(self) -> bool:
        """Whether each step waits for the one before, so that no other order is right."""
        return all(number - 1 in each.after for number, each in enumerate(self.operations) if number)


def procedures(passage: Passage, language: Language, least: int) -> list[Procedure]:
    """The procedures of at least so many steps; of those with the same goal none: which one is meant?"""
    parts = blocks(passage.text, passage.headings[-1] if passage.headings else "")
    lists = [number for number, part in enumerate(parts) if isinstance(part, ItemList) and part.ordered]
    found: list[Procedure] = []
    for number, part in enumerate(parts):
        before = _line_above(passage.text, parts, number)
        goal = _goal(passage, before if len(lists) > 1 else "", language)
        if isinstance(part, ItemList) and number in lists:
            if _is_procedure(passage, part, before, language):
                found.append(_of_list(passage.text, part, goal, language))
        elif isinstance(part, Paragraph):
            steps = told_steps(passage.text[part.place.start : part.place.end], language)
            if steps:
                found.append(Procedure(goal, tuple(steps), operations(steps, language)))
    goals = [each.goal for each in found]
    return [each for each in found if each.goal and len(each.steps) >= least and goals.count(each.goal) == 1]


def operations(steps: Sequence[str], language: Language) -> tuple[target.Operation, ...]:
    """What the words of each step tell: inputs, results, and the steps before (else the one before it)."""
    told = cues(language)
    made: list[target.Operation] = []
    for number, step in enumerate(steps):
        marked = [plain(next(filter(None, groups))) for groups in _MARKED.findall(step)]
        inputs = [
            *(each for each in marked if 2 * len(each) < len(step)),
            *_groups(told.inputs, plain(step), "inputs"),
        ]
        results = _groups(told.results, plain(step), "results")
        numbers = {int(each) - 1 for each in _groups(told.after, plain(step), "after")}
        after = sorted(each for each in numbers if 0 <= each < number)
        if number and not after:
            beside = re.match(told.together, step, re.IGNORECASE)
            after = list(made[-1].after) if beside and number > 1 else [number - 1]
        values = {"inputs": list(dict.fromkeys(inputs)), "results": results, "after": after}
        made.append(target.Operation.model_validate({name: each for name, each in values.items() if each}))
    return tuple(made)


def told_steps(text: str, language: Language) -> list[str]:
    """The steps of running text that names their order by cues (first … then … finally); `[]` without."""
    told = cues(language)
    space = r"[\s,:]+" if language == "en" else "[，,：]?"
    first, later = (re.compile(f"(?:{each}){space}", re.IGNORECASE) for each in (told.first, told.next))
    steps: list[str] = []
    waiting: list[str] = []  # clauses that are part of the last step only if another step follows
    for clause in _clauses(text, language):
        mark = later.match(clause) if steps else first.match(clause)
        if mark:
            if steps:
                steps[-1] = _joined([steps[-1], *waiting], language)
            steps.append(clause[mark.end() :])
            waiting = []
        elif steps:
            waiting.append(clause)
        if len(waiting) > _MOST_WAITING:
            break
    if language == "zh" and steps and waiting and not steps[-1].endswith(("。", "！")):
        steps[-1] = _joined([steps[-1], waiting[0]], language)
    return [_tidy(step) for step in steps] if len(steps) > 1 and all(map(_tidy, steps)) else []


def _clauses(text: str, language: Language) -> list[str]:
    pieces = (_CLAUSE_EN if language == "en" else _CLAUSE_ZH).split(" ".join(text.split()))
    return [piece.strip() for piece in pieces if piece.strip()]


def _joined(pieces: Sequence[str], language: Language) -> str:
    return (" " if language == "en" else "").join(pieces)


def _tidy(step: str) -> str:
    step = plain(step).strip(_ENDS)
    return step[:1].upper() + step[1:]


def _groups(patterns: Sequence[str], text: str, name: str) -> list[str]:
    return [match[name].strip() for pattern in patterns for match in re.finditer(pattern, text)]


def _goal(passage: Passage, before: str, language: Language) -> str:
    """`Batteries: Change the batteries`: the document's title before the heading, where it is another."""
    path = [plain(each) for each in (passage.title, passage.heading) if each]
    named = list(dict.fromkeys([*path, plain(before).rstrip(":：")] if before else path))
    return phrases(language).after.join(filter(None, named))


def _line_above(text: str, parts: Sequence[Block], number: int) -> str:
    """The last sentence before a block, where it ends in a colon."""
    above = parts[number - 1] if number else None
    if not isinstance(above, Paragraph):
        return ""
    last = list(sentences(text, above.place))[-1]
    line = text[last.start : last.end]
    return line if line.endswith(_COLON) else ""


def _is_procedure(passage: Passage, part: ItemList, before: str, language: Language) -> bool:
    if passage.parts > 1:  # the list may go on in the next part
        return False
    if re.search(cues(language).about, f"{passage.heading} {before}", re.IGNORECASE):
        return True
    items = [plain(passage.text[item.place.start : item.place.end]) for item in part.items]
    return sum(_begins_with_verb(item, language) for item in items) >= _LEAST_VERBS * len(items)


def _begins_with_verb(step: str, language: Language) -> bool:
    """Whether a clause of the step's first sentence asks for something."""
    verbs = cues(language).verbs
    if language == "zh":
        return any(verb in re.split("[。；，]", step)[0] for verb in verbs)
    clauses = re.split(r"[.;,:]\s", step)[:2]
    return any(clause.split()[0].lower() in verbs for clause in clauses if clause.split())


def _of_list(text: str, part: ItemList, goal: str, language: Language) -> Procedure:
    places = tuple(item.place for item in part.items)
    raw = [
        " ".join(text[each.place.start : each.place.end] for each in (item, *inner))
        for item, inner in zip(part.items, part.inner, strict=True)
    ]
    return Procedure(goal, tuple(map(plain, raw)), operations(raw, language), places)


def asked(language: Language, kind: str, draw: float, **values: str) -> str:
    """What is asked about a procedure, in words; `draw` in [0, 1) chooses them."""
    wordings = cues(language).questions[kind]
    return wordings[int(draw * len(wordings))].format(**values)


def numbered(steps: Sequence[str]) -> Iterator[str]:
    """The steps as lines with their numbers."""
    yield from (f"{number}. {step}" for number, step in enumerate(steps, 1))
