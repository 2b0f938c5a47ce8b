"""Near-duplicates with text-dedup's MinHash command: 128 permutations, 16 bands of 8, its own tokens.

    python near_dedup_text_dedup.py CORPUS OUT PAIRS.npy

Nothing is verified; of a cluster the first row stays.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from datasets import disable_progress_bars, load_dataset, load_from_disk
from text_dedup import minhash

COLUMNS = ("instruction", "input", "output")


def joined(rows: dict[str, list[str]]) -> dict[str, list[str]]:
    """The one column that text-dedup wants."""
    return {"text": ["\n".join(parts) for parts in zip(*(rows[name] for name in COLUMNS), strict=True)]}


def main(corpus: str, out: str, pairs: str) -> None:
    """The whole job: read, sign, meet, write."""
    disable_progress_bars()
    with tempfile.TemporaryDirectory() as folder:
        rows = load_dataset("json", data_files=corpus, split="train", cache_dir=f"{folder}/cache")
        rows.map(joined, batched=True).save_to_disk(f"{folder}/rows")
        options = {
            "path": f"{folder}/rows", "output": f"{folder}/kept", "cache_dir": f"{folder}/cache",
            "column": "text", "ngram": 5, "num_perm": 128, "b": 16, "r": 8,
            "threshold": 0.8, "min_length": 0, "num_proc": 2,
            "hash_func": "xxh3",
        }  # fmt: skip
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        minhash.main.main(["--local", *words], standalone_mode=False)
        kept = load_from_disk(f"{folder}/kept")
        kept.remove_columns("text").to_json(out, force_ascii=False)
    first = [minhash.uf.find(number) for number in range(len(rows))]
    told = [(head, number) for number, head in enumerate(first) if head != number]
    np.save(pairs, np.array(told, dtype=np.int64).reshape(-1, 2))


if __name__ == "__main__":
    Path(sys.argv[2]).parent.mkdir(parents=True, exist_ok=True)
    main(*sys.argv[1:])
