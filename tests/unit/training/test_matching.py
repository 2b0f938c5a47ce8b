"""Matching: the truth of a row, what is no negative, a pool that is saved, candidates of the input."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from tests.tiny_bert import write_tiny_bert  # noqa: E402
from zhiling.errors import UsageError  # noqa: E402
from zhiling.evaluation.metrics.ranking import Mrr, RecallAt1  # noqa: E402
from zhiling.rows.templates.example import Turn  # noqa: E402
from zhiling.training import (  # noqa: E402
    Examples,
    Input,
    TrainSettings,
    choosing_from,
    load,
    task_class,
    text_input,
    train,
)
from zhiling.training.answers.pairs_to_learn import Questions, mined  # noqa: E402
from zhiling.training.answers.ranking import candidates, question_text, ranked  # noqa: E402
from zhiling.training.fit import build_features  # noqa: E402
from zhiling.training.model import TaskModel  # noqa: E402
from zhiling.training.prompting.demonstrations import Demonstrations  # noqa: E402
from zhiling.training.prompting.pieces import Pieces  # noqa: E402
from zhiling.training.prompting.settings import PromptSettings  # noqa: E402
from zhiling.training.prompting.verbaliser import Verbaliser  # noqa: E402
from zhiling.training.prompting.way import Known  # noqa: E402

REPLIES = {
    "the parcel is on its way": ["where is my parcel", "快递在哪里", "parcel not here"],
    "请重置密码": ["reset the password", "密码忘了", "how to reset"],
    "we block the card": ["my card is lost", "卡丢了", "lost card"],
}


def asked(question: str, reply: str) -> Input:
    return (Turn("user", question), Turn("assistant", reply))


def answers(*texts: str) -> str:
    told = {"answers": [{"text": text} for text in texts]}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


def examples(rows: list[tuple[Input, str]], groups: tuple[str | None, ...] = ()) -> Examples:
    return Examples(
        tuple(map(str, range(len(rows)))), tuple(turns for turns, _ in rows),
        tuple(target for _, target in rows), ("und",) * len(rows), groups,
    )  # fmt: skip


ROWS = examples(
    [(asked(text, reply), answers(reply)) for reply, texts in REPLIES.items() for text in texts] * 3
)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bert(tmp_path_factory.mktemp("models") / "tiny")


def settings(**fields: object) -> TrainSettings:
    return TrainSettings.model_validate(
        {
            "task": "matching", "features": "ngrams", "epochs": 6, "batch_size": 8, "dropout": 0.0,
            "ngram_min_rows": 1, **fields,
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    "chosen",
    [
        {"features": "ngrams"},
        {"features": "both", "method": "frozen"},
        {"features": "encoder", "method": "full", "epochs": 20, "encoder_learning_rate": 0.003},
        {"features": "both", "method": "lora"},
    ],
)
def test_questions_find_their_answers_and_a_saved_model_says_the_same(
    tiny: Path, tmp_path: Path, chosen: dict[str, object]
) -> None:
    backbone = None if chosen["features"] == "ngrams" else str(tiny)
    model = train(settings(backbone=backbone, **chosen), (ROWS, ROWS), seed=1, evaluate=RecallAt1().score)
    assert model.dev_score == 1
    told = model.predict(ROWS.inputs, batch_size=5)
    assert RecallAt1().score(ROWS.targets, told.answers) == 1
    first = json.loads(told.answers[0])["answers"]
    assert first[0]["text"] == "the parcel is on its way"
    assert len(first) == len(REPLIES)
    assert sum(each["score"] for each in first) == pytest.approx(1, abs=1e-4)
    model.save(tmp_path / "model")
    assert load(tmp_path / "model").predict(ROWS.inputs, batch_size=7).answers == told.answers


def test_the_best_epochs_weights_and_the_kept_pool_belong_together() -> None:
    scores = iter([1.0, 0.0, 0.0])
    model = train(settings(epochs=3), (ROWS, ROWS), seed=1, evaluate=lambda *_: next(scores))
    kept = model.model.head.pool.clone()
    model.model.settle()
    assert torch.equal(kept, model.model.head.pool)


def test_a_batch_in_pieces_has_the_negatives_of_the_whole() -> None:
    curves = [
        [record.loss for record in train(
            settings(epochs=3, accumulate=pieces), (ROWS, ROWS), seed=1, evaluate=RecallAt1().score
        ).history]
        for pieces in (1, 4)
    ]  # fmt: skip
    assert curves[1] == pytest.approx(curves[0], rel=1e-4)


def brings(question: str, *options: str) -> Input:
    return (Turn("user", question), *(Turn("user", option, "choice") for option in options))


def test_candidates_of_the_input_are_ranked_and_their_places_may_tell() -> None:
    rows = examples(
        [
            (brings(f"message {number}", f"reply {number % 3}", "noise", "退款"), answers("noise"))
            for number in range(30)
        ]
    )
    shuffled = [brings("new", "退款", "other", "noise"), brings("?", "甲", "乙")]
    model = train(
        settings(places=True, epochs=40, learning_rate=0.02, weight_decay=0.0), (rows, rows),
        seed=1, evaluate=Mrr().score,
    )  # fmt: skip
    assert model.dev_score == 1
    assert model.model.head.places is not None
    assert int(model.model.head.places.argmax()) == 1
    told = [json.loads(each)["answers"] for each in model.predict(shuffled).answers]
    assert [len(each) for each in told] == [3, 2]
    assert {each["text"] for each in told[1]} == {"甲", "乙"}
    with pytest.raises(UsageError, match="chooses among candidates that the input brings"):
        model.predict(["no candidates"])


def test_a_model_with_a_pool_ranks_candidates_too() -> None:
    model = train(settings(), (ROWS, ROWS), seed=1, evaluate=RecallAt1().score)
    both = model.predict([brings("卡丢了", "we block the card", "x"), text_input("卡丢了")])
    assert [len(json.loads(each)["answers"]) for each in both.answers] == [2, 3]


def test_other_answers_may_be_given_to_a_model(tiny: Path) -> None:
    model = train(settings(), (ROWS, ROWS), seed=1, evaluate=RecallAt1().score)
    other = choosing_from(model, ["we block the card", "new", "", "new "])
    told = json.loads(other.predict(["卡丢了"]).answers[0])["answers"]
    assert [each["text"] for each in told] == ["we block the card", "new"]
    assert len(json.loads(model.predict(["卡丢了"]).answers[0])["answers"]) == len(REPLIES)
    for wrong in ([], ["  "]):
        with pytest.raises(UsageError, match="0 answers to choose from"):
            choosing_from(model, wrong)
    prompted = train(
        settings(features="encoder", backbone=str(tiny), prompting={}), (ROWS, ROWS), seed=1,
        evaluate=RecallAt1().score,
    )  # fmt: skip
    told = json.loads(choosing_from(prompted, ["甲", "乙"]).predict(["卡丢了"]).answers[0])["answers"]
    assert {each["text"] for each in told} == {"甲", "乙"}


def test_what_is_right_elsewhere_is_no_negative() -> None:
    rows = examples(
        [
            (asked("where is it", "a"), answers("a")),
            (asked("where is it", "b"), answers("b")),  # the same question
            (asked("another", "c"), answers("c")),  # of the first one's group
            (asked("lost", "d"), answers("d")),
        ],
        ("chat 1", None, "chat 1", None),
    )
    task = task_class("matching").learn(rows, settings(hard_negatives=3))
    model = TaskModel(task, build_features(settings(), task, rows))
    material = task.material(model, rows)
    assert isinstance(material, Questions)
    wanted = task.truths(rows, material)
    assert [sorted(each.closed) for each in wanted] == [[1, 2], [0], [0], []]
    assert [sorted(each[1:]) for each in material.drawn] == [[3], [2, 3], [1, 3], [0, 1, 2]]
    batch = material.take([0, 3])
    assert (len(batch), batch.answers) == (2, (0, 1, 2, 3))
    with torch.no_grad():
        outputs = model(batch)
    closed = outputs.scores[0, [0, 3]].logsumexp(0) - outputs.scores[0, 0]
    whole = outputs.scores[1].logsumexp(0) - outputs.scores[1, 3]
    assert task.loss(outputs, [wanted[0], wanted[3]]).item() == pytest.approx(
        float(closed + whole) / 2, rel=1e-5
    )


def test_mined_are_the_best_scored_that_are_not_right() -> None:
    scores = np.array([[0.9, 0.8, 0.7, 0.1]] * 2, np.float32)
    found = mined(lambda first, last: scores[first:last].copy(), [{0}, {1, 2, 3}], 2)
    assert [sorted(each) for each in found] == [[1, 2], [0]]
    assert mined(lambda *_: scores, [{0}, {1}], 0) == [(), ()]


@pytest.mark.parametrize(
    ("document", "turns", "told"),
    [
        (None, asked("hi", " hello "), answers("hello")),
        ('{"choice": 1}', brings("q", "a", "b"), answers("b")),
        ('{"answers": [{"text": "东"}]}', text_input("哪边"), answers("东")),
        ('{"labels": ["x"]}', text_input("q"), None),
        (None, text_input("q"), None),
        (None, (*asked("a", "b"), Turn("user", "nobody answered")), None),
    ],
)
def test_the_truth_of_a_row(document: str | None, turns: Input, told: str | None) -> None:
    assert task_class("matching").of_row(document, turns) == told


def test_a_question_is_what_users_say_the_latest_first() -> None:
    turns = (*asked("my order", "which one?"), Turn("user", "the lamp"), Turn("user", "a", "choice"))
    assert question_text(turns) == "the lamp\nmy order"
    assert candidates(turns) == ["a"]


def test_a_ranking_tells_ten_distinct_texts() -> None:
    found = ranked(["x", "x", *map(str, range(12))], np.arange(14, 0, -1).astype(np.float32))
    assert [each.text for each in found.answers] == ["x", *map(str, range(9))]


def test_untuned_ranks_by_cosine() -> None:
    vectors = {"q": [1, 0], "far": [0, 1], "near": [1, 0]}

    def encode(texts: object) -> np.ndarray:
        return np.array([vectors[text] for text in texts], np.float32)

    rows = examples([(text_input("q"), answers("near")), (brings("q", "far"), answers("far"))])
    asked = PromptSettings()
    chosen = Demonstrations.of(rows, asked, seed=0)
    known = Known("matching", asked, Verbaliser({}), chosen, answers=("far", "near"))
    told = Pieces(known, encode).answers(rows.inputs)
    assert [[each["text"] for each in json.loads(one.text)["answers"]] for one in told] == [
        ["near", "far"],
        ["far"],
    ]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([(asked("a", "same"), answers("same")), (asked("b", "same"), answers("same"))], "1 distinct answer"),
        (
            [(brings("a", "x"), answers("x")), (asked("b", "y"), answers("y"))],
            "1 of 2 training examples bring",
        ),
        ([(brings("a", "x"), answers("y"))], "1 of 1 training examples have no right answer"),
    ],
)
def test_what_cannot_be_learnt_is_refused(rows: list[tuple[Input, str]], message: str) -> None:
    found = examples(rows)
    with pytest.raises(UsageError, match=message):
        train(settings(), (found, found), seed=1, evaluate=Mrr().score)


def test_answers_that_no_training_row_has_are_counted() -> None:
    dev = examples([(asked("where", "new answer"), answers("new answer"))])
    model = train(settings(epochs=1), (ROWS, dev), seed=1, evaluate=Mrr().score)
    assert model.unseen == {"an answer that no training row has": 1}
