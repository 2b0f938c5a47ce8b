"""Rows of one group read together: what a document is, its answers row by row, and what reading it brings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from tests.tiny_bert import write_tiny_bert  # noqa: E402
from zhiling.errors import UsageError  # noqa: E402
from zhiling.evaluation.metrics.entities import EntityF1  # noqa: E402
from zhiling.rows.templates.example import Turn  # noqa: E402
from zhiling.training import Answer, Examples, Input, TrainSettings, load, text_input, train  # noqa: E402
from zhiling.training.documents import Documents, Messages  # noqa: E402


def target(*spans: tuple[int, int, int, str]) -> str:
    keys = ("message", "start", "end", "label")
    told = [dict(zip(keys, span, strict=True)) for span in spans]
    return json.dumps({"spans": told}, separators=(",", ":"), ensure_ascii=False)


def one_each(turns: Input) -> str:
    return target(*((place, 0, 1, turn.text) for place, turn in enumerate(turns)))


def rows(texts: list[str], targets: list[str], groups: list[str | None]) -> Examples:
    ids = tuple(map(str, range(len(texts))))
    return Examples(ids, tuple(map(text_input, texts)), tuple(targets), ("und",) * len(ids), tuple(groups))


NEWS = rows(
    ["my card", "where is it", "我的密码", "alone", "快递"],
    [
        target((0, 3, 7, "THING")), target(), target((0, 2, 4, "物")),
        target((0, 0, 5, "THING")), target((0, 0, 2, "物")),
    ],
    ["a", "b", "a", None, "b"],
)  # fmt: skip


def test_a_document_is_the_rows_of_a_group_in_their_order() -> None:
    documents = Documents.of(NEWS, 9)
    assert documents.members == ((0, 2), (1, 4), (3,))
    assert [[turn.text for turn in turns] for turns in documents.inputs] == [
        ["my card", "我的密码"], ["where is it", "快递"], ["alone"]
    ]  # fmt: skip
    assert documents.examples.targets == (
        target((0, 3, 7, "THING"), (1, 2, 4, "物")), target((1, 0, 2, "物")), target((0, 0, 5, "THING"))
    )  # fmt: skip


def test_answers_come_back_to_their_rows_with_how_sure_each_is() -> None:
    documents = Documents.of(NEWS, 9)
    told = [
        Answer(text, 0.5, by_message=(0.5, 0.9)[: len(turns)])
        for text, turns in zip(documents.examples.targets, documents.inputs, strict=True)
    ]
    back = documents.by_row(told)
    assert [each.text for each in back] == list(NEWS.targets)
    assert [each.score for each in back] == [0.5, 0.5, 0.9, 0.5, 0.9]


def test_a_row_of_several_messages_keeps_its_own_counting() -> None:
    pair = (Turn("document", "my card"), Turn("user", "快递"))
    targets = (target(), target((1, 0, 2, "物")))
    several = Examples(("0", "1"), (text_input("it"), pair), targets, ("en", "zh"), ("a", "a"))
    documents = Documents.of(several, 9)
    assert documents.examples.targets == (target((2, 0, 2, "物")),)
    back = documents.by_row([Answer(documents.examples.targets[0], 1.0)])
    assert [each.text for each in back] == list(targets)


def test_a_row_that_occurs_twice_stands_in_two_copies_of_its_document() -> None:
    twice = Examples(("0", "1", "0"), (text_input("a"),) * 3, (target(),) * 3, ("en",) * 3, ("g", "g", "g"))
    assert Documents.of(twice, 9).members == ((0, 1), (2,))


def test_without_any_group_the_context_is_refused() -> None:
    with pytest.raises(UsageError, match="none of 1 rows has a group"):
        Documents.to_learn_from(rows(["a"], [target()], [None]), 4)


GROUPS = st.lists(st.sampled_from(["a", "b", "c", None]), min_size=1, max_size=12)


@given(GROUPS, st.integers(1, 5), st.data())
def test_rows_to_documents_and_back_is_no_change(
    groups: list[str | None], size: int, data: st.DataObject
) -> None:
    spans = [data.draw(st.booleans()) for _ in groups]
    targets = [target((0, 0, 1, "X")) if some else target() for some in spans]
    known = rows(["x"] * len(groups), targets, groups)
    documents = Documents.of(known, size)
    assert max(map(len, documents.members)) <= size
    assert sorted(row for rows in documents.members for row in rows) == list(range(len(known)))
    back = documents.by_row([Answer(text, 1.0) for text in documents.examples.targets])
    assert [each.text for each in back] == targets


@given(st.lists(st.integers(0, 7), max_size=5), st.integers(1, 4))
def test_a_document_in_pieces_and_whole_again_is_no_change(lengths: list[int], size: int) -> None:
    documents = [tuple(Turn("user", f"{number}") for number in range(length)) for length in lengths]
    pieces = Messages.of(documents, size)
    assert max(map(len, pieces.inputs), default=0) <= size
    told = [Answer(one_each(turns), 1.0, None, (1.0,) * len(turns)) for turns in pieces.inputs]
    whole = pieces.whole(told)
    assert [each.text for each in whole] == list(map(one_each, documents))
    assert [len(each.by_message) for each in whole] == lengths


def test_pieces_of_a_document_are_of_about_one_size() -> None:
    nine = rows(["x"] * 9, [target()] * 9, ["a"] * 9)
    assert [len(piece) for piece in Documents.of(nine, 4).members] == [3, 3, 3]


# --- what it brings --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bert(tmp_path_factory.mktemp("models") / "tiny")


def settings(tiny: Path, **fields: object) -> TrainSettings:
    return TrainSettings.model_validate(
        {
            "task": "ner", "features": "encoder", "backbone": str(tiny), "method": "full", "epochs": 25,
            "learning_rate": 0.02, "encoder_learning_rate": 0.003, "batch_size": 8, "dropout": 0.0, **fields,
        }
    )  # fmt: skip


def said_before() -> Examples:
    """`it` is a thing after a card, and 快 one after 密码; after anything else neither is."""
    texts: list[str] = []
    targets: list[str] = []
    for first, second, is_thing in (
        ("my card", "where is it", True), ("the parcel", "where is it", False),
        ("密码", "快", True), ("快递", "快", False),
    ) * 4:  # fmt: skip
        start = len(second) - (2 if second.endswith("it") else 1)
        texts += [first, second]
        targets += [target(), target((0, start, len(second), "THING")) if is_thing else target()]
    groups: list[str | None] = [str(place // 2) for place in range(len(texts))]
    return rows(texts, targets, groups)


def score(truth: object, predicted: object) -> float:
    return EntityF1().score(truth, predicted)  # pyright: ignore[reportArgumentType]


def test_what_only_the_neighbour_tells_is_learnt_with_context_alone(tiny: Path, tmp_path: Path) -> None:
    known = said_before()
    apart = train(settings(tiny), (known, known), seed=1, evaluate=score)
    together = train(settings(tiny, context=9, batch_size=4), (known, known), seed=1, evaluate=score)
    assert apart.dev_score < 0.8
    assert together.dev_score == 1
    told = together.answer(known)
    assert score(known.targets, told.answers) == 1
    together.save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert again.answer(known).answers == told.answers
    assert again.answer(known).best_scores.tolist() == told.best_scores.tolist()


def test_a_user_gives_a_document_as_messages(tiny: Path) -> None:
    known = said_before()
    model = train(settings(tiny, context=9, batch_size=4), (known, known), seed=1, evaluate=score)
    asked = (Turn("user", "my card"), Turn("user", "where is it"))
    assert json.loads(model.predict([asked]).answers[0])["spans"] == [
        {"message": 1, "start": 9, "end": 11, "label": "THING"}
    ]


def test_a_document_longer_than_the_encoder_reads_is_answered_whole(tiny: Path) -> None:
    known = said_before()
    one = Examples(known.ids, known.inputs, known.targets, known.languages, ("all",) * len(known))
    model = train(settings(tiny, context=9, max_tokens=16, batch_size=1), (one, one), seed=1, evaluate=score)
    assert len(model.answer(one)) == len(one)
    assert score(one.targets, model.answer(one).answers) > 0.5


def test_empty_rows_of_a_document_and_documents_of_none_answer_nothing(tiny: Path) -> None:
    known = said_before()
    model = train(settings(tiny, context=9, epochs=1), (known, known), seed=1, evaluate=score)
    empty = rows(["", " ", ""], [target()] * 3, ["a", "a", "b"])
    assert model.answer(empty).answers == (target(),) * 3
    assert len(model.answer(rows([], [], []))) == 0


def test_only_a_task_of_words_reads_groups() -> None:
    with pytest.raises(ValueError, match="context=9 is for task ner"):
        TrainSettings(features="ngrams", context=9)
