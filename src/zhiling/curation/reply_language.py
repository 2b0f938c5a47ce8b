"""Rejects rows whose reply is in another language than the question."""

from __future__ import annotations

import tomllib
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import ClassVar, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from zhiling.curation.language import UNDETERMINED, Language
from zhiling.curation.phrases import any_of
from zhiling.curation.prose import prose
from zhiling.pipeline.step import Bound, Context, Decide, verdicts
from zhiling.rows.conversation import dialogue, has_reply, question_text, reply_text
from zhiling.text.scripts import SCRIPTS, letter_counts

_PRESENT = 0.1
_HAN_WEIGHT = 3  # a Chinese character says as much as three letters
_SURE = 0.9  # confidence in both languages; below, short sentences of related languages are mixed up


class ReplyLanguage(Decide):
    """Rejects rows whose reply is in another language than the question, unless it was asked for.

    By default the main scripts are compared (Chinese, Latin, kana, Hangul, Cyrillic, Arabic, …), without
    code and web addresses. A row is let pass when its task is translation, when the question speaks of a
    language, of translating or of code, when a tenth or more of the question is in the reply's script, or
    when either side has few letters. Kana and Han are both Japanese where both occur.

    Reasons: `other_language`. Score: the share of the reply's letters that are not in the question's main
    script (a Chinese character counts three), 0 for a row that is let pass.
    """

    name: ClassVar[str] = "reply_language"
    bounds: ClassVar[tuple[Bound, ...]] = (Bound("at_least", acts="above", loosest=0.5 + 1e-9),)
    cost: ClassVar[str] = "cheap: about 10 microseconds a row; 0.3 ms with `detector: lingua`"
    limits: ClassVar[str] = (
        "By script, English and French are the same: `detector: lingua` tells them apart in longer texts. "
        "Only the last question is read, so a wish for another language in an earlier turn is not seen; one "
        "in the system message is. Names, formulas and acronyms as an answer are let pass when short. "
        "No public truth exists: false alarms are measured, and recall on planted replies."
    )

    detector: Literal["script", "lingua"] = Field(
        default="script", description="what is compared: scripts, or also languages of one script (lingua)"
    )
    letters: int = Field(
        default=20,
        ge=1,
        description="fewest letters of question and of reply to be judged; a Chinese character counts three",
    )
    at_least: float = Field(
        default=0.7,
        gt=0.5,
        le=1,
        description="share of the reply outside the question's scripts that is too much",
    )

    class Reason(StrEnum):
        """Why a row is rejected."""

        OTHER_LANGUAGE = "other_language"

    def reads(self) -> tuple[str, ...]:
        """The conversation and its task."""
        return ("messages", "task")

    def applies(self, rows: pl.DataFrame) -> pl.Series:
        """Rows with a reply that are no translations."""
        return has_reply(rows["messages"]) & (rows["task"] != "translation").fill_null(True)

    def decide(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Verdicts by language."""
        questions = question_text(rows["messages"])
        texts = prose(questions), prose(reply_text(rows["messages"]))
        asked, said = _weights(texts[0]), _weights(texts[1])
        judged = (asked.sum(axis=1) >= self.letters) & (said.sum(axis=1) >= self.letters)
        judged &= ~_asks_for_other(questions, rows["messages"])
        foreign = np.where(judged, _foreign(asked, said), 0.0)
        wrong = foreign >= self.at_least
        if self.detector == "lingua":
            same = np.flatnonzero(judged & ~wrong)
            differs = same[_languages_differ(*(text.gather(same) for text in texts))]
            wrong[differs], foreign[differs] = True, 1.0
        return verdicts(wrong, self.Reason.OTHER_LANGUAGE, score=foreign)


def _weights(text: pl.Series) -> NDArray[np.int64]:
    """Letters by script, Chinese characters three times, kana counted as Han where both stand in a text."""
    counts = letter_counts(text)
    han, kana = SCRIPTS.index("han"), SCRIPTS.index("kana")
    japanese = 5 * counts[:, kana] > counts[:, han]
    counts[japanese, kana] += counts[japanese, han]
    counts[japanese, han] = 0
    counts[:, [han, kana]] *= _HAN_WEIGHT
    return counts


def _foreign(asked: NDArray[np.int64], said: NDArray[np.int64]) -> NDArray[np.float64]:
    """Share of the reply outside scripts that the question uses."""
    present = asked >= _PRESENT * np.maximum(asked.sum(axis=1, keepdims=True), 1)
    return (said * ~present).sum(axis=1) / np.maximum(said.sum(axis=1), 1)


def _asks_for_other(questions: pl.Series, messages: pl.Series) -> NDArray[np.bool_]:
    first = messages.list.first()
    system = pl.DataFrame({"role": first.struct.field("role"), "text": first.struct.field("text")}).select(
        pl.when(pl.col("role") == "system").then("text").otherwise(None).fill_null("")
    )
    found = questions.str.contains(_words()) | system.to_series().str.contains(_words())
    return found.to_numpy()


def _languages_differ(questions: pl.Series, replies: pl.Series) -> NDArray[np.bool_]:
    language = Language.model_validate({})
    answers = [
        language.measure(pl.DataFrame({"messages": dialogue({"user": text})}), Context("reply_language"))
        for text in (questions, replies)
    ]
    known = [(a["score"] >= _SURE) & (a["language"] != UNDETERMINED) for a in answers]
    return (known[0] & known[1] & (answers[0]["language"] != answers[1]["language"])).to_numpy()


@cache
def _words() -> str:
    content = (files("zhiling.curation") / "reply_language_words.toml").read_text(encoding="utf-8")
    words = tomllib.loads(content)
    return any_of(pattern for lists in words.values() for each in lists.values() for pattern in each)
