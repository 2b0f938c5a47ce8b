"""What is asked of a language model, and what its likelihoods and replies are taken for."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from numpy.typing import NDArray

from tests.tiny_lm import TEMPLATE, write_tiny_lm
from zhiling.errors import UsageError
from zhiling.rows.target import Answer, Answers, Entities, Place, Relations, Span, Triple, spelled
from zhiling.rows.templates.example import Turn
from zhiling.training import Examples, Input, text_input
from zhiling.training.prompting.asking import UNREAD, Asking
from zhiling.training.prompting.demonstrations import Demonstrations
from zhiling.training.prompting.language_model import Turns, local_model
from zhiling.training.prompting.prompted import prompt
from zhiling.training.prompting.prompts import UNTOLD
from zhiling.training.prompting.settings import PromptSettings
from zhiling.training.prompting.verbaliser import Verbaliser
from zhiling.training.prompting.way import Known
from zhiling.training.settings import TrainSettings

Score = Callable[[str, str], float]


class Told:
    """A model whose likelihoods and replies are functions of what it reads last."""

    def __init__(self, score: Score = lambda _asked, _reply: 0.0, reply: str = "") -> None:
        self.score, self.reply = score, reply
        self.read: list[Turns] = []

    def tokens_over(self, turns: Turns, replies: Sequence[str]) -> int:
        """Everything fits."""
        return -1

    def scores(self, turns: Turns, replies: Sequence[str]) -> NDArray[np.float64]:
        """By the function."""
        self.read.append(turns)
        return np.array([self.score(turns[-1][1], reply) for reply in replies])

    def written(self, turns: Turns, max_tokens: int) -> str:
        """The reply."""
        self.read.append(turns)
        return self.reply


def examples(*rows: tuple[Input | str, str]) -> Examples:
    return Examples(
        tuple(map(str, range(len(rows)))),
        tuple(text_input(turns) if isinstance(turns, str) else turns for turns, _ in rows),
        tuple(target for _, target in rows), ("und",) * len(rows),
    )  # fmt: skip


def known(task: str, rows: Examples, labels: Sequence[str] = (), **asked: Any) -> Known:
    settings = PromptSettings.model_validate({"model": "of the test", **asked})
    numbers = tuple(sorted(map(float, rows.targets))) if task == "regression" else ()
    chosen = Demonstrations.of(rows, settings, 0)
    return Known(task, settings, Verbaliser.of(labels, None), chosen, numbers)


def asked_of(question: str, *options: str) -> Input:
    return (Turn("user", question, "question"), *(Turn("user", option, "choice") for option in options))


def bias(asked: str, reply: str) -> float:
    """ "good" has a head start of 3 whatever is asked; the text itself speaks for its label with 2."""
    return 3.0 * (reply == "good") + 2.0 * (
        (reply == "bad" and "awful" in asked) or (reply == "good" and "fine" in asked)
    )


def test_calibration_takes_a_head_start_away() -> None:
    texts = [text_input("awful 很差"), text_input("fine 很好")]
    plain = Asking(known("classification", examples(), ["good", "bad"]), Told(bias)).answers(texts)
    assert [each.text for each in plain] == ["good", "good"]
    fair = Asking(known("classification", examples(), ["good", "bad"], calibrate=True), Told(bias)).answers(
        texts
    )
    assert [each.text for each in fair] == ["bad", "good"]
    assert fair[0].score == pytest.approx(fair[1].score)


def test_each_label_stands_against_none() -> None:
    def likely(asked: str, reply: str) -> float:
        return {"late": 1.0, "broken": 2.0, "rude": -1.0}.get(reply, 0.0)

    found = Asking(known("multi_label", examples(), ["late", "broken", "rude"]), Told(likely)).answers(
        [text_input("x")]
    )
    assert json.loads(found[0].text)["labels"] == ["broken", "late"]
    assert found[0].scores == pytest.approx([1 / (1 + np.exp(-2)), 1 / (1 + np.exp(-1)), 1 / (1 + np.exp(1))])


def test_a_number_is_the_mean_by_likelihood() -> None:
    rows = examples(("a", "1.0"), ("b", "5.0"))
    told = Told(lambda _asked, reply: np.log(3) if reply == "5" else 0.0)
    assert Asking(known("regression", rows), told).answers([text_input("很好")])[0].text == "4.0"


def test_options_are_told_by_their_letters_and_stay_in_an_input_without_content() -> None:
    turns = (
        Turn("user", "汤用什么喝？", "question"),
        Turn("user", "勺子", "choice"),
        Turn("user", "鞋", "choice"),
    )
    model = Told(lambda asked, reply: 1.0 * (reply == "B") + 2.0 * (reply == "A" and "汤" in asked))
    found = Asking(known("choice", examples(), calibrate=True), model).answers([turns])
    assert found[0].text == '{"choice":0}'
    assert all("A. 勺子" in asked[-1][1] for asked in model.read)


PASSAGE = (Turn("document", "王强住在青岛。", "context"), Turn("user", "王强住在哪里？", "question"))


@pytest.mark.parametrize(
    ("task", "turns", "reply", "truth"),
    [
        ("ner", text_input("Ann met Bo and Ann"), "person: Ann\nperson: Bo\nperson: Ann",
         Entities(spans=[Span(message=0, start=0, end=3, label="person"),
                         Span(message=0, start=8, end=10, label="person"),
                         Span(message=0, start=15, end=18, label="person")])),
        ("ner", text_input("没有人"), "无", None),
        ("extractive_qa", PASSAGE, "青岛",
         Answers(answers=[Answer(text="青岛", place=Place(message=0, start=4, end=6))])),
        ("relation", text_input("Ann works at Lind"), "Ann | works at | Lind",
         Relations(relations=[Triple(subject="Ann", relation="works at", object="Lind",
                                     subject_place=Place(message=0, start=0, end=3),
                                     object_place=Place(message=0, start=13, end=17))])),
        ("relation", text_input("Ann works at Lind"), "Ann | knows | Lind", None),
    ],
)  # fmt: skip
def test_what_is_written_is_read_with_its_places_or_not_at_all(
    task: str, turns: Input, reply: str, truth: Entities | Answers | Relations | None
) -> None:
    given = known(
        task, examples(), ["person"] if task == "ner" else ["works at"] if task == "relation" else []
    )
    found = Asking(given, Told(reply=reply)).answers([turns])[0]
    if truth is not None:
        assert found.text == spelled(truth)
        assert not given.notes[UNREAD]
    elif reply != "无":
        assert given.notes[UNREAD] == 1


def test_a_demonstration_that_the_wording_cannot_tell_is_left_out_and_counted() -> None:
    twice = (
        Turn("user", "Which?", "question"),
        Turn("user", "same", "choice"),
        Turn("user", "same", "choice"),
    )
    fine = (Turn("user", "Which?", "question"), Turn("user", "one", "choice"), Turn("user", "two", "choice"))
    given = known(
        "choice",
        examples((twice, '{"choice":0}'), (fine, '{"choice":1}')),
        shots=2,
        choose="random",
        wording="words",
    )
    model = Told()
    Asking(given, model).answers([fine])
    assert given.notes[UNTOLD] == 1
    assert [role for role, _ in model.read[0]] == ["user", "assistant", "user"]


OWN = """
task: classification
wordings:
  - id: mine
    language: en
    shape: labels
    input: "Say what this is: {input}"
    after: '[[none|Say "{none}" where you cannot tell.]]'
    none: nothing
"""


def test_wordings_of_ones_own_are_saved_with_the_model(tmp_path: Path) -> None:
    from zhiling.training import load

    (tmp_path / "own.yaml").write_text(OWN, encoding="utf-8")
    lm = write_tiny_lm(tmp_path / "lm", positions=512)
    asked = {
        "model": str(lm),
        "wording": "mine",
        "own_wordings": [str(tmp_path / "own.yaml")],
        "language": "en",
    }
    settings = TrainSettings.model_validate({"task": "classification", "prompting": asked})
    rows = examples(("lost", "card"), ("late", "parcel"))
    made = prompt(settings, (rows, examples()), seed=0, evaluate=None)
    told = made.predict(["where is it"])
    made.save(tmp_path / "saved")
    (tmp_path / "own.yaml").unlink()
    assert load(tmp_path / "saved").predict(["where is it"]).answers == told.answers
    other = PromptSettings.model_validate({"model": str(lm), "wording": "yours"})
    bad = settings.model_copy(update={"prompting": other})
    found = prompt(bad, (rows, examples()), seed=0, evaluate=None)
    with pytest.raises(UsageError, match="no wording yours of task 'classification'"):
        found.predict(["x"])


def test_a_chat_model_is_asked_by_its_template_and_its_end_counts(tmp_path: Path) -> None:
    folder = write_tiny_lm(tmp_path / "lm", template=TEMPLATE, beginning=True, positions=256)
    model = local_model(PromptSettings.model_validate({"model": str(folder)}))
    turns = [("user", "卡丢了"), ("assistant", "card"), ("user", "where")]
    short, long = model.scores(turns, ["card", "cards"])
    assert model._ending(turns) == "\n"
    assert short != long
    whole = model.model.tokenise(["<user>卡丢了\n<assistant>card\n<user>where\n<assistant>"])[0]
    alone = model.model.score([model.model.reply_span(whole, model.model.tokenise(["card\n"])[0])])
    assert short == pytest.approx(alone.sums[0], abs=1e-4)
    assert model.tokens_over(turns, ["card"]) == len(whole) + 5 - 256
    with pytest.raises(UsageError, match="takes no conversation"):
        model.scores([("tool", "x")], ["y"])
