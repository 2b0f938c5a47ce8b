"""The record: what `content` counts of media."""

from __future__ import annotations

from typing import Any

import polars as pl

from zhiling.rows.schema import ROW, content_hashes


def hashed(*media: dict[str, Any]) -> list[str]:
    rows = [
        {**dict.fromkeys(ROW), "messages": [{"role": "user", "text": "看", "media": [each]}]}
        for each in media
    ]
    return content_hashes(pl.DataFrame(rows, schema=ROW)).to_list()


def image(path: str, sha256: str | None, at: int = 0) -> dict[str, Any]:
    return {"kind": "image", "path": path, "sha256": sha256, "at": at}


def test_media_count_by_their_hash_and_place_wherever_the_file_stands() -> None:
    here, there, other, later = hashed(
        image("a.png", "1"), image("b/a.png", "1"), image("a.png", "2"), image("a.png", "1", at=1)
    )
    assert here == there
    assert len({here, other, later}) == 3


def test_media_without_a_hash_count_by_their_address() -> None:
    first, again, other = hashed(
        *(image(f"https://example.com/{name}.png", None) for name in ("a", "a", "b"))
    )
    assert first == again
    assert first != other
