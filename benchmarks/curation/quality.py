"""curation.quality: quality scores against public truth, on all pairs and on pairs of like length.

    OMP_NUM_THREADS=1 python benchmarks/curation/quality.py

No pretrained language model can be had where this runs, so each of three seeds trains a tiny one (half a
million weights, 4,800 short texts of English and Chinese): the figures show what the steps do, not what a
real model would reach. Truth, in rows that the model has not seen: replies exchanged for others of like
length, of sets that it has learnt from (bitext_support; thucnews_titles: the topic is the reply) and of
others (rasbt_instructions, oasst_zh); rows that people edited in the Chinese Alpaca set, HTML entities apart;
preferred and rejected replies, of which the reward model has seen the other half. Complexity, which needs no
model: questions with more constraints (crosswoz, multiwoz21), more steps of reckoning (gsm8k) or of a higher
school (mmlu, ceval) than the median; rows of odd number, as those of even number chose the marks.
"""

from __future__ import annotations

import gzip
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import polars as pl

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent), str(HERE)]

from quality_models import Pair, write_language_model, write_reward_model  # noqa: E402
from record import record, row  # noqa: E402

from benchmarks.sources.sets import DATA  # noqa: E402
from zhiling.curation.complexity import Complexity  # noqa: E402
from zhiling.curation.ifd import Ifd  # noqa: E402
from zhiling.curation.length_matched import LengthMatched, length_matched, length_matched_pairs  # noqa: E402
from zhiling.curation.reward import Reward  # noqa: E402
from zhiling.pipeline.step import Context, Measure  # noqa: E402
from zhiling.rows.conversation import dialogue, question_text, reply_text  # noqa: E402
from zhiling.text.tokens import token_counts  # noqa: E402

SEEDS = (0, 1, 2)
ROWS = 300
LEARNT = {"bitext_support": 1_500, "thucnews_titles": 2_500}
"""Sets that the model learns from, and rows of even number that it learns; those of odd number are judged."""
LEVELS = {"elementary": 0, "middle": 0, "high": 1, "college": 2, "advanced": 2, "discrete": 2}
SCHOOL = ("math", "physics", "chemistry", "biology", "computer_science")
GOALS = {"exchanged": 0.7, "edited": 0.6, "preferred": 0.6, "complex": 0.6}
Found = dict[tuple[str, str, str], LengthMatched]
"""Step, kind of truth and set → the figures."""


def main() -> None:
    """Measures and records every figure."""
    if not DATA.exists():
        raise SystemExit(f"{DATA} is not here: nothing can be measured")
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(len(SEEDS)) as processes:
        seeds = list(processes.map(one_seed, [Path(folder) / str(seed) for seed in SEEDS], SEEDS))
    results = [figure(key, [each[0][key] for each in seeds]) for key in seeds[0][0]]
    results += [figure(key, [found]) for key, found in complexities()]
    rows = [each for pair in results for each in pair]
    print(record("curation", [*rows, speed([each[1] for each in seeds])]), file=sys.stderr)


def records(name: str) -> list[dict[str, Any]]:
    """The lines of a file of the public folder."""
    with gzip.open(DATA / f"{name}.jsonl.gz", "rt", encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


def asked(one: dict[str, Any]) -> str:
    """Instruction and input."""
    return "\n".join(part for part in (one["instruction"], one.get("input", "")) if part)


def frame(pairs: list[tuple[str, str]]) -> pl.DataFrame:
    """Rows of a question and a reply."""
    questions, replies = zip(*pairs, strict=True)
    messages = dialogue({"user": pl.Series(questions), "assistant": pl.Series(replies)})
    return pl.DataFrame({"id": [f"r{number:05}" for number in range(len(pairs))], "messages": messages})


def one_seed(folder: Path, seed: int) -> tuple[Found, dict[str, float]]:
    """The figures of one seed, and the rows per CPU second of `ifd`, in batches and one by one."""
    told = [
        (asked(one), one["output"])
        for name in ("alpaca_en_demo", "alpaca_zh_demo")
        for one in records(f"llama_factory_demo/{name}")[:400]
    ]
    for name, count in LEARNT.items():
        told += replied(name)[::2][:count]
    texts = [f"{question}\n\n{reply}" for question, reply in told]
    language_model = write_language_model(folder / "lm", texts, seed)
    ifd = Ifd(model=str(language_model))
    found: Found = {}
    for name in (*LEARNT, "rasbt_instructions", "oasst_zh"):
        found |= both("exchanged", name, ifd, *exchanged(name, seed))
    found |= both("edited", "alpaca_zh_10k", ifd, *edited(seed))
    for name in ("rasbt_instructions", "oasst_zh"):
        found |= preferred(folder, name, ifd, seed)
    print(seed, {key: (round(f.share, 3), round(f.matched, 3)) for key, f in found.items()}, file=sys.stderr)
    return found, speeds(ifd, exchanged("rasbt_instructions", seed)[0])


def both(kind: str, name: str, ifd: Ifd, rows: pl.DataFrame, good: Any) -> Found:
    """What `ifd` and `perplexity` (its loss given the question) say; higher is worse with both."""
    seen = rows.filter(ifd.applies(rows))
    good = good[ifd.applies(rows).to_numpy()]
    told = ifd.measure(seen, Context(step_id="x"))
    fine = told["failure"].is_null().to_numpy()
    lengths = token_counts(reply_text(seen["messages"])).to_numpy().astype(float)[fine]
    columns = {"ifd": "score", "perplexity": "reply_loss"}
    return {
        (step, kind, name): length_matched(-told[column].to_numpy()[fine], lengths, good[fine])
        for step, column in columns.items()
    }


def replied(name: str) -> list[tuple[str, str]]:
    """Questions and replies of a set; of headlines the topic is the reply."""
    if name == "bitext_support":
        return [(one["instruction"], one["response"]) for one in records(f"{name}/v1_short_responses")]
    if name == "thucnews_titles":
        return [(one["text"], one["label"]) for one in records(f"{name}/dev")]
    file = {"rasbt_instructions": "instruction_data_1100", "oasst_zh": "oaast_sft_zh"}[name]
    return [(asked(one), one["output"]) for one in records(f"{name}/{file}") if not one.get("history")]


def exchanged(name: str, seed: int) -> tuple[pl.DataFrame, Any]:
    """Rows of which every second one has another reply of like length, and which are right."""
    told = replied(name)[1::2] if name in LEARNT else replied(name)
    told = [pair for pair in told if all(pair) and len(pair[1]) < 400]
    draws = np.random.default_rng(seed)
    told = [told[place] for place in draws.permutation(len(told))[:ROWS]]
    replies = sorted({reply for _, reply in told}, key=len)
    good = np.arange(len(told)) % 2 == 0
    for place in np.flatnonzero(~good):
        question, own = told[place]
        others = sorted((abs(len(each) - len(own)), draws.random(), each) for each in replies if each != own)
        told[place] = question, others[0][2]
    return frame(told), good


def edited(seed: int) -> tuple[pl.DataFrame, Any]:
    """Rows that people changed, but for HTML entities, and as many others; which those are."""
    labels = {one["id"]: one["flags"] for one in records("alpaca_zh_10k/edit_labels")}
    every = records("alpaca_zh_10k/alpaca_zh")
    bad = [one for one in every if labels.get(one["id"]) == []]
    rest = [one for one in every if one["id"] not in labels]
    chosen = np.random.default_rng(seed).choice(len(rest), len(bad), replace=False)
    rows = bad + [rest[place] for place in chosen]
    return frame([(asked(one), one["output"]) for one in rows]), np.arange(len(rows)) >= len(bad)


def preferences(name: str) -> list[Pair]:
    """Question, better and worse reply."""
    if name == "rasbt_instructions":
        told = [(asked(one), one["chosen"], one["rejected"]) for one in records(f"{name}/preference_1100")]
    else:
        ranked = [one for one in records(f"{name}/oaast_rm_zh") if len(one["output"]) > 1]
        told = [(asked(one), one["output"][0], one["output"][-1]) for one in ranked]
    return [pair for pair in told if pair[1].strip() and pair[2].strip() and pair[1] != pair[2]]


def preferred(folder: Path, name: str, ifd: Ifd, seed: int) -> Found:
    """How often the preferred reply wins, of pairs that the reward model has not seen."""
    pairs = preferences(name)
    order = np.random.default_rng(seed).permutation(len(pairs))
    learnt, judged = ([pairs[place] for place in part] for part in np.array_split(order, 2))
    judged = judged[: ROWS // 2]  # each has two replies
    model = write_reward_model(folder / f"reward-{name}", Path(ifd.model), learnt, seed)
    rows = [frame([(pair[0], pair[side]) for pair in judged]) for side in (1, 2)]
    steps: dict[str, tuple[Measure, str, float]] = {
        "reward": (Reward(model=str(model)), "score", 1.0),
        "ifd": (ifd, "score", -1.0),
        "perplexity": (ifd, "reply_loss", -1.0),
    }
    found: Found = {}
    for step, (measure, column, sign) in steps.items():
        told = [measure.measure(side, Context(step_id="x")) for side in rows]
        fine = (told[0]["failure"].is_null() & told[1]["failure"].is_null()).to_numpy()
        better, worse = (
            (
                sign * answer[column].to_numpy()[fine],
                token_counts(reply_text(side["messages"])).to_numpy().astype(float)[fine],
            )
            for answer, side in zip(told, rows, strict=True)
        )
        found[step, "preferred", name] = length_matched_pairs(better, worse)
    return found


def complexities() -> Iterator[tuple[tuple[str, str, str], LengthMatched]]:
    """What `complexity` says of questions whose truth lies above the median."""
    for name, told in questions():
        odd = told[1::2]
        rows = frame([(question, "-") for question, _ in odd])
        truth = np.array([value for _, value in odd])
        lengths = token_counts(question_text(rows["messages"])).to_numpy().astype(float)
        score = Complexity().measure(rows, Context(step_id="x"))["score"].to_numpy()
        yield ("complexity", "complex", name), length_matched(score, lengths, truth > np.median(truth))


def questions() -> Iterator[tuple[str, list[tuple[str, int]]]]:
    """Sets of questions with how complex each is."""
    yield (
        "crosswoz",
        [("".join(one["task_description"]), len(one["goal"])) for one in records("crosswoz/val")],
    )
    yield "multiwoz21", [(". ".join(one["goal"]), slots(one)) for one in records("multiwoz21/val")]
    yield "gsm8k", [(one["question"], one["answer"].count("<<")) for one in records("gsm8k/train")]
    for name in ("mmlu", "ceval"):
        told = [(one["question"], one["subject"]) for one in records(f"{name}/val")]
        graded = [(text, LEVELS.get(subject.split("_")[0]), subject) for text, subject in told]
        yield (
            name,
            [
                (text, level)
                for text, level, subject in graded
                if level is not None and any(word in subject for word in SCHOOL)
            ],
        )


def slots(one: dict[str, Any]) -> int:
    """How many different things the user of a dialogue asks for or tells."""
    acts = [turn["dialog_act"] or {} for turn in one["turns"] if turn["speaker"] == "user"]
    return len({(act, slot[0]) for each in acts for act, told in each.items() for slot in told})


def speeds(ifd: Ifd, rows: pl.DataFrame) -> dict[str, float]:
    """Rows per CPU second in batches and one by one."""
    found: dict[str, float] = {}
    for name, step in {"batches": ifd, "one by one": ifd.model_copy(update={"batch_tokens": 1})}.items():
        start = time.process_time()
        step.measure(rows, Context(step_id="x"))
        found[name] = rows.height / (time.process_time() - start)
    return found


def figure(key: tuple[str, str, str], found: list[LengthMatched]) -> list[dict[str, Any]]:
    """Two rows of results: all pairs, and pairs of like length where there are any."""
    step, kind, name = key
    longer, correlation = (
        float(np.mean([getattr(each, of) for each in found])) for of in ("longer", "correlation")
    )
    note = "n counts pairs" + ("" if step == "complexity" else "; a tiny model, mean of three seeds")
    alike = np.isnan(correlation)  # all have one length
    beside_length = "" if alike else f"; rank correlation with length {correlation:.2f}"
    made: list[dict[str, Any]] = []
    for suffix, values, pairs in (
        ("", [each.share for each in found], np.mean([each.pairs for each in found])),
        (".matched", [each.matched for each in found], np.mean([each.matched_pairs for each in found])),
    ):
        if not np.isfinite(values).all():
            continue
        several = len(values) > 1
        made.append(
            row(
                f"curation.quality.{step}.{kind}.{name}{suffix}",
                f"`{step}`: {WORDS[kind]}, {name}" + (", pairs of like length" if suffix else ""),
                round(float(np.mean(values)), 3), GOALS[kind], "higher", step=step,
                low=round(min(values), 3) if several else None,
                high=round(max(values), 3) if several else None,
                n=round(float(pairs)), unit="AUROC", data=name,
                beside={} if suffix else {"length alone": round(longer, 3)},
                note=note if suffix else note + beside_length,
            )
        )  # fmt: skip
    return made


WORDS = {
    "exchanged": "right replies against exchanged ones",
    "edited": "rows left alone against rows that people edited",
    "preferred": "preferred against rejected replies",
    "complex": "questions above the median against the others",
}


def speed(measured: list[dict[str, float]]) -> dict[str, Any]:
    """Rows per CPU second in batches over one by one."""
    ratios = [each["batches"] / each["one by one"] for each in measured]
    return row(
        "curation.quality.ifd.speed", "rows per CPU second: `ifd` in batches over one row at a time",
        round(float(np.mean(ratios)), 2), 1.0, "higher", low=round(min(ratios), 2),
        high=round(max(ratios), 2), n=ROWS, unit="times", data="rasbt_instructions",
        beside={f"{name}, rows per CPU s": round(float(np.mean([each[name] for each in measured])), 1)
                for name in measured[0]},
        note="one thread; a GPT-2 of two layers and 96 columns",
    )  # fmt: skip


if __name__ == "__main__":
    main()
