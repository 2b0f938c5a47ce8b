"""Recombine: words of one slot in another of its type, every place moved, nothing near a real sentence."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhiling.errors import MissingInput, UsageError
from zhiling.pipeline.step import Context, Made
from zhiling.rows import target
from zhiling.rows.schema import ROW, conform
from zhiling.rows.templates import Turn
from zhiling.synthesis.recombine import Recombine
from zhiling.synthesis.slots import Slot, read_values, slots_of, spelling, swapped
from zhiling.text.jaccard import similar_pairs
from zhiling.text.normalise import normalise
from zhiling.text.shingles import shingles


def entity(text: str, *marked: tuple[str, str]) -> dict[str, Any]:
    """A sentence whose entities are the first occurrences of these words."""
    spans = [
        {"message": 0, "start": text.index(words), "end": text.index(words) + len(words), "label": label}
        for words, label in marked
    ]
    return {"task": "ner", "text": text, "target": {"spans": spans}}


ENTITIES = [
    entity("Send the lamp to Nora Field in Bath today.", ("Nora Field", "PERSON"), ("Bath", "CITY")),
    entity("Tom Barrow moved from Leeds to the north.", ("Tom Barrow", "PERSON"), ("Leeds", "CITY")),
    entity("I met ANNA in York, said the clerk.", ("ANNA", "PERSON"), ("York", "CITY")),
    entity("请把台灯寄给杭州的李娜，越快越好。", ("杭州", "CITY"), ("李娜", "PERSON")),
    entity("王小强昨天从成都搬走了，没有留地址。", ("王小强", "PERSON"), ("成都", "CITY")),
    entity("Nothing is named here."),
]


def frame(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """Rows as the runner gives them to the step."""
    records = [
        {
            "id": f"{number:032x}",
            "messages": [{"role": "user", "text": row["text"]}],
            "task": row["task"],
            "target": json.dumps(row["target"], ensure_ascii=False),
        }
        for number, row in enumerate(rows)
    ]
    own = conform(pl.DataFrame(records, schema={name: ROW[name] for name in records[0]}))
    groups = pl.Series("group", [row.get("group") for row in rows], dtype=pl.String)
    return own.with_columns(groups, pl.Series("source", [row.get("source", "s") for row in rows]))


def made(step: Recombine, rows: pl.DataFrame, root: Path | None = None, seed: int = 1) -> Made:
    context = Context(step_id="r", seed=seed, root=root or Path.cwd())
    return step.make(rows.filter(step.applies(rows)), context)


def sentences(rows: pl.DataFrame) -> list[tuple[str, dict[str, Any]]]:
    texts = [messages[0]["text"] for messages in rows["messages"].to_list()]
    return list(zip(texts, map(json.loads, rows["target"].to_list()), strict=True))


def told(text: str, truth: dict[str, Any]) -> set[tuple[str, str]]:
    return {(text[span["start"] : span["end"]], span["label"]) for span in truth["spans"]}


def test_entities_are_swapped_by_their_type_and_spelling() -> None:
    rows = frame(ENTITIES)
    new = sentences(made(Recombine(per_input=5), rows).rows)
    real = dict(sentences(rows))
    known = {pair for text, truth in real.items() for pair in told(text, truth)}
    assert len(new) >= 4
    for text, truth in new:
        assert text not in real
        assert told(text, truth) <= known, "each piece is an entity of that type elsewhere"
        assert len({spelling(words)[0] for words, _ in told(text, truth)}) == 1, "Chinese stays with Chinese"
    assert not any("ANNA" in text and "clerk" not in text for text, _ in new), "capitals stay with capitals"


def test_the_draw_depends_on_the_row_alone() -> None:
    rows = frame(ENTITIES)
    step = Recombine(per_input=3)
    first = made(step, rows).rows.sort("parents", "sample")
    assert made(step, rows.reverse()).rows.sort("parents", "sample").equals(first)
    assert not made(step, rows, seed=4).rows.sort("parents", "sample").equals(first)


def test_groups_and_sources_lend_each_other_nothing() -> None:
    apart = [{**row, "group": f"g{number}"} for number, row in enumerate(ENTITIES)]
    assert made(Recombine(), frame(apart)).rows.is_empty()
    sources = [{**row, "source": f"s{number}"} for number, row in enumerate(ENTITIES)]
    assert made(Recombine(), frame(sources)).rows.is_empty()
    together = [{**row, "group": "g"} for row in ENTITIES]
    assert not made(Recombine(), frame(together)).rows.is_empty()


def test_what_nearly_equals_a_real_sentence_is_not_made() -> None:
    long = " and this goes on for very many words that are all the same in it" * 3
    rows = frame([entity(f"In {city}{long}.", (city, "CITY")) for city in ("Bath", "York", "Leeds")])
    assert made(Recombine(per_input=5, jaccard=0.8), rows).rows.is_empty()
    assert made(Recombine(per_input=5, jaccard=1.0), rows).rows.is_empty(), "the real rows swap their cities"
    new = made(Recombine(per_input=5, jaccard=0.6), frame(ENTITIES)).rows
    texts = [text for text, _ in (*sentences(frame(ENTITIES)), *sentences(new))]
    pairs = similar_pairs(shingles(normalise(pl.Series(texts))), 0.6)
    assert (pairs.right < len(ENTITIES)).all(), "no new sentence is near a real or another new one"


def fact(text: str, *triples: tuple[str, str, str]) -> dict[str, Any]:
    """A sentence with facts whose ends are the first occurrences of these words."""

    def place(words: str) -> dict[str, int]:
        return {"message": 0, "start": text.index(words), "end": text.index(words) + len(words)}

    told = [
        {"subject": one, "relation": relation, "object": other,
         "subject_place": place(one), "object_place": place(other)}
        for one, relation, other in triples
    ]  # fmt: skip
    return {"task": "relation", "text": text, "target": {"relations": told}}


def test_ends_of_facts_get_the_same_end_of_the_same_relation() -> None:
    rows = frame(
        [
            fact("Nora Field works for Bright Lamps.", ("Nora Field", "works_for", "Bright Lamps")),
            fact("At Grey Mills, Tom Barrow runs a loom.", ("Tom Barrow", "works_for", "Grey Mills")),
            fact("Ida Moor was born in Port Ellis.", ("Ida Moor", "born_in", "Port Ellis")),
            fact("Ada hired Ada Long.", ("Ada", "hired", "Ada Long")),
        ]
    )
    new = sentences(made(Recombine(per_input=5), rows).rows)
    assert new
    for text, truth in new:
        (triple,) = truth["relations"]
        for side, known in (
            ("subject", {"Nora Field", "Tom Barrow"}),
            ("object", {"Bright Lamps", "Grey Mills"}),
        ):
            place = triple[f"{side}_place"]
            assert text[place["start"] : place["end"]] == triple[side]
            assert triple[side] in known
        assert triple["relation"] == "works_for"


INTENTS = [
    {"task": "classification", "text": "book a table in Bath for 4", "target": {"labels": ["book"]}},
    {"task": "classification", "text": "什么时候能到杭州？", "target": {"labels": ["arrival"]}},
    {"task": "classification", "text": "Bathing is fine", "target": {"labels": ["other"]}},
]


def test_listed_values_are_slots_of_intents(tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text("city: [Bath, York, 杭州, 成都]\n", encoding="utf-8")
    rows = frame(INTENTS)
    assert made(Recombine(), rows).rows.is_empty(), "without values there is nothing to swap"
    step = Recombine(values="values.yaml", per_input=3)
    assert step.files() == ("values.yaml",)
    new = sentences(made(step, rows, tmp_path).rows)
    assert [(text, truth["labels"]) for text, truth in new] == [
        ("book a table in York for 4", ["book"]),
        ("什么时候能到成都？", ["arrival"]),
    ]


@pytest.mark.parametrize(
    "content", ["- Bath\n", "city: Bath\n", "city: ['']\n", "a: [x]\nb: [X]\n", "a: [\n"]
)
def test_a_wrong_file_of_values_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text(content, encoding="utf-8")
    with pytest.raises(UsageError):
        read_values(tmp_path / "values.yaml")
    with pytest.raises(MissingInput, match=r"none\.yaml"):
        read_values(tmp_path / "none.yaml")


def test_nested_entities_stay() -> None:
    rows = [
        entity("The Bath Lamp Works closed.", ("Bath Lamp Works", "FIRM"), ("Bath", "CITY")),
        entity("The York Loom opened in Leeds.", ("York Loom", "FIRM"), ("Leeds", "CITY")),
    ]
    assert made(Recombine(per_input=5), frame(rows)).rows.is_empty()


WORDS = st.text("ab 中1", min_size=1, max_size=4)


@given(
    st.lists(st.tuples(WORDS, WORDS, st.sampled_from("XY"), st.booleans()), min_size=1, max_size=6), st.data()
)
def test_places_follow_their_words(parts: list[tuple[str, str, str, bool]], data: st.DataObject) -> None:
    text, spans, swaps, expected = "", list[target.Span](), dict[Slot, str](), list[tuple[str, str]]()
    for before, words, label, swap in parts:
        start = len(text) + len(before)
        text += before + words
        spans.append(target.Span(message=0, start=start, end=start + len(words), label=label))
        new = data.draw(WORDS) if swap else words
        expected.append((new, label))
        if swap:
            swaps[Slot(0, start, start + len(words), label)] = new
    turns, truth = swapped([Turn("user", text)], target.Entities(spans=spans), swaps)
    assert isinstance(truth, target.Entities)
    found = [(turns[0].text[span.start : span.end], span.label) for span in truth.spans]
    assert found == expected


def test_slots_of_odd_rows() -> None:
    turns = [Turn("user", "In Bath.")]
    outside = target.Entities(spans=[target.Span(message=1, start=0, end=2, label="X")])
    blank = target.Entities(spans=[target.Span(message=0, start=2, end=7, label="X")])
    unplaced = target.Relations(relations=[target.Triple(subject="Bath", relation="r", object="x")])
    assert (
        slots_of(turns, outside, None)
        == slots_of(turns, blank, None)
        == slots_of(turns, unplaced, None)
        == []
    )
