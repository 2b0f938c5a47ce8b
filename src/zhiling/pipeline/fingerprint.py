"""Keys of steps and rows: what a result depends on, and nothing else.

A stage's `base_key` covers the step (name, version, settings, contents of the files it names, encoder,
seed, id); its `key` adds the rows that it was given. Every setting is hashed by construction: one that
cannot change a result leaves only by standing in the step's `NOT_IDENTITY` with its reason.
"""

from __future__ import annotations

import glob
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl

from zhiling.errors import MissingInput
from zhiling.pipeline.step import Source, Step
from zhiling.rows.schema import CONTENT_COLUMNS, HASH_BYTES, SCHEME_VERSION, digest

_CHUNK_BYTES = 1 << 20


def canonical(value: Any) -> bytes:
    """JSON with sorted keys: equal values give equal bytes in every process."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)


def file_digest(path: Path) -> str:
    """The hash of a file's contents (not of its name or time)."""
    hasher = blake2b(digest_size=HASH_BYTES)
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            hasher.update(chunk)
    return hasher.hexdigest()


def matching(patterns: Sequence[str], root: Path, *, what: str) -> list[Path]:
    """The files that globs match, sorted, each once.

    Raises:
        MissingInput: a pattern that matches nothing.
    """
    found: dict[Path, None] = {}
    for pattern in patterns:
        paths = sorted(glob.glob(str(root / pattern), recursive=True))
        files = [Path(path) for path in paths if Path(path).is_file()]
        if not files:
            raise MissingInput(f"{what}: nothing matches {pattern!r}", hint=f"looked in {root}")
        found |= dict.fromkeys(files)
    return list(found)


def settings_of(component: Step | Source) -> dict[str, Any]:
    """A component's settings that shape its result."""
    return component.model_dump(mode="json", exclude=set(component.NOT_IDENTITY))


def base_key(step: Step, step_id: str, *, seed: int, root: Path, encoder: str | None, round: int = 0) -> str:
    """The hash of everything but the rows that shapes a step's result."""
    files = [file_digest(path) for path in matching(step.files(), root, what=f"step {step_id!r}")]
    identity = {
        "scheme": SCHEME_VERSION,
        "step": [step_id, step.name, step.version],
        "settings": settings_of(step),
        "files": files,
        "encoder": encoder if step.uses_encoder() else None,
        "seed": seed,
        "round": round,
    }
    return digest(canonical(identity))


def source_key(source: Source, source_id: str, files: Sequence[Path], root: Path) -> str:
    """The hash of a source: its settings, and the names and contents of its files."""
    named = [
        [path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name, file_digest(path)]
        for path in files
    ]
    return digest(
        canonical([SCHEME_VERSION, source_id, source.name, source.version, settings_of(source), named])
    )  # fmt: skip


def row_keys(rows: pl.DataFrame, columns: Sequence[str], *, by_group: bool = False) -> pl.Series:
    """What a step's answer for each row depends on, as UInt64.

    An id fixes messages, alternatives, tools and target, so only other columns are hashed beside it.

    Args:
        rows: `id` and the columns that the step reads; `group` too where `by_group`.
        columns: what the step reads.
        by_group: the key also covers all rows of the row's group.
    """
    others = [name for name in columns if name not in CONTENT_COLUMNS and name != "id"]
    # An id is a hash already; its first half is as good as a hash of it.
    keys = rows["id"].str.slice(0, 16).str.decode("hex").bin.reinterpret(dtype=pl.UInt64, endianness="big")
    if others:
        keys = keys ^ _value_hashes(rows.select(pl.struct(others).struct.json_encode()).to_series())
    if not by_group:
        return keys.alias("key")
    # A sum is independent of order; mixing with the row's own key keeps rows of one group apart.
    frame = pl.DataFrame({"key": keys, "group": rows["group"]}).with_columns(
        pl.when(pl.col("group").is_null())
        .then(pl.col("key"))
        .otherwise(pl.col("key").reinterpret(signed=True).cast(pl.Int128).sum().over("group").mod(2**63))
        .cast(pl.UInt64)
        .alias("whole")
    )
    return frame.select((pl.col("key") ^ (pl.col("whole") // 3)).alias("key")).to_series()


def _value_hashes(values: pl.Series) -> pl.Series:
    """A 64-bit hash of each value; each distinct value is hashed once."""
    ranks = values.rank("dense").to_numpy() - 1
    distinct = values.unique().sort().to_list()
    hashed = b"".join(blake2b(value.encode(), digest_size=8).digest() for value in distinct)
    return pl.Series("value", np.frombuffer(hashed, dtype="<u8")[ranks])


def input_digest(keys: pl.Series) -> str:
    """The hash of a set of row keys; their order does not matter."""
    return digest(np.sort(keys.to_numpy()).astype("<u8").tobytes())
