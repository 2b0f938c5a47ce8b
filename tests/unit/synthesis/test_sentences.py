"""Which rows are single sentences, labelled or not, in two languages."""

from __future__ import annotations

import polars as pl
import pytest

from zhiling.rows.schema import ROW, conform
from zhiling.synthesis.sentences import alone, seeds_of, utterances_of

Message = dict[str, object]


def user(text: str, **more: object) -> Message:
    return {"role": "user", "text": text, **more}


def frame(*rows: tuple[list[Message], str | None, str | None]) -> pl.DataFrame:
    told = [
        {"id": f"{len(rows) - number:032x}", "messages": messages, "task": task, "target": target}
        for number, (messages, task, target) in enumerate(rows)
    ]
    names = ("id", "messages", "task", "target")
    own = conform(pl.DataFrame(told, schema={name: ROW[name] for name in names}))
    none = pl.Series("group", [None] * len(rows), dtype=pl.String)
    return own.with_columns(none, pl.lit("s").alias("source"))


CARD = '{"labels":["card"]}'
PICTURE = {"kind": "image", "path": "a.png", "sha256": "0" * 64, "at": None}


@pytest.mark.parametrize(
    ("messages", "task", "target", "wanted"),
    [
        ([user("my card is lost")], "classification", CARD, True),
        ([user("我的卡丢了")], "utterance", None, True),
        ([user("我的卡丢了")], "classification", None, False),
        ([user("my card")], "classification", '{"labels":["card"],"template":{}}', False),
        ([user("my card"), {"role": "assistant", "text": "好的"}], "classification", CARD, False),
        ([user("a"), user("b")], "utterance", None, False),
        ([{"role": "document", "text": "我的卡丢了"}], "utterance", None, False),
        ([user("卡", media=[PICTURE])], "classification", CARD, False),
        ([user("my card is lost")], "passage", None, False),
        ([user("my card is lost")], None, None, False),
    ],
)
def test_a_sentence_is_one_message_of_the_user(
    messages: list[Message], task: str | None, target: str | None, wanted: bool
) -> None:
    assert alone(frame((messages, task, target))).to_list() == [wanted]


def test_sentences_come_by_id_and_texts_with_all_who_say_them() -> None:
    rows = frame(
        ([user("my card is lost")], "classification", CARD),
        ([user("卡丢了")], "classification", CARD),
        ([user("where is it?")], "utterance", None),
        ([user("  ")], "utterance", None),
        ([user("快递到了吗")], "utterance", None),
        ([user("where is it?")], "utterance", None),
    )
    assert [seed.text for seed in seeds_of(rows)] == ["卡丢了", "my card is lost"]
    assert seeds_of(rows)[0].truth.labels == ["card"]
    assert utterances_of(rows) == {
        "where is it?": [f"{number:032x}" for number in (1, 4)],
        "快递到了吗": [f"{2:032x}"],
    }
    assert utterances_of(rows) == utterances_of(rows.reverse())
