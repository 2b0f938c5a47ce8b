"""adversarial.4: a self-consuming loop that must collapse, and the guards that must see it by round 2.

    OMP_NUM_THREADS=1 python benchmarks/adversarial/collapse.py [en] [zh]

The generator is a trigram language model (words of CLINC150's questions, characters of tatoeba's Chinese
sentences), sampled cool. In the control each round learns from nothing but the output of the round before.
The anchored run learns from real texts and all accepted ones; of 16 times as many candidates it accepts
those that copy no known text, drawn by the odds that a cross-fitted discriminator gives for a real text;
beside it the same without any filter. All are judged by the guards' default limits. Temperature, candidates
and rows of a round were chosen on English samples of seed 0, looked at once in Chinese, and left as they were
for the seeds that are told.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent)]

from record import record, row  # noqa: E402

from benchmarks.sources.sets import DATA  # noqa: E402
from zhiling.adversarial.guards.copies import copied, copying  # noqa: E402
from zhiling.adversarial.guards.judge import fresh_judge  # noqa: E402
from zhiling.adversarial.guards.rounds import Round  # noqa: E402
from zhiling.adversarial.guards.rules import COLLAPSE, Alarm, alarms  # noqa: E402
from zhiling.adversarial.guards.shift import length_shift, topic_shift  # noqa: E402
from zhiling.adversarial.guards.spread import spread  # noqa: E402
from zhiling.adversarial.guards.words import told  # noqa: E402
from zhiling.adversarial.linear import fitted  # noqa: E402
from zhiling.curation.cross_fitting import tempered  # noqa: E402
from zhiling.encoders.hashing import HashingEncoder  # noqa: E402

SEEDS = (1, 2, 3)
ROUNDS = 5
REAL, MADE, CANDIDATES = 3000, 500, 8000
TEMPERATURE = 0.9
ORDER = 3
LONGEST = 60
FOLDS = 5
START, END = "\0", "\1"
ENCODER = HashingEncoder(buckets=512)

Context = tuple[str, ...]
Continuations = tuple[list[str], NDArray[np.float64]]


@dataclass(frozen=True)
class Corpus:
    """Real texts of a language, how they are cut into tokens, and what stands between these."""

    language: str
    name: str
    texts: list[str]
    cut: Callable[[str], Sequence[str]]
    joint: str


def corpus(language: str) -> Corpus:
    """CLINC150's questions, or the Chinese side of tatoeba; of equal texts the first."""
    if language == "en":
        texts: list[str] = [line["text"] for line in _lines("clinc150/data_small") if line["label"] != "oos"]
        return Corpus("en", "clinc150", list(dict.fromkeys(texts)), str.split, " ")
    texts = [line["zh"] for line in _lines("tatoeba_en_zh/en_zh")]
    return Corpus("zh", "tatoeba_en_zh", list(dict.fromkeys(texts)), list, "")


def _lines(name: str) -> Iterator[dict[str, Any]]:
    with gzip.open(DATA / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


class NgramModel:
    """A trigram model, each order smoothed by the next lower one, sampled at `TEMPERATURE`.

    Source: Witten & Bell 1991 (how much weight the lower order gets).
    """

    def __init__(self, texts: Sequence[str], corpus: Corpus) -> None:
        self._joint = corpus.joint
        self._counts: defaultdict[Context, Counter[str]] = defaultdict(Counter)
        self._known: dict[Context, Continuations] = {}
        for text in texts:
            tokens = [START] * (ORDER - 1) + list(corpus.cut(text)) + [END]
            for place in range(ORDER - 1, len(tokens)):
                for size in (1, 2):
                    self._counts[tuple(tokens[place - size : place])][tokens[place]] += 1

    def texts(self, count: int, rng: np.random.Generator) -> list[str]:
        """So many texts, none of them empty."""
        found: list[str] = []
        while len(found) < count:
            text = self._text(rng)
            if text.strip():
                found.append(text)
        return found

    def _text(self, rng: np.random.Generator) -> str:
        tokens: list[str] = []
        context: Context = (START,) * (ORDER - 1)
        while len(tokens) < LONGEST:
            words, ends = self._continuations(context)
            token = words[min(int(np.searchsorted(ends, rng.random())), len(words) - 1)]
            if token == END:
                break
            tokens.append(token)
            context = (*context[1:], token)
        return self._joint.join(tokens)

    def _continuations(self, context: Context) -> Continuations:
        """Tokens that can follow, and their cumulative probabilities."""
        if context not in self._known:
            seen, lower = self._counts[context], self._counts[context[1:]]
            own = seen.total() / (seen.total() + len(seen))
            rest = (1 - own) / lower.total()
            chances = {word: rest * times for word, times in lower.items()}
            for word, times in seen.items():
                chances[word] += own * times / seen.total()
            cooled = np.array(list(chances.values())) ** (1 / TEMPERATURE)
            self._known[context] = list(chances), np.cumsum(cooled / cooled.sum())
        return self._known[context]


class Loop:
    """The two loops over one sample of real texts."""

    def __init__(self, corpus: Corpus, seed: int) -> None:
        self._corpus, self._seed = corpus, seed
        self._rng = np.random.default_rng([seed, len(corpus.texts)])
        self._real = [corpus.texts[place] for place in self._rng.permutation(len(corpus.texts))[:REAL]]
        self._vectors = ENCODER.encode(self._real)

    def control(self) -> Iterator[Round]:
        """Each round learns from the last one's output alone, the first from real texts."""
        made = self._real
        for number in range(1, ROUNDS + 1):
            made = NgramModel(made, self._corpus).texts(MADE, self._rng)
            yield self._figures(number, made)

    def anchored(self, filtered: bool) -> Iterator[Round]:
        """Each round learns from real texts and all accepted ones; unfiltered, from all that were made."""
        known = list(self._real)
        for number in range(1, ROUNDS + 1):
            made = NgramModel(known, self._corpus).texts(CANDIDATES if filtered else MADE, self._rng)
            made = self._accepted(made, known) if filtered else made
            known += made
            yield self._figures(number, made)

    def _accepted(self, candidates: list[str], known: list[str]) -> list[str]:
        """Candidates that copy nothing, drawn without replacement by the odds of being real.

        Source: Efraimidis & Spirakis 2006, Weighted random sampling with a reservoir.
        """
        fresh = pl.Series(list(dict.fromkeys(candidates)))
        fresh = fresh.filter(pl.Series(~copying(fresh, pl.Series(known))))
        vectors = np.concatenate([self._vectors, ENCODER.encode(fresh.to_list())])
        real = (np.arange(len(vectors)) < REAL).astype(np.int64)
        wanted = np.eye(2)[real]
        folds = self._rng.permutation(len(vectors)) % FOLDS
        scores = np.empty(wanted.shape)
        for fold in range(FOLDS):
            held = folds == fold
            scores[held] = fitted(vectors[~held], wanted[~held]).scores(vectors[held])
        chances = tempered(scores, real)[REAL:]
        keys = np.log(self._rng.random(len(fresh))) * chances[:, 0] / chances[:, 1]
        return fresh.gather(np.argsort(-keys, kind="stable")[:MADE]).to_list()

    def _figures(self, number: int, made: list[str]) -> Round:
        """What the guards measure of a round; without a student nothing is said of its use."""
        texts, real, vectors = pl.Series(made), pl.Series(self._real), ENCODER.encode(made)
        return Round(
            number, len(made), utility=0, anchors=0,
            judged=fresh_judge([self._vectors], [vectors], self._seed * 100 + number),
            copied=copied(texts, real),
            spread=spread(texts, real, (vectors, self._vectors), number),
            topics=topic_shift(vectors, self._vectors, number),
            lengths=length_shift(texts, real),
        )  # fmt: skip


def collapses(rounds: Sequence[Round]) -> list[list[Alarm]]:
    """Of each round the alarms of collapse that stop the loop."""
    rung = [alarms(rounds[:last]) for last in range(1, len(rounds) + 1)]
    return [[each for each in found if each.guard in COLLAPSE and each.follows == "stop"] for found in rung]


def first(rounds: Sequence[Round]) -> int:
    """The first round that is stopped; one after the last where none is."""
    return next((number for number, rung in enumerate(collapses(rounds), 1) if rung), len(rounds) + 1)


FIGURES: dict[str, Callable[[Any], float]] = {
    "distinct-2": lambda each: each.spread.distinct.value,
    "Vendi": lambda each: each.spread.vendi.value,
    "stretches copied": lambda each: each.copied.grams.value,
    "repeats": lambda each: each.copied.repeats.value,
    "AUC": lambda each: each.judged.auc,
}


def means(runs: Sequence[Sequence[Round]], number: int) -> dict[str, float]:
    """The figures of a round, mean over the seeds."""
    return {
        f"{name}, round {number}": round(float(np.mean([measure(run[number - 1]) for run in runs])), 3)
        for name, measure in FIGURES.items()
    }


def show(name: str, runs: Sequence[Sequence[Round]]) -> None:
    """The figures of each round, and every alarm of collapse."""
    for number in range(1, ROUNDS + 1):
        print(name, means(runs, number), file=sys.stderr)
    for run in runs:
        lines = [told(each, "en") for rung in collapses(run) for each in rung]
        print(name, *lines, sep="\n  ", file=sys.stderr)


def measured(corpus: Corpus) -> list[dict[str, Any]]:
    """Both rows of a language."""
    loops = [Loop(corpus, seed) for seed in SEEDS]
    control = [list(loop.control()) for loop in loops]
    anchored = [list(loop.anchored(filtered=True)) for loop in loops]
    unfiltered = [list(loop.anchored(filtered=False)) for loop in loops]
    show(f"{corpus.language} control", control)
    show(f"{corpus.language} anchored", anchored)
    show(f"{corpus.language} unfiltered", unfiltered)
    firsts = [first(run) for run in control]
    rings = [sum(map(len, collapses(run))) for run in anchored]
    without = {f"unfiltered: {name}": value for name, value in means(unfiltered, ROUNDS).items()}
    without["unfiltered: alarms"] = sum(len(each) for run in unfiltered for each in collapses(run))
    language = {"en": "English", "zh": "Chinese"}[corpus.language]
    note = f"{len(SEEDS)} seeds; low and high are the extremes; {REAL:,} real texts, {MADE} a round"
    common: dict[str, Any] = {"n": len(SEEDS), "data": corpus.name, "note": note}
    return [
        row(
            f"adversarial.4a.{corpus.language}",
            f"self-consuming control, {language}: latest first alarm of collapse", max(firsts), 2, "lower",
            low=min(firsts), high=max(firsts), unit="round", **common,
            beside=means(control, 1) | means(control, 2) | means(control, ROUNDS),
        ),
        row(
            f"adversarial.4b.{corpus.language}",
            f"anchored run, {language}: alarms of collapse in all rounds", sum(rings), 0, "lower",
            low=min(rings), high=max(rings), unit="alarms", **common,
            beside=means(anchored, 1) | means(anchored, ROUNDS) | without,
        ),
    ]  # fmt: skip


def main() -> None:
    """Measures and records both languages, or those named."""
    if not DATA.exists():
        raise SystemExit(f"{DATA} is not here: nothing can be measured")
    for language in sys.argv[1:] or ("en", "zh"):
        print(record("adversarial", measured(corpus(language))), file=sys.stderr)


if __name__ == "__main__":
    main()
