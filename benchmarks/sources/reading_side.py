"""sources.1, one side: reads one file and writes what that cost.

    python benchmarks/sources/reading_side.py zhiling|polars|datasets FILE OUT

zhiling makes rows of the record in batches and drops them; Polars and datasets hold all columns of the
file. Imports are not counted. OUT gets CPU and wall seconds, peak memory and the number of rows.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "spine"))

from stages import Stages


def zhiling(file: Path) -> Callable[[], int]:
    """The source `tables`, batch by batch."""
    from zhiling.sources.tables import Tables

    source = Tables(path="*")

    def read() -> int:
        rows = 0
        for batch in source.read([file], file.parent):
            if batch.bad:
                raise SystemExit(f"{batch.bad[0]}: all rows of this file are good")
            rows += batch.rows.height
        return rows

    return read


def polars(file: Path) -> Callable[[], int]:
    """Polars' own reader of the format, with its defaults."""
    import polars as pl

    reader = {".jsonl": pl.read_ndjson, ".csv": pl.read_csv, ".parquet": pl.read_parquet}[file.suffix]
    return lambda: reader(file).height


def datasets(file: Path) -> Callable[[], int]:
    """Hugging Face datasets, from an empty cache."""
    import datasets as peer

    peer.disable_progress_bars()
    kind = {".jsonl": "json", ".csv": "csv", ".parquet": "parquet"}[file.suffix]

    def read() -> int:
        with tempfile.TemporaryDirectory(dir=file.parent) as cache:
            return len(peer.load_dataset(kind, data_files=str(file), split="train", cache_dir=cache))

    return read


def main(side: str, file: str, out: str) -> None:
    """Imports, then reads."""
    read = {"zhiling": zhiling, "polars": polars, "datasets": datasets}[side](Path(file))
    stages = Stages()
    stages.end("start")
    rows = read()
    stages.end("read")
    stages.write(out, {"read": rows})


if __name__ == "__main__":
    main(*sys.argv[1:])
