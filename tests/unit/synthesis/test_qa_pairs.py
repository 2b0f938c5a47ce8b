"""Question and best-answer pairs: outcomes from fields and words, issues, ranking, parents, in any order."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.synthesis.support_logs import chat, log_rows, texts
from zhiling.encoders.hashing import HashingEncoder
from zhiling.pipeline.step import Context
from zhiling.synthesis.exchanges import Conversation, Exchange, conversations
from zhiling.synthesis.issues import issues
from zhiling.synthesis.near_questions import agreement, near_groups
from zhiling.synthesis.outcomes import outcomes
from zhiling.synthesis.qa_pairs import QaPairs
from zhiling.synthesis.resolution import Resolution

CONTEXT = Context(step_id="pairs", load_encoder=HashingEncoder)

ENGLISH = chat(
    "How do I reset the lock?",
    "Could you tell me which model you have?",
    "The Keepsafe.",
    "Hold the button for fifteen seconds.",
    "Still not working.",
    "Then take the batteries out first, wait a minute and hold it again.",
    "That worked, thank you!",
)
CHINESE = chat(
    "门锁怎么重置？",
    "请问您的型号是什么？",
    "是守家那款",
    "请按住重置键十五秒。",
    "试过了，还是不行",
    "请先取出电池等一分钟，再按一次。",
    "好了，谢谢！",
)


def spoken(*said: str, **signals: object) -> Conversation:
    exchanges = [Exchange(0, *said[n : n + 2], dict(signals)) for n in range(0, len(said) - 1, 2)]
    return Conversation(exchanges, said[-1] if len(said) % 2 else "")


@pytest.mark.parametrize("log", [ENGLISH, CHINESE])
def test_the_answer_that_solved_it_is_paired_with_the_first_question(log: dict, tmp_path: Path) -> None:
    rows = log_rows(tmp_path, log)
    made = QaPairs().make(rows, CONTEXT).rows
    assert made.height == 1
    pair = made.row(0, named=True)
    said = [turn.partition(": ")[2] for turn in log["turns"]]
    assert texts(pair["messages"]) == [f"{said[0]}\n{said[2]}", said[5]]
    assert [texts(each["messages"]) for each in pair["alternatives"]] == [[said[3]]]
    assert [(each["kind"], each["rank"]) for each in pair["alternatives"]] == [("ranked", 2)]
    assert pair["parents"][0] == "r2"
    assert sorted(pair["parents"]) == ["r0", "r1", "r2", "r3"]
    assert json.loads(pair["extra"])["answers"] == 2


@pytest.mark.parametrize(
    ("conversation", "score"),
    [
        (spoken("Where is it?", "On its way."), 0.5),
        (spoken("Where is it?", "On its way.", "Thanks!"), 0.881),
        (spoken("在哪里？", "在路上。", "谢谢"), 0.881),
        (spoken("Where is it?", "On its way.", "You said that yesterday, still nothing here"), 0.047),
        (spoken("在哪里？", "在路上。", "昨天就这么说，还是没到"), 0.047),
        (spoken("Where is it?", "On its way.", resolved=True), 0.953),
        (spoken("Where is it?", "On its way.", resolved="no"), 0.018),
        (spoken("在哪里？", "在路上。", 是否解决="未解决"), 0.018),
        (spoken("Where is it?", "On its way.", rating=5), 0.953),
        (spoken("Where is it?", "On its way.", rating=1), 0.047),
        (spoken("在哪里？", "在路上。", 满意度="不满意"), 0.047),
        (spoken("Where is it?", "On its way.", rating=0.0), 0.047),
        (spoken("Where is it?", "On its way.", rating="n/a"), 0.5),
        (spoken("Where is it?", "On its way.", "And the other one?"), 0.574),
        (spoken("在哪里？", "在路上。", "另外一件呢？"), 0.574),
        (spoken("Where is it?", "I'm afraid we cannot say."), 0.182),
        (spoken("在哪里？", "抱歉，我这边查不到。"), 0.182),
    ],
)
def test_signs_move_the_score(conversation: Conversation, score: float) -> None:
    assert outcomes(conversation)[-1].score == pytest.approx(score, abs=5e-4)


@pytest.mark.parametrize(
    ("answer", "holds"),
    [
        ("Did you get any error messages? -Allan", True),
        ("I can help. Is there an open order?", True),
        ("One moment please.", True),
        ("请问是哪个订单？", True),
        ("请稍等，我查一下", True),
        ("麻烦提供一下订单号", True),
        ("It comes tomorrow. Anything else I can do?", False),
        ("明天送到，请问还有什么可以帮您？", False),
        ("It comes tomorrow.", False),
        ("明天送到。", False),
    ],
)
def test_asking_back_is_no_answer(answer: str, holds: bool) -> None:
    assert outcomes(spoken("Where is it?", answer))[0].holds == holds


def test_a_later_complaint_takes_the_solution_back() -> None:
    thanked = spoken("Where is it?", "On its way.", "Thanks!", "You are welcome.")
    back = spoken("Where is it?", "On its way.", "Thanks!", "You are welcome.", "It's still not here!")
    assert outcomes(thanked)[0].status == "resolved"
    assert outcomes(back)[0].signs == ("confirmed", "later_complaint")
    assert outcomes(back)[0].status == "unresolved"


def test_the_best_of_several_answers_stands_first_and_unresolved_alone_makes_nothing(tmp_path: Path) -> None:
    rows = log_rows(
        tmp_path,
        chat("How long does a refund take?", "Five working days.", rating=5),
        chat("how long does a refund take", "Five working days after the check.", rating=4),
        chat("How long does a refund take??", "No idea, ask the bank.", rating=1),
        chat("Can I change the colour of the hub?", "I'm afraid we cannot do that.", resolved=False),
    )
    made = QaPairs().make(rows, CONTEXT).rows
    assert made.height == 1
    pair = made.row(0, named=True)
    assert texts(pair["messages"])[1] == "Five working days."
    ranked = [(texts(each["messages"])[0], each["rank"]) for each in pair["alternatives"]]
    assert ranked == [("Five working days after the check.", 2), ("No idea, ask the bank.", 3)]
    scores = [each["score"] for each in pair["alternatives"]]
    assert scores == sorted(scores, reverse=True)
    assert sorted(pair["parents"]) == ["r0", "r1", "r2"]


def test_other_numbers_are_other_questions(tmp_path: Path) -> None:
    asked = ("Is order 5512 on its way?", "Is order 5513 on its way?")
    rows = log_rows(tmp_path, *(chat(question, "Yes.", rating=5) for question in asked))
    assert QaPairs().make(rows, CONTEXT).rows.height == 2


def test_every_question_on_request(tmp_path: Path) -> None:
    log = chat("退货要运费吗？", "不要。", "几天退款？", "五个工作日。", "谢谢")
    assert QaPairs().make(log_rows(tmp_path, log), CONTEXT).rows.height == 1
    every = QaPairs(questions="every").make(log_rows(tmp_path, log), CONTEXT).rows
    assert sorted(map(texts, every["messages"].to_list())) == [
        ["几天退款？", "五个工作日。"],
        ["退货要运费吗？", "不要。"],
    ]


@pytest.mark.parametrize("settings", [{"each": "reply"}, {"each": "conversation"}, {"context": 2}])
def test_a_conversation_is_put_together_from_its_rows(settings: dict, tmp_path: Path) -> None:
    rows = log_rows(tmp_path, ENGLISH, CHINESE, **settings)
    found = conversations(rows)
    said = [turn.partition(": ")[2] for log in (ENGLISH, CHINESE) for turn in log["turns"]]
    assert [len(each.exchanges) for each in found] == [3, 3]
    together = [text for each in found for pair in each.exchanges for text in (pair.question, pair.answer)]
    assert sorted([*together, *(each.closing for each in found)]) == sorted(said)
    shuffled = rows.sample(fraction=1, shuffle=True, seed=4)
    assert [each.closing for each in conversations(shuffled)] == [each.closing for each in found]


def test_only_held_questions_have_no_answer(tmp_path: Path) -> None:
    rows = log_rows(tmp_path, chat("Where is it?", "One moment please."), chat("在哪？", "请稍等"))
    assert QaPairs(least_outcome=0).make(rows, CONTEXT).rows.is_empty()


def test_resolution_tells_what_it_rests_on(tmp_path: Path) -> None:
    rows = log_rows(
        tmp_path, chat("Hello?", "Hold the button.", "That worked, thanks"), chat("在吗？", "在的。")
    )
    answer = Resolution().measure(rows, CONTEXT)
    # the customer's last words, which nobody answered, go with the answer before
    assert answer["status"].to_list() == ["resolved", "resolved", "unclear"]
    assert answer["signs"].to_list() == [["confirmed"], ["confirmed"], []]


def test_the_order_of_rows_changes_no_pair(tmp_path: Path) -> None:
    logs = [ENGLISH, CHINESE, chat("How do I reset the lock", "Hold the button.", rating=5)]
    rows = log_rows(tmp_path, *logs)
    made = QaPairs().make(rows, CONTEXT).rows
    for seed in range(3):
        again = QaPairs().make(rows.sample(fraction=1, shuffle=True, seed=seed), CONTEXT).rows
        same = [column for column in made.columns if column != "parents"]
        assert again.select(same).equals(made.select(same))
        assert [sorted(row) for row in again["parents"]] == [sorted(row) for row in made["parents"]]


@given(st.lists(st.text(alphabet="ab1 问", max_size=6), max_size=30), st.floats(0, 1))
def test_each_text_is_in_one_group_and_near_to_its_first(found: list[str], cosine: float) -> None:
    vectors = HashingEncoder(buckets=64).encode(found)
    groups = near_groups(found, vectors, cosine)
    assert sorted(row for group in groups for row in group) == list(range(len(found)))
    assert all(vectors[group[0]] @ vectors[row] >= cosine - 1e-6 for group in groups for row in group[1:])


@given(
    st.lists(
        st.sampled_from(["thanks", "still not", "谢谢", "还是不行", "and the price?", "请稍等", "ok"]),
        max_size=9,
    )
)
def test_every_answer_is_tried_or_held_or_thanked(said: list[str]) -> None:
    conversation = spoken("Where is it?", "There.", *said)
    told = outcomes(conversation)
    tried = [each.exchange for issue in issues(conversation, told) for each in issue.tries]
    assert tried == sorted(set(tried))
    assert all(0 <= outcome.score <= 1 for outcome in told)
    assert len(told) == len(conversation.exchanges)


def test_agreement_of_one_and_of_equals() -> None:
    vectors = HashingEncoder().encode(["five days", "five days", "ask the bank"])
    assert agreement(vectors[:1]).tolist() == [1]
    agreed = agreement(vectors)
    assert agreed[0] == pytest.approx(agreed[1])
    assert agreed[0] > agreed[2]
