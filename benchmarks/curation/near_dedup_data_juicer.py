"""Near-duplicates with data-juicer's document_minhash_deduplicator: 128 permutations, 16 bands of 8, words.

    python near_dedup_data_juicer.py CORPUS OUT PAIRS.npy

Words are cut at spaces, its default. Nothing is verified; of a cluster the first row stays.
"""

from __future__ import annotations

import sys
import tempfile

import numpy as np
from data_juicer.ops.deduplicator import document_minhash_deduplicator as module
from datasets import disable_progress_bars, load_dataset

COLUMNS = ("instruction", "input", "output")


class Told(module.UnionFind):
    """The clusters, which data-juicer does not hand out."""

    made: list[Told] = []

    def __init__(self) -> None:
        """Remembers itself."""
        super().__init__()
        self.made.append(self)


def joined(rows: dict[str, list[str]]) -> dict[str, list[str]]:
    """The one column that data-juicer reads."""
    return {"text": ["\n".join(parts) for parts in zip(*(rows[name] for name in COLUMNS), strict=True)]}


def main(corpus: str, out: str, pairs: str) -> None:
    """The whole job: read, sign, meet, write."""
    disable_progress_bars()
    module.UnionFind = Told
    step = module.DocumentMinhashDeduplicator(
        window_size=5, num_permutations=128, num_bands=16, num_rows_per_band=8, jaccard_threshold=0.8
    )
    with tempfile.TemporaryDirectory() as cache:
        rows = load_dataset("json", data_files=corpus, split="train", cache_dir=cache)
        signed = rows.map(joined, batched=True).map(step.compute_hash, num_proc=2)
        kept, _ = step.process(signed)
        kept.remove_columns("text").to_json(out, force_ascii=False)
    (clusters,) = Told.made
    told = [(clusters.find(number), number) for number in range(len(rows))]
    told = [(head, number) for head, number in told if head != number]
    np.save(pairs, np.array(told, dtype=np.int64).reshape(-1, 2))


if __name__ == "__main__":
    main(*sys.argv[1:])
