"""curation.3: near-duplicates among short Chinese texts, planted at a Jaccard similarity of .7 to 1.

    python benchmarks/curation/near_dedup_chinese.py

30,000 sentences and headlines (tatoeba, THUCNews titles, cmrc2018 and alpaca_zh questions, 8 to 60
characters); each of three seeds plants 2,000 copies with one to three characters replaced, dropped or put in,
or punctuation changed. Wanted are the planted pairs of .7 or more by plain Python over character 5-grams;
precision is the share of the pairs told that reach .7.
"""

from __future__ import annotations

import gzip
import json
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from sides import share  # noqa: E402

sys.path.insert(0, str(HERE.parent / "spine"))
from measured import peer_python, versions  # noqa: E402
from record import record  # noqa: E402
from reference import similarities  # noqa: E402

from zhiling.text.union_find import components  # noqa: E402

DATA = HERE.parents[1].parent / "shared" / "data"
SOURCES = {
    "tatoeba_en_zh/en_zh": "zh",
    "thucnews_titles/dev": "text",
    "cmrc2018/trial": "question",
    "alpaca_zh_10k/alpaca_zh": "instruction",
}
SIDES = {
    "zhiling": "zhiling_fast",
    "datasketch": "datasketch",
    "datasketch characters": "datasketch",
    "rensa": "rensa",
}
ROWS, PLANTED, SEEDS, THRESHOLD = 30_000, 2_000, (1, 2, 3), 0.7


def sentences() -> list[str]:
    """Distinct short texts of all sources, in a fixed order."""
    found: list[str] = []
    for name, field in SOURCES.items():
        with gzip.open(DATA / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
            found += [
                text for text in (json.loads(line)[field].strip() for line in lines) if 8 <= len(text) <= 60
            ]
    return list(dict.fromkeys(found))


def edited(text: str, draw: random.Random, alphabet: str) -> str:
    """The text with one to three characters changed, or only its punctuation."""
    if draw.random() < 0.15:
        return text.translate(str.maketrans("，。！？", ",.!?")) + draw.choice(("！", "。。", " "))
    characters = list(text)
    for _ in range(draw.choice((1, 1, 2, 3))):
        place = draw.choice((0, len(characters) - 1, draw.randrange(len(characters))))
        characters[place : place + draw.choice((0, 1))] = draw.choice(([draw.choice(alphabet)], []))
    return "".join(characters)


def judged(seed: int, folder: Path) -> dict[str, tuple[list[bool], list[bool]]]:
    """For each side: was each wanted pair found, and is each pair told right?"""
    draw = random.Random(seed)
    rows = draw.sample(sentences(), ROWS)
    alphabet = "".join(rows)
    originals = draw.sample(range(ROWS), PLANTED)
    rows += [edited(rows[number], draw, alphabet) for number in originals]
    planted = [(number, ROWS + copy) for copy, number in enumerate(originals)]
    wanted = [p for p, value in zip(planted, similarities(rows, planted), strict=True) if value >= THRESHOLD]
    corpus = folder / "short.jsonl"
    corpus.write_text("".join(json.dumps({"text": text}) + "\n" for text in rows), encoding="utf-8")
    answers: dict[str, tuple[list[bool], list[bool]]] = {}
    for side, environment in SIDES.items():
        out = folder / "pairs.npy"
        subprocess.run(
            [peer_python(environment), HERE / "near_dedup_short.py", side, corpus, out], check=True
        )
        pairs = np.load(out)
        labels = components(len(rows), pairs[:, 0], pairs[:, 1])
        told = [(int(left), int(right)) for left, right in pairs]
        right = [value >= THRESHOLD - 1e-9 for value in similarities(rows, told)]
        answers[side] = [bool(labels[a] == labels[b]) for a, b in wanted], right or [True]
    return answers


def main() -> None:
    """Measure and record."""
    found: dict[str, tuple[list[bool], list[bool]]] = {side: ([], []) for side in SIDES}
    with tempfile.TemporaryDirectory() as folder:
        for seed in SEEDS:
            for side, (hits, right) in judged(seed, Path(folder)).items():
                found[side][0].extend(hits)
                found[side][1].extend(right)
    data = f"{ROWS} texts of {', '.join(name.split('/')[0] for name in SOURCES)}, {len(SEEDS)} seeds"
    what = ("short Chinese near-duplicates found, planted at .7 to 1", "pairs told that reach .7")
    lines = []
    for place, (letter, goal) in enumerate((("a", 0.98), ("b", 0.99))):
        beside = {
            side: round(statistics.fmean(each[place]), 4) for side, each in found.items() if side != "zhiling"
        }
        lines.append(
            share(f"curation.3{letter}", what[place], goal, found["zhiling"][place], beside=beside, data=data)
        )
    peers = versions(peer_python("datasketch"), ["datasketch"]) | versions(peer_python("rensa"), ["rensa"])
    path = record("curation", lines, peers)
    for line in lines:
        print(f"{line['id']}  {line['what']}: {line['value']} (goal {line['goal']}) {line['beside']}")
    print(f"-> {path}")


if __name__ == "__main__":
    main()
