"""Snap: a text that a generator wrote gives way to the real line that is most like it; its label stays."""

from __future__ import annotations

import orjson
import polars as pl

from zhiling.adversarial.features import features
from zhiling.encoders.nearest import nearest
from zhiling.pipeline.step import Encoder


def snapped(rows: pl.DataFrame, lines: pl.DataFrame, least: float, encoder: Encoder) -> pl.DataFrame:
    """The rows, with the messages of the nearest line where the cosine is `least` at least.

    The line becomes a parent, and `extra` tells as `snapped_from` what was written. What is a line already
    stays, as does what no line is like.

    Args:
        rows: `messages`, `text`, `parents`, `extra` and any other column.
        lines: `id`, `messages` and `text` of real lines.
        least: cosine by the encoder, -1 to 1.
        encoder: of texts.
    """
    if not rows.height or not lines.height:
        return rows
    written, real = (features(each["text"].to_list(), encoder).encoder for each in (rows, lines))
    near, cosines = nearest(written, real, 1)
    line = lines[near[:, 0]]
    moves = pl.Series(cosines[:, 0] >= least) & ~rows["text"].is_in(lines["text"].implode())
    extra = pl.Series(
        [
            _told(own, text) if moved else own
            for own, text, moved in zip(rows["extra"], rows["text"], moves, strict=True)
        ],
        dtype=pl.String,
    )
    by_line = pl.DataFrame(
        {
            "messages": line["messages"],
            "text": line["text"],
            "parents": pl.DataFrame([rows["parents"], line["id"]])
            .select(pl.concat_list(pl.all()))
            .to_series(),
        }
    )
    changed = [
        pl.when(moves).then(by_line[name]).otherwise(rows[name]).alias(name) for name in by_line.columns
    ]
    return rows.with_columns(*changed, extra.alias("extra"))


def _told(extra: str | None, text: str) -> str:
    return orjson.dumps({**(orjson.loads(extra) if extra else {}), "snapped_from": text}).decode()
