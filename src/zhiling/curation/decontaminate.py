"""Decontaminate: no row that repeats an evaluation file."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from zhiling.curation.same_meaning import compatible, neighbours
from zhiling.errors import DamagedFile
from zhiling.pipeline.fingerprint import matching
from zhiling.pipeline.step import Bound, Context, Decide, Encoder, verdicts
from zhiling.rows.conversation import flatten, user_text
from zhiling.rows.evaluation_file import read_texts
from zhiling.text.containment import ContainmentIndex
from zhiling.text.ngrams import CHARACTERS, WORDS, NgramIndex
from zhiling.text.normalise import normalise
from zhiling.text.short_texts import ShortTexts
from zhiling.text.tokens import mostly_unspaced, token_counts

_NEAREST = 5
EMBEDDED = (6, 10)
"""Words, and characters of Chinese, that a text has at least to be looked for inside a longer turn."""


class Reason(StrEnum):
    """Why a row is not kept."""

    CONTAMINATED = "contaminated"
    EDITED = "contaminated_edited"
    PARAPHRASE = "contaminated_paraphrase"


class Decontaminate(Decide):
    """Rejects rows that repeat an evaluation text: a run of it, a short one as a whole, or an edited copy.

    Texts are compared in normal form (width, case, punctuation and spaces do not matter), turn by turn. A
    text of at least `words` words (`characters` Chinese characters) is found wherever a run of that length
    stands. A shorter one is found where a whole turn equals it, or where it makes up at least `embedded` of
    a turn (a question behind a greeting) and has 6 words or 10 characters; one of fewer than `shortest`
    tokens only where it is all that was said. An edited copy holds at least `edited` of the text's 4-grams
    (6 Chinese characters), six or more. So a short or general question does not wipe out a corpus.

    Each run tells which evaluation texts removed most rows, and how many rows would leave by chance: it puts
    questions of kept rows in the place of evaluation texts and looks for them in other kept rows.

    With `paraphrase` the recipe's encoder looks for the same question in other words: what the user said,
    among its five nearest evaluation texts, if both agree in numbers and denials and are of similar length.
    """

    name: ClassVar[str] = "decontaminate"
    version: ClassVar[int] = 2
    cost: ClassVar[str] = "about 30 µs a short row; some 200 bytes of memory per evaluation token"
    limits: ClassVar[str] = (
        "No translation; paraphrases only with `paraphrase`, as far as the encoder sees them. Short texts "
        "with a word changed stay."
    )
    source: ClassVar[str] = "Brown et al. 2020, appendix C (13-grams); Broder 1997 (containment)"
    Reason: ClassVar[type[StrEnum]] = Reason
    bounds: ClassVar[tuple[Bound, ...]] = (
        Bound("edited", acts="above", values=tuple(n / 100 for n in range(95, 15, -5)), reason=Reason.EDITED),
        Bound(
            "paraphrase",
            acts="above",
            values=tuple(n / 100 for n in range(98, 68, -2)),
            reason=Reason.PARAPHRASE,
        ),
    )

    against: tuple[str, ...] = Field(
        min_length=1, description="Evaluation files (globs): JSONL or CSV, also .gz."
    )
    fields: tuple[str, ...] = Field(
        ("text", "question", "instruction", "prompt"),
        min_length=1,
        description="The text is the first of these fields that a record has, else its user messages.",
    )
    on: Literal["user", "all"] = Field(
        "user", description="Which turns are compared: the user's, or all but the system's."
    )
    words: int = Field(WORDS, ge=3, le=64, description="Length of a quoted run, in words.")
    characters: int = Field(
        CHARACTERS,
        ge=5,
        le=128,
        description="The same for Chinese and other scripts without spaces, in characters.",
    )
    shortest: int = Field(
        4, ge=1, le=64, description="Texts of fewer tokens count only as all that was said."
    )
    share: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Reject where more than this share of a turn's runs stands in one evaluation text.",
    )

    embedded: float = Field(
        0.5,
        gt=0,
        le=1,
        description="Share of a turn that a text shorter than a run must make up; 1: the whole turn only.",
    )
    edited: float | None = Field(
        0.4, gt=0, le=1, description="Share of a text's short n-grams that an edited copy holds; null: off."
    )

    paraphrase: float | None = Field(
        None, gt=0, le=1, description="Least cosine of a paraphrase, by the recipe's encoder; null: off."
    )

    def uses_encoder(self) -> bool:
        """Only for paraphrases."""
        return self.paraphrase is not None

    def files(self) -> tuple[str, ...]:
        """The evaluation files: their contents shape the result."""
        return self.against

    def decide(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Related = `file#line`; score as far as the match goes.

        That is the share of a turn's runs that match, of the turn that a short text makes up, of the
        evaluation text's n-grams that an edited copy holds, or the cosine of a paraphrase.
        """
        return self.compared(rows, self.evaluation(context.root), context)

    def compared(self, rows: pl.DataFrame, evaluation: Evaluation, context: Context) -> pl.DataFrame:
        """The verdicts of `decide` on these rows, against any texts (see `Evaluation.of`)."""
        turns = self._turns(rows)
        ways = self._found(turns, evaluation)
        if self.paraphrase is not None:
            ways.append(self._paraphrased(rows, evaluation, context))
        best = pl.concat(ways).sort("way", "share", "place", descending=[False, True, False])
        best = best.unique("row", keep="first", maintain_order=True)
        every = pl.DataFrame({"row": np.arange(rows.height, dtype=np.uint32)})
        answer = every.join(best, on="row", how="left", maintain_order="left")
        score = answer["share"].fill_null(0.0)
        return verdicts(
            score > self.share,
            answer["way"].replace_strict(dict(enumerate(map(str, Reason))), return_dtype=pl.String),
            score=score,
            related=evaluation.places.gather(answer["place"].cast(pl.UInt32)),
        )

    def _found(self, turns: pl.DataFrame, evaluation: Evaluation) -> list[pl.DataFrame]:
        """Each turn's matches: `row`, `place`, `share` and the way to find them, a number of Reason."""
        text, counts = turns["text"], turns["tokens"].to_numpy().astype(np.int64)
        runs = evaluation.index.hits(text)
        short = evaluation.short.find(text, counts, self.embedded)
        brief = (turns["tokens"] < self.shortest) & ~turns["only"]
        ways = [
            (np.where(brief.to_numpy(), -1, runs.match), runs.share, 0),
            (short.match, short.covered, 0),
        ]
        if self.edited is not None and evaluation.copies is not None:
            copies = evaluation.copies.find(text, self.edited)
            ways.append((copies.match, copies.covered, 1))
        return [
            turns.select(
                "row", place=pl.Series(place), share=pl.Series(share), way=pl.lit(way, dtype=pl.Int64)
            ).filter(pl.col("place") >= 0)
            for place, share, way in ways
        ]

    def _paraphrased(self, rows: pl.DataFrame, evaluation: Evaluation, context: Context) -> pl.DataFrame:
        """Each row's nearest evaluation texts that say the same, in the form of `_found`."""
        asked = user_text(rows["messages"])
        vectors = context.encoder.encode(asked.to_list())
        among = evaluation.vectors(context.encoder)
        row, place, cosine = neighbours(vectors, among, _NEAREST, self.paraphrase or 0.0)
        fits = compatible(asked.gather(row), evaluation.texts.gather(place))
        return pl.DataFrame(
            {"row": row[fits], "place": place[fits], "share": cosine[fits]},
            schema={"row": pl.UInt32, "place": pl.Int64, "share": pl.Float64},
        ).with_columns(way=pl.lit(2, dtype=pl.Int64))

    def _turns(self, rows: pl.DataFrame) -> pl.DataFrame:
        """`row`, `text` (normal form), `tokens` of what is compared; `only`: nothing else was said."""
        role = pl.col("role") == "user" if self.on == "user" else pl.col("role") != "system"
        turns = flatten(rows["messages"]).filter(role).select("row", pl.col("text").fill_null(""))
        turns = turns.with_columns(only=pl.len().over("row") == 1)
        # What the user said in all is a text as well: the gate `contaminated` compares just that.
        whole = pl.DataFrame(
            {"row": np.arange(rows.height, dtype=np.uint32), "text": user_text(rows["messages"])}
        )
        turns = pl.concat([turns, whole.with_columns(only=pl.lit(value=True))])
        text = normalise(turns["text"])
        return turns.with_columns(text=text, tokens=token_counts(text))

    def evaluation(self, root: Path) -> Evaluation:
        """The texts of the evaluation files, indexed; kept from call to call.

        Raises:
            MissingInput: a file is not there.
            DamagedFile: one cannot be read, or holds no text.
        """
        files = matching(self.against, root, what="step 'decontaminate'")
        facts = tuple((str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files)
        return _build(facts, str(root), self.fields, self.run, self.edited is not None)

    @property
    def run(self) -> tuple[int, int]:
        """Tokens of a quoted run: words, and characters of scripts without spaces."""
        return (self.words, self.characters)


@dataclass(frozen=True)
class Evaluation:
    """Evaluation texts: the place of each, and the indexes that find them.

    Attributes:
        brief: whether a text is shorter than a quoted run.
    """

    places: pl.Series
    texts: pl.Series
    index: NgramIndex
    short: ShortTexts
    copies: ContainmentIndex | None
    brief: pl.Series
    _vectors: dict[str, NDArray[np.float32]] = field(default_factory=dict[str, NDArray[np.float32]])

    @classmethod
    def of(cls, places: pl.Series, texts: pl.Series, run: tuple[int, int], *, edited: bool) -> Evaluation:
        """Any texts in the place of evaluation texts.

        Args:
            places: what `related` will say.
            texts: as they are; the normal form is found here.
            run: tokens of a quoted run, see `Decontaminate.run`.
            edited: whether edited copies are looked for.
        """
        text = normalise(texts)
        return cls(
            places, texts, NgramIndex.build(text, *run),
            ShortTexts(text, EMBEDDED, (run[0] - 1, run[1] - 1)),
            ContainmentIndex.build(text) if edited else None,
            token_counts(text) < pl.Series(np.where(mostly_unspaced(text), run[1], run[0])),
        )  # fmt: skip

    def vectors(self, encoder: Encoder) -> NDArray[np.float32]:
        """The texts by an encoder, encoded once."""
        if encoder.identity not in self._vectors:
            self._vectors[encoder.identity] = encoder.encode(self.texts.to_list())
        return self._vectors[encoder.identity]


@lru_cache(maxsize=4)  # the step is called once per batch; size and time tell a changed file
def _build(
    files: tuple[tuple[str, int, int], ...],
    root: str,
    fields: tuple[str, ...],
    run: tuple[int, int],
    edited: bool,
) -> Evaluation:
    items: list[tuple[str, str]] = []
    for name, _, _ in files:
        path = Path(name)
        shown = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
        found = [(f"{shown}#{line}", text) for line, text in read_texts(path, fields)]
        if not any(text.strip() for _, text in found):
            raise DamagedFile(
                "evaluation file holds no text, so nothing could be found by it",
                place=str(path),
                hint="take it out of `against`, or name the text field with `fields: [...]`",
            )
        items += found
    texts = pl.Series([item[1] for item in items], dtype=pl.String)
    places = pl.Series([item[0] for item in items], dtype=pl.String)
    return Evaluation.of(places, texts, run, edited=edited)
