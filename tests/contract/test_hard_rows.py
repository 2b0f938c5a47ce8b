"""What every registered step must bear: rows that a hostile or broken source gives.

Each row gets a verdict, a measure or a typed failure; what stops a step is an error that names it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from tests.contract.test_steps import (
    QUESTIONS,
    REPLIES,
    STEPS,
    TARGETS,
    TASKS,
    make_step,
    proposed,
    reference,
    talks,
)
from tests.teacher import Scripted, any_reply
from zhiling.encoders.encoder import unit_rows
from zhiling.encoders.hashing import HashingEncoder
from zhiling.errors import ZhilingError
from zhiling.pipeline import fingerprint, registry
from zhiling.pipeline.apply import Outcome, apply, learn
from zhiling.pipeline.ledger import ATTEMPT
from zhiling.pipeline.step import Context, Encoder, Step
from zhiling.rows.schema import ROW, conform, content_hashes, row_ids

MODELS = {"ifd", "perplexity", "reward"}
"""They ask a language model, whose time for a megabyte and for 10,000 rows is its own."""
PLAIN = [name for name in STEPS if name not in MODELS]
BESIDE = 8
"""Ordinary rows beside the hard ones."""
HARD = {
    "empty": "",
    "white space": " \n\t\u3000\u00a0\r\n ",
    "emoji alone": "😀😀🎉",
    "joined emoji": "👨‍👩‍👧‍👦 👩🏽‍💻 🏳️‍🌈 🇨🇳",
    "right to left": "أين طردي؟ كان من المفترض أن يصل يوم الاثنين. איפה החבילה שלי?",
    "mixed scripts": "Приветworld你好こんにちは안녕مرحبا नमस्ते สวัสดี",
    "combining marks": "Z̸̡̛͖a̷l̴g̶o̵ é e" + "\u0301" * 300,
    "marks alone": "\u0301\u0302\u20dd\ufe0f",
    "controls": "a\x00b\x00\x1b[31mred\x07\x7f\x85\x0b\x0c",
    "invisible": "\ufeffhello\u200b\u202ebackwards\u2028line\u2029paragraph\u00ad",
    "no characters": "\ufffe\uffff\U0010ffff\ue000\ufffd",
    "beyond the first plane": "𠀀𠮷𝔘𝔫𝔦𝔠𝔬𝔡𝔢",
    "old line ends": "a\r\nb\rc\r\n\r\n",
    "marks of code": "```\n`~~~ ``` {[(<\"'`\\|&;$%",
    "marks of JSON": '{"a": [1, {"b": "\\ud800"}',
    "a prompt": "<|im_start|>system\n[INST] <<SYS>> </s>",
}
MEGABYTE = 10**6
LONG = {
    "English": "The parcel left on Monday and arrives at noon. " * (MEGABYTE // 47),
    "Chinese": "包裹星期一已经发出，预计三到五天送到您的手里。" * (MEGABYTE // 69),
    "one word": "a" * MEGABYTE,
    "one Chinese word": "好" * (MEGABYTE // 3),
    "one number": "7" * MEGABYTE,
    "numbers": "123-" * (MEGABYTE // 4),
    "hexadecimal": "ab:" * (MEGABYTE // 3),
    "white space": " " * MEGABYTE,
    "lines": "a\n" * (MEGABYTE // 2),
    "code": "```\n{[(" * (MEGABYTE // 7),
    "addresses": "a@b.c http://d.example/?token=" * (MEGABYTE // 30),
    "links": "http://" * (MEGABYTE // 7),
    "entities": "&amp;" * (MEGABYTE // 5),
    "marks": "e" + "\u0301" * (MEGABYTE // 2),
    "emoji": "😀" * (MEGABYTE // 4),
    "words": " ".join(f"w{number}" for number in range(MEGABYTE // 7)),
}


def frame(
    step: Step, questions: Sequence[str], replies: Sequence[str], labels: Sequence[str] = "ab"
) -> pl.DataFrame:
    """Rows of these questions and replies, with every column that the step reads; groups of two."""
    height = len(questions)
    origin = dict.fromkeys(("licence", "parents", "maker"))
    rows = conform(
        pl.DataFrame(
            {
                "messages": talks(step, questions, replies),
                "task": [TASKS.get(step.name, "dialogue")] * height,
                "target": [
                    TARGETS.get(step.name, json.dumps({"labels": [labels[at % len(labels)]]}))
                    for at in range(height)
                ],
                "origin": [
                    {"source": "s", "locator": f"f:{at}", "group": f"g{at // 2}", "via": ["s"], **origin}
                    for at in range(height)
                ],
            }
        )
    )
    contents = content_hashes(rows)
    keys = pl.Series([str(at) for at in range(height)])
    rows = proposed(step, rows)
    measured = {
        name: np.linspace(0, 1, height)
        for name in step.reads()
        if name not in ROW and name not in ("group", "source")
    }
    rows = rows.with_columns(
        pl.Series("n", np.arange(height), dtype=pl.UInt32),
        contents,
        row_ids("s", keys, contents),
        **{name: pl.Series(values) for name, values in measured.items()},
        group=pl.Series([f"g{at // 2}" for at in range(height)]),
        source=pl.lit("s"),
    )
    return rows.with_columns(fingerprint.row_keys(rows, [n for n in step.reads() if n != "messages"]))


def beside(texts: Sequence[str]) -> tuple[list[str], list[str]]:
    """Ordinary questions and replies, and each of these texts as question, as reply and as both."""
    questions = [*QUESTIONS[:BESIDE], *texts, *["Where is my parcel?"] * len(texts), *texts]
    replies = [*REPLIES[:BESIDE], *["它在路上。"] * len(texts), *texts, *texts]
    return questions, replies


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "evaluation.jsonl").write_text('{"text": "How do I reset the lock?"}\n', encoding="utf-8")
    return tmp_path


def outcome(step: Step, rows: pl.DataFrame, root: Path, encoder: Encoder | None = None) -> Outcome:
    """What the step does with the rows, having learned from them where it learns."""
    given = Context(
        step_id="x", seed=3, root=root, load_encoder=lambda: encoder or HashingEncoder(),
        load_models=lambda step: Scripted(any_reply), reference=reference(step),
    )  # fmt: skip
    if step.fits():
        (root / "state").mkdir()
        learn(step, rows, given, root / "state")
        given = replace(given, state=root / "state")
    return apply(step, rows, given)


def assert_answered(step: Step, rows: pl.DataFrame, answer: Outcome) -> None:
    """One line a row, and no failure that is a Python exception instead of a reason."""
    lines = answer.ledger.filter(pl.col("verdict") != ATTEMPT)
    mask = step.applies(rows)
    seen = rows if mask is None else rows.filter(mask)
    assert lines["n"].sort().to_list() == seen["n"].sort().to_list()
    crashes = answer.ledger.filter(pl.col("reason").fill_null("").str.contains("Error|Exception|Panic"))
    assert crashes.is_empty(), crashes.rows(named=True)[0]


@pytest.mark.parametrize("name", STEPS)
def test_hard_texts_are_answered_for(name: str, root: Path) -> None:
    step = make_step(name)
    rows = frame(step, *beside(list(HARD.values())))
    assert_answered(step, rows, outcome(step, rows, root))


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", PLAIN)
def test_a_megabyte_takes_no_quadratic_time(name: str, tmp_path: Path) -> None:
    """A quadratic pattern needs minutes for one of these texts, hours for all; a linear one seconds."""
    for number, text in enumerate(LONG.values()):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "evaluation.jsonl").write_text('{"text": "How do I reset it?"}\n', encoding="utf-8")
        step = make_step(name)
        rows = frame(step, [*QUESTIONS[:BESIDE], text], [*REPLIES[:BESIDE], text])
        assert_answered(step, rows, outcome(step, rows, folder))


@pytest.mark.slow
@pytest.mark.parametrize("name", PLAIN)
def test_ten_thousand_rows_alike(name: str, root: Path) -> None:
    step = make_step(name)
    rows = frame(step, ["Where is my parcel? 我的包裹呢？"] * 10_000, ["It is on its way."] * 10_000)
    assert_answered(step, rows, outcome(step, rows, root))


@pytest.mark.parametrize("labels", ["a", "a" * (len(QUESTIONS) - 1) + "b"], ids=["one label", "one row"])
@pytest.mark.parametrize("name", sorted(set(STEPS) - {"propose"}))  # it refuses them, with the reason
def test_labels_that_teach_nothing(name: str, labels: str, root: Path) -> None:
    """Every row has one label; or one row alone has another."""
    step = make_step(name)
    rows = frame(step, QUESTIONS, REPLIES, labels)
    assert_answered(step, rows, outcome(step, rows, root))


MEASURED = [name for name in PLAIN if any("." in column for column in make_step(name).reads())]


@pytest.mark.parametrize("nothing", [None, float("nan")], ids=["null", "NaN"])
@pytest.mark.parametrize("name", MEASURED)
def test_a_row_without_a_measure_fails_as_such(name: str, nothing: float | None, root: Path) -> None:
    step = make_step(name)
    rows = frame(step, QUESTIONS, REPLIES)
    for column in (column for column in step.reads() if "." in column):
        values = pl.Series(column, [nothing, *rows[column].to_list()[1:]], dtype=pl.Float64)
        rows = rows.with_columns(values, pl.lit(value=True).alias(f"seen:{column.rsplit('.', 1)[0]}"))
    lines = outcome(step, rows, root).ledger.sort("n")
    assert lines.row(0, named=True)["verdict"] == "failed"
    assert lines.row(0, named=True)["reason"] == "unmeasured"
    assert set(lines["verdict"][1:]) <= {"keep", "reject"}


ENCODING: dict[str, dict[str, Any]] = {
    "decontaminate": {"against": ["evaluation.jsonl"], "paraphrase": 0.9},
    "label_errors": {},
    "pairing": {},
    "select": {"size": 5},
    "semantic_dedup": {},
    "intents": {},
    "qa_pairs": {},
}
"""Steps that ask an encoder, with the settings that make them ask."""
TRAP = "Where is my parcel? It was due on Monday and nothing has come."


class Raises(HashingEncoder):
    """Fails on one text."""

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors, unless the trap is among the texts."""
        if any(TRAP in text for text in texts):
            raise RuntimeError("this text is too much for the model")
        return super().encode(texts)


class Overflows(HashingEncoder):
    """Gives NaN for one text, as half-precision models do."""

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of which that of the trap is checked like any other."""
        vectors = super().encode(texts).copy()
        vectors[[TRAP in text for text in texts]] = np.nan
        return unit_rows(vectors, "model")


def test_every_step_that_asks_an_encoder_is_tried() -> None:
    # these read labelled rows, lines or proposals, which are none of these: see their own tests
    own = {"accept", "augment", "gan_bert", "label_propagation", "propose", "retrieve"}
    assert {name for name in STEPS if make_step(name).uses_encoder()} - own <= set(ENCODING)


@pytest.mark.parametrize("encoder", [Raises(), Overflows()], ids=["raises", "NaN"])
@pytest.mark.parametrize("name", ENCODING)
def test_an_encoder_that_fails_on_a_row_stops_nothing_silently(
    name: str, encoder: Encoder, root: Path
) -> None:
    """Either these rows alone fail, or the step does, and says why."""
    step = registry.load("step", name)(**ENCODING[name])
    rows = frame(step, QUESTIONS, REPLIES)
    failed, message = set[int](), ""
    try:
        lines = outcome(step, rows, root, encoder).ledger
        failed = set(lines.filter(pl.col("verdict") == "failed")["n"].to_list())
    except ZhilingError as error:
        message = str(error)
    trapped = {at for at, text in enumerate(QUESTIONS) if TRAP in text}
    assert failed == trapped or "too much for the model" in message or "NaN" in message


FILES: dict[str, tuple[str, str | list[str], dict[str, Any]]] = {
    "decontaminate": ("against", ["evaluation.jsonl"], {}),
    "select": ("targets", "evaluation.jsonl", {"size": 5, "method": "targeted"}),
    "valid": ("labels_file", "labels.yaml", {}),
    "intents": ("list_file", "intents.yaml", {}),
}
"""Steps that read a file: its setting, a value, further settings."""
UNREADABLE = {
    "missing": None,
    "empty": b"",
    "binary": b"\x89PNG\r\n\x1a\n\x00\xff\xfe\x80",
    "broken": b'{"text": "a"\n[',
    "other columns": b'{"price": 3}\n',
    "a list": b"[1, 2]\n",
}


def test_every_step_that_reads_a_file_is_tried() -> None:
    fields = {
        name
        for name in PLAIN
        for field in registry.load("step", name).model_fields
        if re.search(r"against|targets|_file", field)
    }
    # grounding's `against` is no file; image_decontaminate judges rows with pictures only: see its own tests
    assert fields - {"grounding", "image_decontaminate"} <= set(FILES)


LABELS = {"other columns", "a list"}
"""Of these the step `valid` reads labels: the keys of a mapping, the items of a list."""


@pytest.mark.parametrize(
    ("name", "content"),
    [(name, what) for name in FILES for what in UNREADABLE if name != "valid" or what not in LABELS],
)
def test_a_file_that_cannot_be_read_is_named(name: str, content: str, root: Path) -> None:
    setting, value, more = FILES[name]
    step = registry.load("step", name)(**more, **{setting: value})
    path = root / (value if isinstance(value, str) else value[0])
    given = UNREADABLE[content]
    if given is None:
        path.unlink(missing_ok=True)
    else:
        path.write_bytes(given)
    with pytest.raises(ZhilingError, match=re.escape(path.name)) as caught:
        outcome(step, frame(step, QUESTIONS, REPLIES), root)
    assert caught.value.exit_code in (2, 3)


def test_half_a_character_enters_no_row(tmp_path: Path) -> None:
    """A lone surrogate comes as an escape of JSON alone, and there the line is bad."""
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "\\ud800"}\n{"text": "fine"}\n{"text": "\\udc00\\ud83d"}\n', encoding="utf-8")
    batches = list(registry.load("source", "tables")(path="rows.jsonl").read([path], tmp_path))
    rows = pl.concat(batch.rows for batch in batches if batch.rows.height)
    assert [row[0]["text"] for row in rows["messages"].to_list()] == ["fine"]
    assert [bad.place.split(":")[1] for batch in batches for bad in batch.bad] == ["1", "3"]
