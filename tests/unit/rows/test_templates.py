"""Templates: what prompts say, what replies tell, what is refused; both languages."""

from __future__ import annotations

import json

import polars as pl
import pytest

from zhiling.rows import target
from zhiling.rows.conversation import nest
from zhiling.rows.templates import (
    Example,
    Library,
    Listing,
    Names,
    Reading,
    Rendered,
    Setting,
    Turn,
    Unfit,
    Unparsed,
    reading,
    render,
)
from zhiling.rows.templates.example import truth_of
from zhiling.rows.templates.own_text import own_text

LIBRARY = Library()
INTENTS = Listing(("card", "parcel", "other, new"))
WORDS = Names({"card": "银行卡", "parcel": "快递"}, {"card": "关于银行卡。", "parcel": "关于快递。"})


def classified(text: str, *labels: str, multi: bool = False) -> Example:
    return Example("classification", [Turn("user", text)], target.Labels(labels=list(labels), multi=multi))


def read(row: Rendered, library: Library = LIBRARY) -> Reading:
    found = reading([text for _, text in row.messages], json.loads(row.target), library)
    assert found is not None
    return found


def reply(row: Rendered) -> str:
    return row.messages[-1][1]


# ---- prompts and replies ----


@pytest.mark.parametrize(
    ("wording", "labels", "multi", "told"),
    [
        ("en/pick", ["card"], False, "card"),
        ("en/pick", ["card", "parcel"], True, "card, parcel"),
        ("en/pick", ["other, new"], False, '"other, new"'),
        ("en/pick", [], False, "none"),
        ("en/sentence", ["card"], False, "This is about card."),
        ("en/json", ["card", "other, new"], True, '{"labels": ["card", "other, new"]}'),
        ("zh/pick", ["card", "parcel"], True, "card、parcel"),
        ("zh/sentence", ["card"], False, "这段话讲的是card。"),
        ("zh/json", [], False, '{"标签": []}'),
    ],
)
def test_labels(wording: str, labels: list[str], multi: bool, told: str) -> None:
    row = render(
        classified("卡丢了 lost", *labels, multi=multi),
        LIBRARY.get(f"classification/{wording}"),
        Setting(INTENTS),
    )
    assert reply(row) == told
    assert read(row).parse(told) == target.Labels(labels=labels, multi=multi)


def test_names_and_definitions_stand_in_the_prompt() -> None:
    listing = Listing(("card", "parcel"), WORDS)
    row = render(classified("卡丢了", "card"), LIBRARY.get("classification/zh/defined"), Setting(listing))
    assert "- 银行卡：关于银行卡。\n- 快递：关于快递。" in row.messages[0][1]
    assert reply(row) == "银行卡"
    assert read(row).parse("快递") == target.Labels(labels=["parcel"])
    with pytest.raises(Unfit, match="definitions"):
        render(classified("x", "card"), LIBRARY.get("classification/zh/defined"), Setting(INTENTS))


def test_what_to_reply_where_nothing_fits_is_said_only_where_it_may_happen() -> None:
    wording = LIBRARY.get("classification/en/clerk")
    certain = render(classified("x", "card"), wording, Setting(INTENTS))
    possible = render(classified("x", "card"), wording, Setting(INTENTS, empty=True))
    assert "belongs nowhere" not in certain.messages[0][1]
    assert "belongs nowhere gets the answer other" in possible.messages[0][1]


@pytest.mark.parametrize(
    ("said", "labels"),
    [
        ("card", ["card"]),
        (" Card.\n", ["card"]),
        ("card，parcel", ["card", "parcel"]),
        ("```\ncard\n```", ["card"]),
        ("NONE", []),
        ("None.", []),
    ],
)
def test_harmless_differences_are_read(said: str, labels: list[str]) -> None:
    row = render(classified("x", "card", multi=True), LIBRARY.get("classification/en/pick"), Setting(INTENTS))
    found = read(row).parse(said)
    assert isinstance(found, target.Labels), found
    assert found.labels == labels


@pytest.mark.parametrize(
    ("wording", "said", "reason"),
    [
        ("en/pick", "", "no_answer"),
        ("en/pick", "I think it is card", "unknown_label"),
        ("en/pick", '"card', "wrong_form"),
        ("en/pick", "card, parcel", "too_many_labels"),
        ("en/sentence", "card", "wrong_form"),
        ("en/json", "card", "wrong_form"),
        ("en/json", '{"labels": "card"}', "wrong_form"),
        ("zh/json", '{"标签": ["卡"]}', "unknown_label"),
    ],
)
def test_what_cannot_be_read_is_no_guess(wording: str, said: str, reason: str) -> None:
    row = render(classified("x", "card"), LIBRARY.get(f"classification/{wording}"), Setting(INTENTS))
    found = read(row).parse(said)
    assert isinstance(found, Unparsed)
    assert found.reason == reason


def test_json_may_be_spaced_otherwise() -> None:
    row = render(classified("x", "card"), LIBRARY.get("classification/en/json"), Setting(INTENTS))
    assert read(row).parse('```json\n{ "labels" : ["card"] }\n```') == target.Labels(labels=["card"])


def entities(text: str, *spans: tuple[int, int, str]) -> Example:
    found = [target.Span(start=start, end=end, label=label) for start, end, label in spans]
    return Example("ner", [Turn("user", text)], target.Entities(spans=found))


@pytest.mark.parametrize(
    ("spans", "told"),
    [
        ([(0, 3, "per")], "per: Ada"),
        ([(8, 11, "per")], "per: Ada [2]"),
        ([(0, 3, "per"), (8, 11, "per")], "per: Ada\nper: Ada"),
        ([(8, 11, "per"), (0, 3, "per")], "per: Ada\nper: Ada"),
        ([(0, 11, "org"), (0, 3, "per"), (8, 11, "per")], "per: Ada\norg: Ada met Ada\nper: Ada"),
        ([], "none"),
    ],
)
def test_entities_and_their_occurrence(spans: list[tuple[int, int, str]], told: str) -> None:
    example = entities("Ada met Ada", *spans)
    row = render(example, LIBRARY.get("ner/en/lines"), Setting(Listing(("org", "per"))))
    assert reply(row) == told
    assert ("[2]" in row.messages[0][1]) == ("[2]" in told)  # explained where it is used
    found = read(row).parse(told)
    assert isinstance(found, target.Entities)
    assert [(span.start, span.end, span.label) for span in found.spans] == sorted(spans)


def test_places_move_into_the_prompt() -> None:
    row = render(
        entities("他在北京", (2, 4, "loc")), LIBRARY.get("ner/zh/annotator"), Setting(Listing(("loc",)))
    )
    span = json.loads(row.target)["spans"][0]
    assert span["message"] == 1
    assert row.messages[1][1][span["start"] : span["end"]] == "北京"
    assert "tokens" not in row.target
    assert read(row).parse_row(reply(row)) == target.Entities(spans=[target.Span(**span)])


def test_words_that_the_text_does_not_hold() -> None:
    row = render(entities("Ada", (0, 3, "per")), LIBRARY.get("ner/en/lines"), Setting(Listing(("per",))))
    found = read(row).parse("per: Bob")
    assert isinstance(found, Unparsed)
    assert found.reason == "not_in_text"


def asked(answers: list[target.Answer], *more: Turn) -> Example:
    turns = [Turn("document", "Born 1999, died 1999.", "context"), Turn("user", "When?", "question"), *more]
    return Example("qa", turns, target.Answers(answers=answers))


def test_an_answer_is_its_first_occurrence_or_is_marked() -> None:
    wording = LIBRARY.get("qa/en/answer_line")
    first = target.Answer(text="1999", place=target.Place(start=5, end=9))
    second = target.Answer(text="1999", place=target.Place(start=16, end=20))
    assert reply(render(asked([first]), wording)) == "Answer: 1999"
    row = render(asked([second, first]), wording)
    assert reply(row) == "Answer: 1999 [2]"
    found = read(row).parse(reply(row))
    assert isinstance(found, target.Answers)
    assert [(answer.text, answer.place and answer.place.start) for answer in found.answers] == [("1999", 16)]
    assert reply(render(asked([]), wording)) == "The question stays open."


def test_a_worked_solution_stands_before_the_answer() -> None:
    row = render(
        asked([target.Answer(text="72")], Turn("assistant", "48 / 2 = 24.\n\n48 + 24 = 72.")),
        LIBRARY.get("qa/en/answer_line"),
    )
    assert reply(row) == "48 / 2 = 24.\n\n48 + 24 = 72.\n\nAnswer: 72"
    assert "step by step" in row.messages[0][1]
    assert read(row).parse(reply(row)) == target.Answers(answers=[target.Answer(text="72")])
    told = render(
        asked([target.Answer(text="72")], Turn("assistant", "72")), LIBRARY.get("qa/zh/answer_line")
    )
    assert reply(told) == "答案：72"


def test_a_place_with_other_words_is_unfit() -> None:
    wrong = target.Answer(text="1998", place=target.Place(start=5, end=9))
    with pytest.raises(Unfit) as caught:
        render(asked([wrong]), LIBRARY.get("qa/en/answer_line"))
    assert caught.value.cls == "place_differs"


def chosen(right: int, *options: str) -> Example:
    turns = [Turn("user", "2 + 2?", "question"), *(Turn("user", option, "choice") for option in options)]
    return Example("qa", turns, target.Choice(choice=right))


@pytest.mark.parametrize(
    ("wording", "said"),
    [
        ("qa/en/letter", "B"),
        ("qa/en/letter", " B. "),
        ("qa/en/exam", "The answer is (B)."),
        ("qa/en/letter_and_words", "B. four"),
        ("qa/zh/exam", "正确答案是 B。"),
        ("qa/zh/number", "2"),
        ("qa/zh/words", "four"),
        ("qa/zh/json_letter", '{"答案": "B"}'),
        ("commonsense/zh/by_number", "第 2 个"),
    ],
)
def test_options(wording: str, said: str) -> None:
    example = chosen(1, "three", "four")
    task = wording.partition("/")[0]
    row = render(Example(task, example.turns, example.truth), LIBRARY.get(wording))
    assert read(row).parse(said) == target.Choice(choice=1)


def test_options_that_cannot_be_told_apart() -> None:
    with pytest.raises(Unfit, match="two options"):
        render(chosen(1, "four", "four"), LIBRARY.get("qa/en/words"))
    row = render(chosen(1, "four", "four"), LIBRARY.get("qa/en/letter"))
    assert read(row).parse("B") == target.Choice(choice=1)
    for said in ("C", "four or so"):
        assert isinstance(read(row).parse(said), Unparsed)


def test_texts_of_many_fields() -> None:
    """A wording with `{input}` shows all fields under captions; one with slots of its own wants these."""
    row = render(
        Example("classification", asked([]).turns, target.Labels(labels=["card"])),
        LIBRARY.get("classification/zh/pick"), Setting(INTENTS),
    )  # fmt: skip
    assert row.messages[0][1].endswith("文章：Born 1999, died 1999.\n问题：When?")
    assert read(row).turns == list(asked([]).turns)
    with pytest.raises(Unfit) as caught:
        render(
            Example("matching", [Turn("user", "one text")], target.Labels(labels=["card"])),
            LIBRARY.get("matching/en/relation"), Setting(INTENTS),
        )  # fmt: skip
    assert caught.value.cls == "fields_differ"


def test_a_dialogue_is_told_turn_by_turn() -> None:
    turns = [Turn("user", "A hotel."), Turn("assistant", "Where?"), Turn("user", "In the east: cheap")]
    state = target.DialogueState(
        state=[target.Slot(domain="hotel", slot="area", value="east: cheap", also=["e"])]
    )
    row = render(Example("dialogue", turns, state), LIBRARY.get("dialogue/zh/slots"))
    assert row.messages[0][1].endswith("用户：A hotel.\n助手：Where?\n用户：In the east: cheap")
    assert reply(row) == "hotel / area：east: cheap"
    told = target.DialogueState(state=[target.Slot(domain="hotel", slot="area", value="east: cheap")])
    assert read(row).parse(reply(row)) == told
    assert read(row).turns == turns


def test_ones_own_words_stay_as_they_are() -> None:
    source = Example(
        "translation", [Turn("user", "你好"), Turn("assistant", ' "Hello" \n')],
        target.Translation(source_language="zh", target_language="en-GB"),
    )  # fmt: skip
    row = render(source, LIBRARY.get("translation/en/labelled"))
    assert "the following Chinese into natural English" in row.messages[0][1]
    assert reply(row) == 'Translation:  "Hello" \n'
    assert read(row).parse(reply(row)) == ' "Hello" \n'
    with pytest.raises(Unfit, match="no reply"):
        render(Example("summarisation", [Turn("user", "text")]), LIBRARY.get("summarisation/en/short"))


def test_constraints_in_words() -> None:
    constraints = [
        target.Constraint(kind="include", values=["ski", "山"]),
        target.Constraint(kind="length", values=["words"], at_least=5, at_most=5),
        target.Constraint(kind="length", values=["字"], at_most=9),
        target.Constraint(kind="rhyme", values=["aabb"]),
    ]
    example = Example(
        "controlled",
        [Turn("user", "Write."), Turn("assistant", "…")],
        target.Constraints(constraints=constraints),
    )
    said = render(example, LIBRARY.get("controlled/en/rules_first")).messages[0][1]
    assert (
        "- Use all of these words: ski, 山\n- Write exactly 5 words\n- Write at most 9 字\n- rhyme: aabb"
        in said
    )
    assert (
        "- 必须用到这些词：ski、山\n- 长度正好 5 words"
        in render(example, LIBRARY.get("controlled/zh/rules_first")).messages[0][1]
    )


def test_the_rows_own_system_message_comes_first() -> None:
    example = Example(
        "classification", [Turn("system", "Be kind."), Turn("user", "x")], target.Labels(labels=["card"])
    )
    row = render(example, LIBRARY.get("classification/en/pick"), Setting(INTENTS))
    assert row.messages[0] == ("system", "Be kind.")
    assert read(row).turns == list(example.turns)
    with pytest.raises(Unfit, match="system message"):
        render(example, LIBRARY.get("classification/en/clerk"), Setting(INTENTS))


# ---- demonstrations ----

SHOTS = (("id-1", classified("post late", "parcel")), ("id-2", classified("nothing", multi=False)))


def test_demonstrations_as_turns() -> None:
    row = render(
        classified("lost", "card"), LIBRARY.get("classification/en/bullets"), Setting(INTENTS, shots=SHOTS)
    )
    roles = [role for role, _ in row.messages]
    assert roles == ["user", "assistant"] * 3
    assert row.messages[0][1].count("Classes to choose from") == 1
    assert [text for _, text in row.messages[1:]] == [
        "parcel", "Text: nothing", "no class", "Text: lost", "card",
    ]  # fmt: skip
    assert json.loads(row.target)["template"]["shots"] == ["id-1", "id-2"]
    assert read(row).turns == [Turn("user", "lost")]
    assert read(row).parse(reply(row)) == target.Labels(labels=["card"])


def test_demonstrations_inside_the_prompt() -> None:
    row = render(
        classified("丢了", "card"),
        LIBRARY.get("classification/zh/json"),
        Setting(INTENTS, shots=SHOTS, inline=True),
    )
    assert [role for role, _ in row.messages] == ["user", "assistant"]
    assert (
        '输入：post late\n答：{"标签": ["parcel"]}\n\n输入：nothing\n答：{"标签": []}\n\n输入：丢了'
        in row.messages[0][1]
    )
    assert read(row).turns == [Turn("user", "丢了")]


# ---- targets ----


def test_targets_of_a_task() -> None:
    assert truth_of("summarisation", None) is None
    assert truth_of("qa", '{"choice":1}') == target.Choice(choice=1)
    for task, document, cls in (
        ("ner", None, "no_target"),
        ("ner", '{"labels":["a"]}', "broken_target"),
        ("ner", '{"spans":[{"start":-1,"end":2,"label":"a"}]}', "broken_target"),
    ):
        with pytest.raises(Unfit) as caught:
            truth_of(task, document)
        assert caught.value.cls == cls


def test_a_row_without_template_has_no_reading() -> None:
    assert reading(["x"], {"labels": ["a"]}, LIBRARY) is None


def test_rows_are_compared_by_the_texts_of_their_examples() -> None:
    row = render(
        classified("卡丢了", "card"), LIBRARY.get("classification/zh/pick"), Setting(INTENTS, shots=SHOTS)
    )
    said = [*row.messages, ("user", "as it is"), ("assistant", "yes")]
    flat = pl.DataFrame(said, schema=["role", "text"], orient="row")
    messages = nest(flat, [len(row.messages), 2])
    assert own_text(messages, pl.Series([row.target, None])).to_list() == ["卡丢了", "as it is"]
