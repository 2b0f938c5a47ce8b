"""New texts with the label of a known one, written by a teacher."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from zhiling.llm.asking import Said, accepts, in_language, said
from zhiling.llm.reply import Reply
from zhiling.llm.verdict import Ask, Complaint
from zhiling.pipeline.step import Context
from zhiling.rows.conversation import user_text
from zhiling.rows.target import LABEL, Labels, spelled
from zhiling.synthesis import rendezvous
from zhiling.synthesis.known_texts import KnownTexts
from zhiling.synthesis.sentences import alone
from zhiling.synthesis.teacher import Draft, TeacherMake, Written

_POOL = "seeds.parquet"
_SHOT = 1000  # draws


class NewText(Said):
    """What somebody could have written."""

    new_text: str


class LabelledTexts(TeacherMake):
    """Writes new texts, each with the label of a known one (task `classification`, one label).

    Each known text is shown with `shots` - 1 others of its label, and with `others` texts of other labels,
    which the new one must not fit; the teacher writes one more that has the label.

    Failed attempts, beside those of every call: `not_novel` (Jaccard similarity of token pairs to some known
    text above `novelty`), `wrong_language`, `empty_field`. Whether the label is right is not asked here: put
    `accept` behind, as the step `adversarial` does, or `label_errors`.

    Prompts: labelled_texts.
    """

    name = "labelled_texts"
    about = ("classification",)
    cost: ClassVar[str] = "one call a row"
    limits: ClassVar[str] = (
        "A teacher gives its texts the label that it was told, rightly or not, and writes more evenly than "
        "people do: judge labels and texts behind it."
    )
    source: ClassVar[str] = (
        "Yoo et al. 2021, GPT3Mix; Sahu et al. 2022, Data Augmentation for Intent Classification with "
        "Off-the-shelf Large Language Models. Deviation: examples of other labels are shown too"
    )
    prompts = {"labelled_texts": ("label", "examples", "others", "language")}

    shots: int = Field(5, ge=1, le=32, description="texts of the label that are shown, its own too")
    others: int = Field(3, ge=0, le=32, description="texts of other labels that are shown")
    novelty: float = Field(0.7, gt=0, le=1, description="most similarity of a new text to any known one")

    def reads(self) -> tuple[str, ...]:
        """Text, label and language."""
        return ("messages", "task", "target", "language")

    def applies(self, rows: pl.DataFrame) -> pl.Series:
        """Single texts with one label that no template has written."""
        says = user_text(rows["messages"]).str.strip_chars() != ""
        one = rows.select(LABEL.is_not_null() & (pl.col("task") == "classification").fill_null(value=False))
        return alone(rows) & one.to_series() & says.fill_null(value=False)

    def fit(self, rows: pl.DataFrame, context: Context, folder: Path) -> None:
        """The known texts: what is shown as examples, and what a new one must be unlike."""
        known = rows.filter(self.applies(rows)).sort("id")
        texts = user_text(known["messages"])
        languages = pl.Series("prompt", self.languages_of(known, texts, context), dtype=pl.String)
        told = known.select("id", texts.alias("text"), LABEL.alias("label"), languages)
        told.write_parquet(folder / _POOL)

    def drafts(self, rows: pl.DataFrame, turns: Sequence[int], context: Context) -> list[Draft]:
        """One text a sample, each with other examples."""
        pool = _pool(context)
        texts, labels = user_text(rows["messages"]), rows.select(LABEL).to_series().to_list()
        languages = self.languages_of(rows, texts, context)
        draws = [rendezvous.keys(context.uniform(rows["id"], _SHOT + each)) for each in range(self.per_input)]
        made: list[Draft] = []
        for place, (row, text) in enumerate(zip(rows["id"].to_list(), texts.to_list(), strict=True)):
            label, language = labels[place], languages[place]
            for sample, drawn in enumerate(draws):
                examples, others = pool.shown(text, label, language, drawn[place], (self.shots, self.others))
                values = {"label": label, "examples": examples, "others": others, "language": language}
                request = self.request("labelled_texts", language, context.root, values, NewText)
                number = turns[place] + sample
                ask = Ask(request, number, accept=accepts(NewText, self._new(pool, language)))
                made.append(Draft((row,), number, language, ask, label))
        return made

    def _new(self, pool: _Pool, language: str) -> Callable[[NewText], Complaint | None]:
        def check(told: NewText) -> Complaint | None:
            text = told.new_text
            if not text:
                return Complaint("empty_field", "new_text is empty")
            if not in_language(text, language):
                return Complaint("wrong_language", f"new_text: {text[:80]!r}")
            similarity, row = pool.known.nearest(text)
            if similarity <= self.novelty:
                return None
            return Complaint("not_novel", f"{similarity:.2f} like {pool.texts[row][:80]!r}")

        return check

    def written(self, draft: Draft, reply: Reply) -> Written:
        """The text with its label."""
        target = spelled(Labels(labels=[draft.about]))
        return Written([("user", said(NewText, reply).new_text, None)], "classification", target)


class _Pool:
    """The known texts of a run."""

    def __init__(self, known: pl.DataFrame) -> None:
        self.texts: list[str] = known["text"].to_list()
        self.known = KnownTexts(known["text"])
        self._ids = rendezvous.numbers(known["id"])
        self._labels = known["label"].to_numpy()
        self._languages = known["prompt"].to_numpy()

    def shown(
        self, own: str, label: str, language: str, key: np.uint64, most: tuple[int, int]
    ) -> tuple[list[str], list[str]]:
        """Texts of the label, the own one among them, and texts of other labels, all of one language."""
        of_language, of_label = self._languages == language, self._labels == label
        same = self._near(of_language & of_label, key, most[0] + 1)
        examples = [text for text in same if text != own][: most[0] - 1]
        return rendezvous.among(own, examples, key), self._near(of_language & ~of_label, key, most[1])

    def _near(self, wanted: NDArray[np.bool_], key: np.uint64, most: int) -> list[str]:
        places = np.flatnonzero(wanted)
        near: list[int] = places[rendezvous.nearest(self._ids[places], key, most)].tolist()
        return list(dict.fromkeys(self.texts[at] for at in near))


def _pool(context: Context) -> _Pool:
    path = context.fitted / _POOL
    return _read_pool(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _read_pool(path: Path, _changed_ns: int) -> _Pool:
    return _Pool(pl.read_parquet(path))
