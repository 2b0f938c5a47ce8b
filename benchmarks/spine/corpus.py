"""A corpus of instruction rows recombined from ../shared/data, with planted exact and edited copies.

    python benchmarks/spine/corpus.py OUT [--rows 130000] [--seed 7] [--data ../shared/data]

writes OUT/corpus.jsonl (instruction, input, output, kind, language) and OUT/pairs.jsonl (left, right: line
numbers from 0; how: exact or edited). Each row takes its instruction from one source row and sentences of its
answer from others, so rows share sentences as real collections do, but are no copies of each other; four of
five are English, one Chinese. 3 % are exact copies, 12 % are copies with words changed, aimed at a Jaccard
similarity between .5 and .98. The text of others stays outside the repository: write OUT to a temporary
folder.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = {
    "en": {
        "alpaca": "alpaca_en_10k/alpaca_en.jsonl.gz",
        "self_instruct": "self_instruct/gpt3_generated_5k_of_82k.jsonl.gz",
        "roleplay": "gpteacher_roleplay/roleplay.jsonl.gz",
        "natural": "natural_instructions/instances.jsonl.gz",
        "dolly": "alpagasus_dolly_3k/dolly_3k.jsonl.gz",
    },
    "zh": {
        "alpaca": "alpaca_zh_10k/alpaca_zh.jsonl.gz",
        "oasst": "oasst_zh/oaast_sft_zh.jsonl.gz",
    },
}
CHINESE_SHARE, EXACT_SHARE, EDITED_SHARE = 0.2, 0.03, 0.12
TARGET_BYTES = {"en": 350, "zh": 350}
WINDOW = 5
SENTENCE_END = {"en": re.compile(r"(?<=[.!?])\s+|\n+"), "zh": re.compile(r"(?<=[。！？；])|\n+")}
UNIT = {"en": re.compile(r"\S+\s*"), "zh": re.compile(r".", re.DOTALL)}


@dataclass
class Pool:
    """What rows of one language are made of."""

    prompts: list[tuple[str, str, str]] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)


def read(path: Path) -> Iterator[dict[str, object]]:
    """The objects of a gzipped JSON-lines file."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def pool(language: str, data: Path) -> Pool:
    """Prompts, sentences and words of all sources of a language."""
    made = Pool()
    for kind, name in SOURCES[language].items():
        for row in read(data / name):
            instruction = str(row.get("instruction") or row.get("task") or "")
            context = str(row.get("input") or "")
            made.prompts.append((kind, instruction, context if len(context) < 240 else ""))
            answer = row.get("output")
            text = f"{context}\n{answer if isinstance(answer, str) else ''}"
            pieces = (piece.strip() for piece in SENTENCE_END[language].split(text))
            made.sentences.extend(piece for piece in pieces if 12 <= len(piece) <= 400)
    for sentence in made.sentences[::7]:
        made.words.extend(UNIT[language].findall(sentence))
    return made


def fresh_row(source: Pool, language: str, draw: random.Random) -> dict[str, str]:
    """A new row: one prompt, and sentences of other rows until the aimed length."""
    kind, instruction, context = draw.choice(source.prompts)
    aim = TARGET_BYTES[language] * draw.lognormvariate(-0.32, 0.8)
    sentences: list[str] = []
    size = len((instruction + context).encode())
    while not sentences or size < aim:
        sentence = draw.choice(source.sentences)
        sentences.append(sentence)
        size += len(sentence.encode())
    output = (" " if language == "en" else "").join(sentences)
    return {
        "instruction": instruction,
        "input": context,
        "output": output,
        "kind": kind,
        "language": language,
    }


def edited(row: dict[str, str], source: Pool, draw: random.Random) -> dict[str, str]:
    """A copy whose answer has units replaced, dropped or put in, aimed at a drawn Jaccard similarity."""
    units = UNIT[row["language"]].findall(row["output"])
    total = sum(len(UNIT[row["language"]].findall(row[name])) for name in ("instruction", "input", "output"))
    similarity = draw.uniform(0.5, 0.98)
    edits = max(1, round(total * (1 - similarity) / (1 + similarity) / WINDOW))
    for _ in range(edits):
        place = draw.randrange(len(units)) if units else 0
        word = draw.choice(source.words)
        units[place : place + draw.choice((0, 1, 1))] = draw.choice(([word], [word], []))
    return row | {"output": "".join(units)}


def corpus(rows: int, seed: int, data: Path) -> tuple[list[dict[str, str]], list[dict[str, object]]]:
    """The rows in their final order, and the planted pairs by line number."""
    draw = random.Random(seed)
    pools = {language: pool(language, data) for language in SOURCES}
    exact, changed = int(rows * EXACT_SHARE), int(rows * EDITED_SHARE)
    base = [
        fresh_row(pools[language], language, draw)
        for language in (
            "zh" if draw.random() < CHINESE_SHARE else "en" for _ in range(rows - exact - changed)
        )
    ]
    originals = draw.sample(range(len(base)), exact + changed)
    copies = [dict(base[number]) for number in originals[:exact]]
    copies += [edited(base[n], pools[base[n]["language"]], draw) for n in originals[exact:]]
    order = list(range(rows))
    draw.shuffle(order)
    line_of = {number: line for line, number in enumerate(order)}
    made = base + copies
    pairs = [
        {
            "left": line_of[original],
            "right": line_of[len(base) + copy],
            "how": "exact" if copy < exact else "edited",
        }
        for copy, original in enumerate(originals)
    ]
    return [made[number] for number in order], pairs


def write(path: Path, rows: list[dict[str, str]] | list[dict[str, object]]) -> None:
    """The rows as JSON lines."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def main() -> None:
    """Write the corpus and the planted pairs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--rows", type=int, default=130_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    rows, pairs = corpus(options.rows, options.seed, options.data)
    write(options.out / "corpus.jsonl", rows)
    write(options.out / "pairs.jsonl", pairs)
    size = (options.out / "corpus.jsonl").stat().st_size / 1e6
    print(f"{len(rows)} rows, {size:.1f} MB, {len(pairs)} planted pairs -> {options.out}")


if __name__ == "__main__":
    main()
