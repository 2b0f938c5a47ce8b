"""The law of templates: what a reply tells of an example is read back exactly, by every wording."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from zhiling.rows import target
from zhiling.rows.templates import (
    Example,
    Library,
    Listing,
    Names,
    Rendered,
    Setting,
    Turn,
    Unfit,
    Wording,
    builtin,
    reading,
    render,
)

LIBRARY = Library()
WORDINGS = [wording for task in target.SHAPES for wording in builtin(task).values()]

MARKS = st.sampled_from(
    (
        *(
            ",",
            ", ",
            "，",
            "、",
            ";",
            "; ",
            "；",
            ":",
            ": ",
            "：",
            "|",
            " | ",
            "｜",
            " -> ",
            " → ",
            " = ",
            "=>",
        ),
        *(
            "/",
            " / ",
            "//",
            "(",
            ")",
            "（",
            "）",
            '"',
            "“",
            "[2]",
            " [2]",
            "\n",
            "\n\n",
            "\r\n",
            " ",
            "\u3000",
        ),
        *("\t", ".", "。", "{", "}", "\\", "none", "None", "无", "null", "[]", "1. ", "- ", "@", " + ", "＋"),
        *(" & ", "a", "b", "A", "北京", "京", "😀"),
    )
)
WORDS = st.lists(MARKS, min_size=1, max_size=5).map("".join) | st.text(min_size=1, max_size=8)
TEXT = st.lists(MARKS, min_size=1, max_size=25).map("".join) | st.text(min_size=1, max_size=30)


@st.composite
def labels(draw: st.DrawFn, task: str) -> tuple[Example, Listing]:
    """Any labels, one, several or none, called by any names."""
    names = draw(st.lists(WORDS, min_size=1, max_size=5, unique=True))
    known = [f"label-{number}" for number in range(len(names))] if draw(st.booleans()) else names
    told = draw(st.lists(st.sampled_from(known), max_size=3))
    multi = draw(st.booleans())
    listing = Listing(tuple(known), Names(dict(zip(known, names, strict=True)), dict.fromkeys(known, "x")))
    return Example(task, draw(turns(task)), target.Labels(labels=told, multi=multi)), listing


@st.composite
def turns(draw: st.DrawFn, task: str, *, reply: bool = False) -> list[Turn]:
    """Messages as the task lays them out."""
    text = draw(TEXT)
    own = [Turn("assistant", draw(TEXT))] if reply else []
    if task == "matching":
        return [Turn("user", text, "first"), Turn("user", draw(TEXT), "second")]
    if task in ("qa", "commonsense"):
        context = [Turn("document", draw(TEXT), "context")] if draw(st.booleans()) else []
        return [*context, Turn("user", text, "question"), *own]
    if task == "dialogue":
        return [Turn("user", text), Turn("assistant", draw(TEXT)), Turn("user", draw(TEXT))]
    return [Turn("user", text), *own]


@st.composite
def place(draw: st.DrawFn, said: Sequence[Turn]) -> tuple[dict[str, int], str]:
    """Any piece of any message."""
    message = draw(st.integers(0, len(said) - 1))
    start = draw(st.integers(0, len(said[message].text) - 1))
    end = draw(st.integers(start + 1, len(said[message].text)))
    return {"message": message, "start": start, "end": end}, said[message].text[start:end]


@st.composite
def entities(draw: st.DrawFn, task: str) -> tuple[Example, Listing]:
    """Entities anywhere: nested, overlapping, repeated."""
    said = draw(turns(task))
    types = draw(st.lists(WORDS, min_size=1, max_size=3, unique=True))
    spans = draw(st.lists(st.tuples(place(said), st.sampled_from(types)), max_size=5))
    truth = target.Entities(spans=[target.Span(**at, label=label) for (at, _), label in spans])
    return Example(task, said, truth), Listing(tuple(types), Names({}, dict.fromkeys(types, "x")))


@st.composite
def relations(draw: st.DrawFn, task: str) -> tuple[Example, Listing]:
    """Facts whose ends have places, or words alone."""
    said = draw(turns(task))
    known = draw(st.lists(WORDS, min_size=1, max_size=3, unique=True))
    triples: list[target.Triple] = []
    for _ in range(draw(st.integers(0, 3))):
        ends: dict[str, Any] = {"relation": draw(st.sampled_from(known))}
        for end in ("subject", "object"):
            if draw(st.booleans()):
                at, words = draw(place(said))
                ends |= {end: words, f"{end}_place": target.Place(**at)}
            else:
                ends[end] = draw(WORDS)
        triples.append(target.Triple(**ends))
    listing = Listing(tuple(known), Names({}, dict.fromkeys(known, "x")))
    return Example(task, said, target.Relations(relations=triples)), listing


@st.composite
def answers(draw: st.DrawFn, task: str) -> tuple[Example, Listing]:
    """An answer with its place, an answer in words, none; perhaps with a worked solution."""
    said = draw(turns(task, reply=draw(st.booleans())))
    shown = [turn for turn in said if turn.role != "assistant"]
    match draw(st.integers(0, 2)):
        case 0:
            found: list[target.Answer] = []
        case 1:
            at, words = draw(place(shown))
            found = [target.Answer(text=words, place=target.Place(**at))]
        case _:
            found = [target.Answer(text=draw(WORDS))]
    return Example(task, said, target.Answers(answers=found)), Listing(())


@st.composite
def choice(draw: st.DrawFn, task: str) -> tuple[Example, Listing]:
    """Options, equal ones among them."""
    said = draw(turns(task))
    options = draw(st.lists(TEXT, min_size=1, max_size=30))
    right = draw(st.integers(0, len(options) - 1))
    said += [Turn("user", option, "choice") for option in options]
    return Example(task, said, target.Choice(choice=right)), Listing(())


@st.composite
def simple(draw: st.DrawFn, wording: Wording) -> tuple[Example, Listing]:
    """Numbers, states, steps, and replies of one's own words."""
    truth: BaseModel | None
    said = draw(turns(wording.task, reply=wording.shape == "reply"))
    listing = Listing(("a / b",))
    if wording.shape == "score":
        number = draw(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-9, 9).map(float))
        truth = target.Score(score=number)
    elif wording.shape == "state":
        slots = draw(st.lists(st.tuples(WORDS, WORDS, WORDS | st.just("")), max_size=3))
        truth = target.DialogueState(state=[target.Slot(domain=d, slot=s, value=v) for d, s, v in slots])
    elif wording.shape == "steps":
        truth = target.Steps(steps=draw(st.lists(WORDS | st.just(""), max_size=4)))
    elif wording.task == "translation":
        truth = target.Translation(source_language="en", target_language="zh-CN")
    elif wording.task == "controlled":
        truth = target.Constraints(constraints=[target.Constraint(kind="include", values=["甲", "b"])])
    elif wording.task == "code":
        truth = target.Tests(tests=draw(st.lists(TEXT, max_size=2)))
    else:
        truth = None
    return Example(wording.task, said, truth), listing


def examples(wording: Wording) -> st.SearchStrategy[tuple[Example, Listing]]:
    """Examples of a wording's task and shape."""
    made = {
        "labels": labels,
        "entities": entities,
        "relations": relations,
        "answers": answers,
        "choice": choice,
    }
    return made[wording.shape](wording.task) if wording.shape in made else simple(wording)


@pytest.mark.parametrize("wording", WORDINGS, ids=lambda wording: wording.name)
def test_a_reply_is_read_back_exactly(wording: Wording) -> None:
    """Truth and places, in the example's messages and in the row's; the example's texts come back too."""

    @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
    @given(examples(wording), st.booleans())
    def law(case: tuple[Example, Listing], empty: bool) -> None:
        example, listing = case
        row = rendered(example, wording, Setting(listing=listing, empty=empty))
        if row in ("equal_options", "blank_line"):  # another wording tells it
            return
        assert isinstance(row, Rendered), row
        texts = [text for _, text in row.messages]
        truth = orjson.loads(row.target)
        read = reading(texts, truth, LIBRARY)
        assert read is not None
        shown = [turn for turn in example.turns if turn.role != "assistant" or example.task == "dialogue"]
        assert list(read.turns) == shown
        found = read.parse(texts[-1])
        if wording.shape == "reply":
            assert found == example.turns[-1].text
            return
        assert isinstance(found, BaseModel), (found, texts[-1])
        assert found == wording.kind.told(example.truth)
        placed = read.parse_row(texts[-1])
        assert isinstance(placed, BaseModel)
        assert plain(placed) == plain(wording.kind.told(type(found).model_validate(truth)))

    law()


def rendered(example: Example, wording: Wording, setting: Setting) -> Rendered | str:
    """The row, or the class of the reason why there is none."""
    try:
        return render(example, wording, setting)
    except Unfit as error:
        return error.cls


def plain(truth: BaseModel) -> Any:
    """A target without what says how it was written."""
    return truth.model_dump(exclude_none=True, exclude={"template"})
