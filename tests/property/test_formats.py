"""Laws of formats: rows written are read back as they were, or what got lost is counted; records likewise."""

from __future__ import annotations

import io
import itertools
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

import orjson
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zhiling.pipeline import registry
from zhiling.rows.conversation import flatten
from zhiling.rows.formats.draft import Alternative, Draft, Media, Message, Unreadable, drafts_of, frame_of
from zhiling.rows.formats.format import Format
from zhiling.rows.schema import conform

CLASSES: dict[str, type[Format]] = {name: registry.load("format", name) for name in registry.table("format")}
READING = sorted(name for name, each in CLASSES.items() if each.decode is not Format.decode)
ROLES = ("user", "assistant", "system", "tool", "document")
KINDS = st.sampled_from(["image", "audio", "video"])
QUICK = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def variants(name: str) -> list[Format]:
    """The format with every combination of its choices."""
    kind = CLASSES[name]
    choices = {
        field: get_args(info.annotation)
        for field, info in kind.model_fields.items()
        if get_origin(info.annotation) is Literal
    }
    return [
        kind(**dict(zip(choices, picked, strict=True))) for picked in itertools.product(*choices.values())
    ]


VARIANTS = {name: variants(name) for name in READING}

texts = st.text(st.sampled_from('ab 问答\n"\\<>{}😀'), max_size=12) | st.sampled_from(
    ["<image>", "a\n\nb", "null"]
)
filled = texts.filter(bool)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-2, 2) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)
names = st.sampled_from(
    ["id", "label", "text", "prompt", "tools", "messages", "source", "score", "instruction"]
)
extras = st.dictionaries(names, json_values.filter(lambda value: value is not None), max_size=3)
calls = st.lists(st.tuples(st.sampled_from(["find", "查"]), json_values), min_size=1, max_size=2).map(
    lambda made: orjson.dumps(
        [
            {"type": "function", "function": {"name": n, "arguments": json.dumps(v, ensure_ascii=False)}}
            for n, v in made
        ]
    ).decode()
)
tools = st.none() | st.just('[{"name": "find"}]')


@st.composite
def messages(
    draw: st.DrawFn, roles: tuple[str, ...] = ("user", "assistant", "system", "tool", "document")
) -> Message:
    """One message, most often of role and text alone."""
    role, text = draw(st.sampled_from(roles)), draw(texts)
    if draw(st.integers(0, 3)):
        return Message(role, text)
    places = sorted(draw(st.lists(st.integers(0, len(text)), max_size=2)))
    media = tuple(Media(draw(KINDS), f"{n}.bin", None, at) for n, at in enumerate(places))
    return Message(
        role,
        text,
        draw(st.none() | filled),
        media,
        draw(st.none() | calls) if role == "assistant" else None,
        draw(st.none() | st.just("c1")),
        draw(st.none() | st.just("Ann")),
        draw(st.none() | st.sampled_from([0.0, 0.5, 1.0])),
    )


@st.composite
def drafts(draw: st.DrawFn) -> Draft:
    """One row: a conversation in any order, or an orderly one; further answers now and then."""
    if draw(st.booleans()):
        said = draw(st.lists(messages(), min_size=1, max_size=5))
    else:
        pairs = draw(st.lists(st.tuples(filled, texts), min_size=1, max_size=2))
        said = [
            each
            for asked, replied in pairs
            for each in (Message("user", asked), Message("assistant", replied))
        ]
    answer = st.lists(messages(("assistant",)), min_size=1, max_size=2).map(tuple)
    listed = draw(st.lists(st.tuples(answer, st.sampled_from(["chosen", "rejected", "ranked"])), max_size=2))
    alternatives = [
        Alternative(said, kind, n + 2 if kind == "ranked" else None) for n, (said, kind) in enumerate(listed)
    ]
    return Draft(said, alternatives, draw(extras), draw(tools))


def rows_of(made: list[Draft]) -> pl.DataFrame:
    """The drafts as a run has them."""
    ids = pl.Series("id", [str(number) for number in range(len(made))])
    return conform(frame_of(made).with_columns(ids))


def read_back(form: Format, content: bytes) -> Iterator[Draft]:
    """The rows of a written file."""
    if form.suffix == ".parquet":
        records = pl.read_parquet(io.BytesIO(content)).to_dicts()
    else:
        records = [json.loads(line) for line in content.decode().split("\n")[:-1]]
    return (form.decode(record) for record in records)


def told(draft: Draft) -> dict[str, Any]:
    """What a row says, without the difference between nothing and an empty text."""
    row = frame_of([draft])
    whole = row.select("messages", "alternatives", "extra").to_dicts()[0]
    whole["extra"] = json.loads(whole["extra"] or "{}")
    whole["tools"] = json.loads(draft.tools or "null")
    return clean(whole)


def clean(value: Any) -> Any:
    """JSON without fields that hold nothing; calls as what they mean."""
    if isinstance(value, dict):
        kept = {name: clean(each) for name, each in value.items()}
        return {name: each for name, each in kept.items() if each not in (None, "", [], {})}
    if isinstance(value, list):
        return [clean(each) for each in value]
    return value


@pytest.mark.parametrize("name", READING)
@QUICK
@given(st.data())
def test_rows_written_are_read_back_or_the_loss_is_counted(name: str, data: st.DataObject) -> None:
    form, made = data.draw(st.sampled_from(VARIANTS[name])), data.draw(drafts())
    losses = Counter[str]()
    content = form.encode(rows_of([made]), losses)
    if losses:
        assert all(count > 0 for count in losses.values())
        return
    try:
        found = list(read_back(form, content))
    except Unreadable as problem:
        found, refused = [], problem.cls
    else:
        refused = None
    assert refused == "equal_answers" or [told(each) for each in found] == [told(made)]


@pytest.mark.parametrize("name", READING)
@QUICK
@given(st.data())
def test_losses_do_not_depend_on_neighbours(name: str, data: st.DataObject) -> None:
    form, made = (
        data.draw(st.sampled_from(VARIANTS[name])),
        data.draw(st.lists(drafts(), min_size=1, max_size=4)),
    )
    rows, together, apart = rows_of(made), Counter[str](), Counter[str]()
    if form.suffix == ".parquet":
        return
    whole = form.encode(rows, together)
    assert whole == b"".join(form.encode(rows[n : n + 1], apart) for n in range(rows.height))
    assert together == apart


@QUICK
@given(st.lists(drafts(), max_size=4))
def test_a_frame_of_drafts_gives_the_drafts(made: list[Draft]) -> None:
    rows = rows_of(made)
    found = list(drafts_of(rows, flatten(rows["messages"])))
    assert [told(each) for each in found] == [told(each) for each in made]
    assert frame_of(found).drop("task").equals(frame_of(made).drop("task"))


# Records, format by format: what people have in their files.

turn = st.sampled_from(["user", "assistant", "system", "tool"])
plain_turns = st.lists(
    st.builds(lambda r, c: {"role": r, "content": c}, turn, filled), min_size=1, max_size=4
)
share_turns = st.lists(
    st.builds(
        lambda speaker, value: {"from": speaker, "value": value},
        st.sampled_from(["human", "gpt", "system", "observation"]),
        filled,
    ),
    min_size=1,
    max_size=4,
)
call_turn = st.tuples(st.sampled_from(["find", "查"]), json_values).map(
    lambda made: {
        "from": "function_call",
        "value": json.dumps({"name": made[0], "arguments": made[1]}, ensure_ascii=False),
    }
)


def parts(key: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Texts and images in any order, as OpenAI or LLaMA-Factory v1 spell them."""
    text = filled.map(lambda value: {"type": "text", ("value" if key == "value" else "text"): value})
    image = st.sampled_from(["a.png", "https://example.com/b.png"]).map(
        lambda path: (
            {"type": "image_url", "value": path}
            if key == "value"
            else {"type": "image_url", "image_url": {"url": path}}
        )
    )
    return st.lists(text | image, min_size=1, max_size=4)


def part_turns(key: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Messages whose contents are parts."""
    one = st.builds(lambda role, content: {"role": role, "content": content}, turn, parts(key))
    return st.lists(one, min_size=1, max_size=3)


further = st.dictionaries(st.sampled_from(["source", "id", "评分"]), json_values, max_size=2)


def record(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A record of these fields and some that no format knows."""
    return st.builds(lambda known, more: {**more, **known}, st.fixed_dictionaries(fields), further)


def said(role: str, text: str) -> dict[str, Any]:
    """A message as OpenAI spells it."""
    return {"role": role, "content": text}


def gpt(text: str) -> dict[str, Any]:
    """A reply as ShareGPT spells it."""
    return {"from": "gpt", "value": text}


alpaca = {"instruction": filled, "input": texts, "output": texts, "system": texts}
history = st.lists(st.tuples(texts, texts).map(list), max_size=2)
with_calls = st.tuples(share_turns, st.lists(call_turn, max_size=2)).map(lambda two: two[0] + two[1])
rich_turns = plain_turns.map(
    lambda turns: [{**turn, "weight": 1, "name": "Ann", "refusal": "no"} for turn in turns]
)
called_turns = calls.map(
    lambda made: [
        said("user", "a"),
        {"role": "assistant", "tool_calls": [{**each, "id": "c1"} for each in json.loads(made)]},
        {"role": "tool", "content": "好", "tool_call_id": "c1"},
    ]
)
pictured = [said("user", "<image>a<image>"), said("assistant", "b")]
value_turn = {"role": "assistant", "content": [{"type": "text", "value": "z"}]}
flag = st.booleans()
RECORDS: dict[str, list[st.SearchStrategy[dict[str, Any]]]] = {
    "alpaca": [
        record(**alpaca, history=history),
        record(**{**alpaca, "output": st.lists(filled, min_size=2, max_size=3, unique=True)}),
        record(**alpaca, chosen=st.just("yes"), rejected=filled.filter(lambda text: text != "yes")),
        record(**alpaca, kto_tag=flag),
    ],
    "sharegpt": [
        record(conversations=share_turns, tools=st.just('[{"name": "find"}]')),
        record(conversations=with_calls),
        record(conversations=plain_turns, system=filled),
        record(conversations=share_turns, chosen=st.just(gpt("yes")), rejected=st.just(gpt("no"))),
        record(conversations=share_turns.map(lambda turns: [*turns, gpt("好")]), kto_tag=flag),
    ],
    "messages": [
        record(messages=plain_turns),
        record(messages=part_turns("text")),
        record(messages=part_turns("value")),
        record(messages=rich_turns),
        record(messages=called_turns, tools=st.just([{"name": "find"}])),
        record(messages=st.just(pictured), images=st.just(["1.png", "2.png"])),
        record(messages=part_turns("text").map(lambda turns: [said("system", "a"), *turns])),
    ],
    "prompt_completion": [
        record(prompt=texts, completion=texts),
        record(prompt=plain_turns, completion=plain_turns),
    ],
    "preference": [
        record(prompt=texts, chosen=st.just("yes"), rejected=st.just("no")),
        record(chosen=st.just("yes"), rejected=st.just("no")),
        record(prompt=plain_turns, chosen=plain_turns, rejected=st.just([said("assistant", "other")])),
        record(chosen=plain_turns, rejected=st.just([said("assistant", "other")])),
        record(chosen_messages=part_turns("value"), rejected_messages=st.just([value_turn])),
    ],
    "kto": [
        record(prompt=texts, completion=filled, label=flag),
        record(prompt=plain_turns, completion=plain_turns, label=flag),
        record(messages=plain_turns.map(lambda turns: [*turns, said("assistant", "好")]), label=flag),
    ],
    "text": [record(text=filled)],
}


@pytest.mark.parametrize(
    ("name", "number"), [(name, n) for name, each in RECORDS.items() for n in range(len(each))]
)
@QUICK
@given(st.data())
def test_records_come_back_as_they_were(name: str, number: int, data: st.DataObject) -> None:
    given_record = data.draw(RECORDS[name][number])
    form = CLASSES[name]().notation(given_record)
    losses = Counter[str]()
    written = form.encode(rows_of([form.decode(given_record)]), losses)
    lines = written.decode().split("\n")[:-1]
    assert not losses
    assert [clean(json.loads(line)) for line in lines] == [clean(given_record)]


@pytest.mark.parametrize("name", [*RECORDS, "parquet"])
@QUICK
@given(st.data())
def test_nonsense_is_refused_and_never_raises_anything_else(name: str, data: st.DataObject) -> None:
    whole = data.draw(
        st.sampled_from([each for listed in RECORDS.values() for each in listed]).flatmap(lambda s: s)
    )
    broken = _with(whole, data.draw(st.integers(0, 30)), data.draw(json_values))
    form = CLASSES[name]()
    form.claim({field: type(value) for field, value in broken.items() if value is not None})
    try:
        made = form.decode(broken)
    except Unreadable as problem:
        told_class, told_message, made = problem.cls, problem.message, None
    else:
        told_class, told_message = "none", "none"
        form.notation(broken).encode(rows_of([made]), Counter())
    assert told_class.isidentifier()
    assert told_message


def _with(value: Any, place: int, other: Any) -> Any:
    """The value with something else in one place of it, counted in depth first order."""
    seen = itertools.count()

    def walk(inner: Any) -> Any:
        if next(seen) == place and inner is not value:
            return other
        if isinstance(inner, dict):
            return {name: walk(each) for name, each in inner.items()}
        return [walk(each) for each in inner] if isinstance(inner, list) else inner

    return walk(value)


def test_every_reading_format_has_records_of_its_own() -> None:
    assert {*RECORDS, "parquet"} == set(READING)
