"""Instruction rows of about 1 KB as JSON Lines, CSV and Parquet: the same rows three times.

    python benchmarks/sources/reading_data.py FOLDER [--megabytes 1000] [--seed 7]

Half of the rows are Chinese. Texts are sentences drawn from a pool that is made of the words below; 30 % of
the texts have line breaks between their sentences, 6 % of the sentences stand in quotes.
"""

from __future__ import annotations

import argparse
import csv
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

EN = (
    "the of a parcel return lamp order please confirm delivery address refund within days answer explain "
    "model language train because result write short summary list three reasons table column reply polite"
)
ZH = "退款订单快递地址确认请问什么时候可以安装灯泡保修期内免费维修发票解释语言模型训练数据质量"
POOL, LINE_BREAKS, QUOTES, INPUTS = 20_000, 0.3, 0.06, 0.4
BYTES = {"instruction": 150, "input": 200, "output": 700}
GROUP_ROWS = 100_000


def sentences(draw: random.Random, language: str) -> list[tuple[str, int]]:
    """The pool of one language, each with its size in bytes."""
    made: list[tuple[str, int]] = []
    for _ in range(POOL):
        words = draw.choices(EN.split() if language == "en" else ZH, k=draw.randint(6, 20))
        text = " ".join(words).capitalize() + "." if language == "en" else "".join(words) + "。"
        text = f'"{text}"' if draw.random() < QUOTES else text
        made.append((text, len(text.encode())))
    return made


def text(draw: random.Random, pool: list[tuple[str, int]], size: int, space: str) -> str:
    """Sentences of at least so many bytes."""
    parts: list[str] = []
    while size > 0:
        part, length = draw.choice(pool)
        parts.append(part)
        size -= length
    return ("\n" if draw.random() < LINE_BREAKS else space).join(parts)


def rows(draw: random.Random) -> Iterator[dict[str, Any]]:
    """Rows without end."""
    pools = {language: sentences(draw, language) for language in ("en", "zh")}
    number = 0
    while True:
        language = "zh" if number % 2 else "en"
        space = "" if language == "zh" else " "
        made: dict[str, Any] = {"id": number}
        for name, size in BYTES.items():
            given = name != "input" or draw.random() < INPUTS
            made[name] = text(draw, pools[language], size, space) if given else ""
        yield made | {"language": language}
        number += 1


def write(folder: Path, size: int, seed: int) -> int:
    """Writes rows.jsonl, rows.csv and rows.parquet, the first of so many bytes; how many rows they have."""
    folder.mkdir(parents=True, exist_ok=True)
    source = rows(random.Random(seed))
    schema = pa.schema([("id", pa.int64()), *((name, pa.string()) for name in (*BYTES, "language"))])
    count = written = 0
    with (
        (folder / "rows.jsonl").open("wb") as lines,
        (folder / "rows.csv").open("w", encoding="utf-8", newline="") as cells,
        pq.ParquetWriter(folder / "rows.parquet", schema, compression="zstd") as groups,
    ):
        table = csv.writer(cells, lineterminator="\n")
        table.writerow(schema.names)
        while written < size:
            group: list[dict[str, Any]] = []
            while len(group) < GROUP_ROWS and written < size:
                row = next(source)
                group.append(row)
                written += lines.write(orjson.dumps(row) + b"\n")
            table.writerows(row.values() for row in group)
            groups.write_table(pa.Table.from_pylist(group, schema=schema))
            count += len(group)
    return count


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    print(write(given.folder, given.megabytes * 1_000_000, given.seed))
