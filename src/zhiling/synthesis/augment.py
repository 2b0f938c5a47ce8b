"""Augment: variants of labelled sentences, as they are (the baseline) or snapped to the nearest real one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from zhiling.encoders.nearest import nearest
from zhiling.errors import UsageError
from zhiling.pipeline.step import Context, Made, Make
from zhiling.rows.templates import Turn
from zhiling.synthesis.made_rows import MadeRow, frame
from zhiling.synthesis.sentences import Seed, alone, seeds_of, utterances_of

_UNIT = re.compile(r"[\u3400-\u9fff]|[^\s\u3400-\u9fff]+\s*|\s+")
_EQUAL = 0.9999  # a cosine above it: the same sentence
_OPERATION, _UNIT_DRAW = 0, 1  # draws

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class _Variant:
    """A made sentence, the number of its seed, and its own number among those of the seed."""

    text: str
    seed: int
    number: int


class Augment(Make):
    """Writes variants of labelled sentences (task `classification`): other real sentences with their label.

    A variant drops some words (Chinese: characters) of a sentence or lets two neighbours change places.
    `snap`: it is replaced by the nearest sentence of the unlabelled rows (task `utterance`), if that is near
    enough and no labelled sentence of another label is nearer to it; each is used once, for the label that is
    nearest. `eda`: the variants themselves, to compare with: they add noise, not information.
    """

    name = "augment"
    about = ("classification",)
    scope = "table"
    material = True
    cost: ClassVar[str] = (
        "an encoding a row and a variant, and (seeds + variants) · utterances · dimension operations"
    )
    limits: ClassVar[str] = (
        "Snapped labels are as good as the encoder, and texts near the border of two labels stay out: what "
        "is added is what a model finds easy. Synonyms are not used: no list of them comes along. Other "
        "words in slots: see `recombine`."
    )
    source: ClassVar[str] = (
        "Wei and Zou 2019, EDA (swap and deletion, without synonyms and insertion); Cover and Hart 1967"
    )

    method: Literal["snap", "eda"] = Field(
        default="snap", description="real sentences, or the variants alone"
    )
    per_input: int = Field(default=2, ge=1, le=50, description="new rows a labelled sentence at most")
    rate: float = Field(default=0.15, gt=0, le=0.5, description="share of the words that a variant changes")
    least: float = Field(
        default=0.6, ge=0, le=1, description="cosine to a variant from which a real sentence stands for it"
    )

    def reads(self) -> tuple[str, ...]:
        """Labelled sentences and utterances."""
        return ("messages", "target", "task", "language", "source", "group")

    def uses_encoder(self) -> bool:
        """The vectors decide what is near."""
        return self.method == "snap"

    def applies(self, rows: pl.DataFrame) -> pl.Series:
        """Labelled sentences that no template has written; for `snap` utterances, too."""
        wanted = alone(rows)
        return wanted if self.method == "snap" else wanted & (rows["task"] != "utterance")

    def make(self, rows: pl.DataFrame, context: Context) -> Made:
        """At most `per_input` rows for each labelled sentence."""
        seeds = seeds_of(rows)
        tried = (self._variants(seed, number, context) for number, seed in enumerate(seeds))
        variants = [variant for several in tried for variant in several]
        if self.method == "eda":
            made = [_row(seeds[each.seed], each.text, (), each.number) for each in variants]
            return Made(frame(made))
        if not seeds:
            return Made(frame([]))
        if not (rows["task"] == "utterance").any():
            raise UsageError(
                f"step {context.step_id!r} snaps to real sentences, but no row has task 'utterance'",
                hint="add a source of unlabelled texts, or set `method: eda`",
            )
        return Made(frame(list(self._snapped(seeds, variants, utterances_of(rows), context))))

    def _variants(self, seed: Seed, number: int, context: Context) -> Iterator[_Variant]:
        units = _UNIT.findall(seed.text)
        keys = [f"{seed.id}\0{n}\0{unit}" for n in range(self.per_input) for unit in range(len(units))]
        drawn = context.uniform(pl.Series(keys, dtype=pl.String), _UNIT_DRAW).reshape(self.per_input, -1)
        once = pl.Series([f"{seed.id}\0{n}" for n in range(self.per_input)], dtype=pl.String)
        operations = context.uniform(once, _OPERATION).tolist()
        told = {seed.text}
        for n, (operation, draws) in enumerate(zip(operations, drawn, strict=True)):
            text = _changed(units, draws, self.rate, swap=operation < 0.5)
            if text.strip() and text not in told:
                told.add(text)
                yield _Variant(text, number, n)

    def _snapped(
        self,
        seeds: Sequence[Seed],
        made: Sequence[_Variant],
        utterances: Mapping[str, Sequence[str]],
        context: Context,
    ) -> Iterator[MadeRow]:
        """Real sentences near a seed or one of its variants, the surest first."""
        known = {seed.text for seed in seeds}
        texts = [text for text in utterances if text not in known]
        if not texts:
            return
        encoder = context.encoder
        own = [_Variant(seed.text, number, self.per_input) for number, seed in enumerate(seeds)]
        tried = [*own, *made]
        real = encoder.encode(texts)
        labels = [frozenset(seed.truth.labels) for seed in seeds]
        seed_vectors = encoder.encode([seed.text for seed in seeds])
        claims = _claims(encoder.encode([each.text for each in tried]), real, self.least, self.per_input)
        taken: set[int] = set()
        count = [0] * len(seeds)
        for cosine, variant, place in claims:
            seed = tried[variant].seed
            if place in taken or count[seed] == self.per_input:
                continue
            cosines = seed_vectors @ real[place]
            if labels[int(np.argmax(cosines))] != labels[seed] or cosines.max() > _EQUAL:
                continue
            taken.add(place)
            yield _row(
                seeds[seed],
                texts[place],
                (utterances[texts[place]][0],),
                count[seed],
                cosine=round(cosine, 4),
            )
            count[seed] += 1


def _changed(units: Sequence[str], draws: NDArray[np.float64], rate: float, *, swap: bool) -> str:
    """The sentence with the units of the least draws dropped, or exchanged with the next one."""
    words = [place for place, unit in enumerate(units) if unit.strip()]
    count = max(1, round(rate * len(words)))
    chosen = sorted(words, key=lambda place: draws[place])[:count]
    changed = list(units)
    for place in sorted(chosen):
        if not swap:
            changed[place] = ""
        elif place + 1 < len(changed):
            changed[place], changed[place + 1] = _exchanged(changed[place], changed[place + 1])
    return "".join(changed).strip()


def _exchanged(one: str, other: str) -> tuple[str, str]:
    """Two units in the other order; the space between them stays where it is."""
    gap, end = one[len(one.rstrip()) :], other[len(other.rstrip()) :]
    return other.rstrip() + gap, one.rstrip() + end


def _claims(made: Vectors, real: Vectors, least: float, count: int) -> list[tuple[float, int, int]]:
    """The nearest real sentences of each made one, the surest first: cosine, made, real."""
    near, cosines = nearest(made, real, min(count, len(real)))
    pairs = zip(near.tolist(), cosines.tolist(), strict=True)
    claims = (
        (cosine, variant, place)
        for variant, (places, likeness) in enumerate(pairs)
        for place, cosine in zip(places, likeness, strict=True)
        if cosine >= least
    )
    return sorted(claims, key=lambda claim: (-claim[0], claim[1:]))


def _row(seed: Seed, text: str, others: Sequence[str], number: int, **extra: object) -> MadeRow:
    return MadeRow("classification", [Turn("user", text)], seed.truth, [seed.id, *others], number, extra)
