"""Near-duplicates with Hugging Face datasets and datasketch: JSON lines in and out, as on the other sides.

    python near_dedup_datasketch.py CORPUS OUT PAIRS.npy

Signatures and candidates as in benchmarks/spine/near_dedup_datasketch.py (the peer at its best); a row stays
unless an earlier one shares a bucket with it.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from datasets import disable_caching, disable_progress_bars, load_dataset

sys.path[0] = str(Path(__file__).resolve().parents[1] / "spine")
from near_dedup_datasketch import candidates, signatures  # noqa: E402


def main(corpus: str, out: str, pairs: str) -> None:
    """The whole job: read, shingle, sign, index, query, write."""
    disable_caching()
    disable_progress_bars()
    with tempfile.TemporaryDirectory() as cache:
        rows = load_dataset("json", data_files=corpus, split="train", cache_dir=cache)
        signed = rows.map(signatures, batched=True, remove_columns=rows.column_names).with_format("numpy")
        found = np.array(candidates(signed), dtype=np.int64).reshape(-1, 2)
        kept = np.setdiff1d(np.arange(len(rows)), found[:, 1])
        rows.select(kept).to_json(out, force_ascii=False)
    np.save(pairs, found)


if __name__ == "__main__":
    main(*sys.argv[1:])
