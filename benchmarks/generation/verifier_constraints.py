"""Replies with constraints for generation.12, written so that the truth of each is known by construction.

Words are joined to sentences, sentences to paragraphs or lists; a broken reply is beside the bound by one.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

from verifier_rows import Pair, Row

EACH = 30
"""Pairs a kind and language."""
WORDS = {
    "en": ("lamp", "river", "market", "letter", "morning", "garden", "window", "copper", "harbour",
           "ticket", "basket", "winter", "bridge", "paper", "kettle", "violin", "engine", "forest",
           "pocket", "silver", "candle", "station", "planet", "butter", "ladder", "island",
           "mirror", "button", "carpet", "lemon"),
    "zh": ("灯塔", "河流", "市场", "信件", "早晨", "花园", "窗户", "铜器", "港口", "车票", "篮子",
           "冬天", "桥梁", "纸张", "水壶", "提琴", "引擎", "森林", "口袋", "银器", "蜡烛", "车站",
           "行星", "黄油", "梯子", "岛屿", "镜子", "纽扣", "地毯", "柠檬"),
}  # fmt: skip
STOP = {"en": ".", "zh": "。"}
GLUE = {"en": " ", "zh": ""}
UNITS = {
    "en": ("words", "characters", "sentences", "paragraphs", "bullets", "placeholders", "lines"),
    "zh": ("字", "字符", "句", "段", "条", "占位符", "行"),
}
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "count": {"type": "integer"}},
    "required": ["name", "count"],
}
FOREIGN = {
    "en": "Der Hund läuft heute sehr schnell über die lange Straße und bellt die ganze Nacht laut.",
    "zh": "The dog runs down the long street today and barks loudly all night.",
}
OWN = {
    "en": "The dog runs down the long street today and barks loudly all night.",
    "zh": "那只狗今天沿着长长的街道跑过去，整夜大声地叫。",
}
Made = tuple[dict[str, Any], str, str]
"""A constraint, a reply that keeps to it, one that does not."""


class Writer:
    """Writes replies of one language."""

    def __init__(self, language: str, draw: random.Random) -> None:
        self.language, self.draw = language, draw

    def words(self, count: int) -> list[str]:
        """Words in random order; one may stand twice where there are too few."""
        pool = WORDS[self.language]
        return [self.draw.choice(pool) for _ in range(count)]

    def sentence(self, words: list[str]) -> str:
        """Words as a sentence."""
        text = GLUE[self.language].join(words) + STOP[self.language]
        return text[0].upper() + text[1:]

    def sentences(self, count: int) -> str:
        """A text of so many sentences."""
        return GLUE[self.language].join(
            self.sentence(self.words(self.draw.randrange(3, 9))) for _ in range(count)
        )

    def count(self, unit: int, count: int) -> str:
        """A text with so many of a unit (index into `UNITS`)."""
        words = self.words(count)
        if unit == 0:
            return self.sentence(words if self.language == "en" else [word[0] for word in words])
        if unit == 1:
            return ("".join(self.words(count))[: count - 1] + STOP[self.language]) if count else ""
        if unit == 2:
            return self.sentences(count)
        if unit == 5:
            gap = "[{}]" if self.language == "en" else "【{}】"
            return GLUE[self.language].join([self.sentences(1), *(gap.format(word) for word in words)])
        glue = {3: "\n\n", 4: "\n", 6: "\n"}[unit]
        marks = ["- ", "* ", "1. ", "• "] if unit == 4 else [""]
        return glue.join(self.draw.choice(marks) + self.sentences(1) for _ in range(count))


def lengths(write: Writer, unit: int) -> Made:
    """A length that is kept exactly at its bound, and missed by one."""
    count = write.draw.randrange(3, 12)
    exactly = {"at_least": count, "at_most": count}
    bounds, missed = write.draw.choice(
        [({"at_most": count}, 1), ({"at_least": count}, -1), (exactly, 1), (exactly, -1)]
    )
    constraint = {"kind": "length", "values": [UNITS[write.language][unit]], **bounds}
    return constraint, write.count(unit, count), write.count(unit, count + missed)


def frequency(write: Writer) -> Made:
    """A word that stands there so often, or once more or less."""
    word, *others = write.draw.sample(WORDS[write.language], 6)
    count = write.draw.randrange(2, 5)
    texts: list[str] = []
    for times in (count, count + write.draw.choice((-1, 1))):
        words = others + [word] * times
        write.draw.shuffle(words)
        texts.append(write.sentence(words))
    return {"kind": "frequency", "values": [word], "at_least": count, "at_most": count}, texts[0], texts[1]


def include(write: Writer) -> Made:
    """Two words, one of which is missing."""
    first, second, *others = write.draw.sample(WORDS[write.language], 8)
    both, one = [first, second, *others], [first, *others]
    write.draw.shuffle(both)
    return {"kind": "include", "values": [first, second]}, write.sentence(both), write.sentence(one)


def exclude(write: Writer) -> Made:
    """Two words, one of which stands there."""
    first, second, *others = write.draw.sample(WORDS[write.language], 8)
    wrong = [second, *others]
    write.draw.shuffle(wrong)
    return {"kind": "exclude", "values": [first, second]}, write.sentence(others), write.sentence(wrong)


def edges(write: Writer, kind: str) -> Made:
    """A beginning or an end, or the same words amid the text."""
    wanted = write.sentence(write.words(4))
    before, after = write.sentences(2), write.sentences(1)
    glue = GLUE[write.language]
    right = wanted + glue + before if kind == "starts_with" else before + glue + wanted
    return {"kind": kind, "values": [wanted]}, right, before + glue + wanted + glue + after


def as_json(write: Writer, *, schema: bool) -> Made:
    """JSON, or words around it; by a schema: a field is missing or has another type."""
    value = {"name": write.words(1)[0], "count": write.draw.randrange(99)}
    text = json.dumps(value, ensure_ascii=False)
    right = write.draw.choice(
        [text, f"```json\n{text}\n```", json.dumps(value, ensure_ascii=False, indent=2)]
    )
    if not schema:
        wrong = write.draw.choice(
            [f"{write.sentences(1)}\n{text}", text[:-1], f"{text}\n{write.sentences(1)}"]
        )
        return {"kind": "json"}, right, wrong
    broken = write.draw.choice([{"name": value["name"]}, {**value, "count": str(value["count"])}])
    return (
        {"kind": "json_schema", "values": [json.dumps(SCHEMA)]},
        right,
        json.dumps(broken, ensure_ascii=False),
    )


def languages(write: Writer) -> Made:
    """The own language, or another one."""
    tag = write.draw.choice([write.language, {"en": "English", "zh": "中文"}[write.language]])
    return {"kind": "language", "values": [tag]}, OWN[write.language], FOREIGN[write.language]


def capitals(write: Writer, kind: str) -> Made:
    """All capitals or none, and one letter that is not so."""
    text = write.sentences(2)
    if kind == "uppercase":
        return {"kind": kind}, text.upper(), text.upper()[:-2] + text[-2].lower() + "."
    return {"kind": kind}, text.lower(), text.lower()[:-2] + text[-2].upper() + "."


def no_commas(write: Writer) -> Made:
    """No comma, or one."""
    text = write.sentences(2)
    at = write.draw.randrange(1, len(text))
    return {"kind": "no_commas"}, text, text[:at] + {"en": ",", "zh": "，"}[write.language] + text[at:]


def title(write: Writer) -> Made:
    """A heading in the first line, or behind a sentence."""
    head = write.draw.choice(["# {}", "## {}", "**{}**", "《{}》"]).format(write.words(1)[0])
    text = write.sentences(2)
    return {"kind": "title"}, f"{head}\n\n{text}", f"{text}\n\n{head}\n\n{text}"


def kinds(language: str) -> list[Callable[[Writer], Made]]:
    """One writer a kind; capitals are for English."""
    made: list[Callable[[Writer], Made]] = [
        frequency, include, exclude, languages, no_commas, title,
        *(lambda write, unit=unit: lengths(write, unit) for unit in range(7)),
        *(lambda write, kind=kind: edges(write, kind) for kind in ("starts_with", "ends_with")),
        *(lambda write, schema=schema: as_json(write, schema=schema) for schema in (False, True)),
    ]  # fmt: skip
    if language == "en":
        made += [lambda write, kind=kind: capitals(write, kind) for kind in ("uppercase", "lowercase")]
    return made


def constrained(language: str, draw: random.Random) -> Iterator[Pair]:
    """Replies with two constraints that they keep, or with one of these broken."""
    write = Writer(language, draw)
    for make in kinds(language):
        for _ in range(EACH):
            constraint, right, wrong = make(write)
            target = {"constraints": [constraint, {"kind": "exclude", "values": ["xylophone", "木琴"]}]}
            turns = [(("user", "?"), ("assistant", text)) for text in (right, wrong)]
            yield Pair(*(Row(each, target, "controlled") for each in turns))
