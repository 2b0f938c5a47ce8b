"""Rows for generation.12, clean and with one fault each: spans and numbers, from public sets."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any, NamedTuple

import orjson
import polars as pl

from benchmarks.sources.sets import batches
from zhiling.rows.conversation import nest

Turn = tuple[str, str]
MOST = 400
"""Rows a set and language."""
TRIAL = bool(os.environ.get("TRIAL"))
"""Whether the rows are those that things may be tried on."""


class Row(NamedTuple):
    """Turns, truth and task of a row."""

    turns: tuple[Turn, ...]
    target: dict[str, Any]
    task: str


class Pair(NamedTuple):
    """A row as it is, and the same with one fault."""

    clean: Row
    faulty: Row


def frame(rows: list[Row]) -> pl.DataFrame:
    """`messages`, `target` and `task` of the rows; no language is told."""
    turns = [turn for row in rows for turn in row.turns]
    flat = pl.DataFrame({"role": [role for role, _ in turns], "text": [text for _, text in turns]})
    return pl.DataFrame(
        {
            "messages": nest(flat, [len(row.turns) for row in rows]),
            "target": [orjson.dumps(row.target).decode() for row in rows],
            "task": [row.task for row in rows],
            "language": pl.Series([None] * len(rows), dtype=pl.String),
        }
    )


def judged(text: str) -> bool:
    """Whether a row is of the half that judges; with TRIAL in the environment: of the other one."""
    return blake2b(text.encode()).digest()[0] % 2 == (not TRIAL)


def read(name: str, draw: random.Random) -> list[dict[str, Any]]:
    """Rows of a set in random order: turns and decoded target."""
    found: list[dict[str, Any]] = []
    for batch in batches(name):
        for key, messages, target in batch.rows.select("key", "messages", "target").iter_rows():
            turns = tuple((turn["role"], turn["text"]) for turn in messages)
            if judged(key or turns[0][1]):
                found.append({"turns": turns, "target": orjson.loads(target or "{}")})
    draw.shuffle(found)
    return found


def answers(name: str, draw: random.Random) -> Iterator[Pair]:
    """Questions with an answer in a passage; the place is wrong, or the words are."""
    for row in read(name, draw)[:MOST]:
        answer = row["target"]["answers"][0]
        place = answer["place"]
        text = row["turns"][place["message"]][1]
        moved = _moved(place["start"], place["end"], text, draw)
        wrong = {**answer, "place": {**place, "start": moved[0], "end": moved[1]}}
        yield _pair(row, "qa", {"answers": [answer]}, {"answers": [wrong]})


def entities(name: str, draw: random.Random, *, told: bool = True) -> Iterator[Pair]:
    """Texts with entities; one has a wrong place or a type that does not exist. `told`: with their words."""
    rows = [row for row in read(name, draw) if row["target"].get("spans")][:MOST]
    for row in rows:
        text = row["turns"][0][1]
        spans = [dict(span) for span in row["target"]["spans"]]
        if told:
            spans = [{**span, "text": text[span["start"] : span["end"]]} for span in spans]
        chosen = draw.randrange(len(spans))
        wrong = [dict(span) for span in spans]
        if told and draw.random() < 0.2:
            wrong[chosen]["label"] = f"{wrong[chosen]['label']}s"
        else:
            start, end = _moved(spans[chosen]["start"], spans[chosen]["end"], text, draw)
            wrong[chosen] |= {"start": start, "end": end}
        yield _pair(row, "ner", {"spans": spans}, {"spans": wrong})


def types(name: str) -> tuple[str, ...]:
    """The types of entity of a set."""
    rows = read(name, random.Random(0))
    return tuple(sorted({span["label"] for row in rows for span in row["target"].get("spans", [])}))


def _pair(row: dict[str, Any], task: str, right: dict[str, Any], wrong: dict[str, Any]) -> Pair:
    return Pair(Row(row["turns"], right, task), Row(row["turns"], wrong, task))


def _moved(start: int, end: int, text: str, draw: random.Random) -> tuple[int, int]:
    """A place nearby or elsewhere in which other words stand, or one behind the text."""
    while True:
        kind, by = draw.randrange(5), draw.choice([-2, -1, 1, 2])
        elsewhere = draw.randrange(max(1, len(text) - (end - start)))
        moved = (
            (start + by, end + by),
            (start, end + by),
            (start + by, end),
            (elsewhere, elsewhere + end - start),
            (len(text) - 1, len(text) + end - start),
        )[kind]
        if 0 <= moved[0] < moved[1] and text[moved[0] : moved[1]] != text[start:end]:
            return moved


WORDS = (
    *("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "fifteen"),
    *("twenty", "thirty", "forty", "fifty", "ninety"),
)
ENGLISH = re.compile(rf"(?<![\w.,])(?:\d[\d,]*|{'|'.join(WORDS)})(?![\w.,]*\d)\b", re.IGNORECASE)
CHINESE = re.compile(r"[0-9]+|[一二两三四五六七八九十百千万]+")


def translations(language: str, draw: random.Random) -> Iterator[Pair]:
    """Sentence pairs with one number each; that of the translation into `language` is another one."""
    pairs: list[Pair] = []
    for row in read("tatoeba_en_zh", draw):
        texts = [text for _, text in row["turns"]]
        english, chinese = texts if row["target"]["source_language"] == "en" else reversed(texts)
        numbers = list(ENGLISH.finditer(english)), list(CHINESE.finditer(chinese))
        if [len(found) for found in numbers] != [1, 1] or numbers[1][0][0] == "一":
            continue
        source, reply = (chinese, english) if language == "en" else (english, chinese)
        wrong = _replaced(reply, numbers[language == "zh"][0], draw)
        target = {"source_language": "zh" if language == "en" else "en", "target_language": language}
        right, false = ((("user", source), ("assistant", text)) for text in (reply, wrong))
        pairs.append(Pair(Row(right, target, "translation"), Row(false, target, "translation")))
    yield from pairs[:MOST]


def _replaced(text: str, match: re.Match[str], draw: random.Random) -> str:
    """The text with another number in that place."""
    old = match[0]
    while True:
        if old[0].isdigit():
            places = [at for at, char in enumerate(old) if char.isdigit()]
            at = draw.choice(places)
            new = old[:at] + draw.choice("123456789") + old[at + 1 :]
        elif old[0].isascii():
            new = draw.choice(WORDS)
            new = new.capitalize() if old[0].isupper() else new
        else:
            at = draw.randrange(len(old))
            signs = "百千万" if old[at] in "百千万" else "二三四五六七八九"
            new = old[:at] + draw.choice(signs) + old[at + 1 :]
        if new.lower().replace("两", "二") != old.lower().replace("两", "二"):
            return text[: match.start()] + new + text[match.end() :]


def summaries(draw: random.Random) -> Iterator[Pair]:
    """Dialogues and their summaries with a number in digits; the summary has one that was not said."""
    pairs: list[Pair] = []
    for row in read("dialogsum", draw):
        (_, talk), (_, summary) = row["turns"]
        found = re.search(r"(?<![\w#.,:])\d+(?![\w#.,:]*\d|[\w#])", summary)
        if not found:
            continue
        new = next(each for each in iter(lambda: str(draw.randrange(2, 900)), "") if each not in talk)
        wrong = summary[: found.start()] + new + summary[found.end() :]
        right, false = ((("user", talk), ("assistant", text)) for text in (summary, wrong))
        pairs.append(Pair(Row(right, {}, "summarisation"), Row(false, {}, "summarisation")))
    yield from pairs[:MOST]
