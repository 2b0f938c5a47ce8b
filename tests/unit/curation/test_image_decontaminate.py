"""Rows that show an evaluation picture leave, copies of it too; what cannot be read is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image

from tests.unit.curation.frames import reasons
from tests.unit.curation.test_image_dedup import album, encoded, print_of, scene
from zhiling.curation.hamming import agreement, nearest
from zhiling.curation.image_decontaminate import ImageDecontaminate
from zhiling.errors import DamagedFile, MissingInput
from zhiling.pipeline.step import Context


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for seed in (1, 2):
        (tmp_path / f"eval-{seed}.png").write_bytes(encoded(scene(seed)))
    return tmp_path


def decided(root: Path, frame: pl.DataFrame, **values: Any) -> pl.DataFrame:
    step = ImageDecontaminate(against=("eval-*.png",), **values)
    return step.decide(frame, Context(step_id="x", root=root))


def test_evaluation_pictures_and_their_copies_leave_and_others_stay(root: Path) -> None:
    smaller = encoded(scene(2).resize((180, 120), Image.Resampling.LANCZOS), "JPEG", quality=60)
    frame = album(root, [encoded(scene(1))], [smaller], [encoded(scene(3))], [encoded(scene(4)), smaller])
    answer = decided(root, frame)
    assert reasons(answer) == ["contaminated_picture", "contaminated_picture", None, "contaminated_picture"]
    assert answer["related"].to_list() == ["eval-1.png", "eval-2.png", None, "eval-2.png"]
    assert answer["score"][0] == 1
    assert answer["score"][2] < 0.85


def test_a_picture_that_cannot_be_read_fails_and_a_row_without_any_passes_by(root: Path) -> None:
    frame = album(root, [b"no picture"], [], [encoded(scene(1))])
    assert ImageDecontaminate(against=("eval-*.png",)).applies(frame).to_list() == [True, False, True]
    answer = decided(root, frame)
    assert answer["failure"].to_list() == ["undecodable_image", None, None]
    assert answer["verdict"].to_list()[1:] == ["keep", "reject"]


def test_an_evaluation_file_that_is_no_picture_is_named(root: Path) -> None:
    (root / "eval-3.png").write_text("图片", encoding="utf-8")
    with pytest.raises(DamagedFile, match=r"eval-3\.png.*undecodable_image"):
        decided(root, album(root, [encoded(scene(1))]))


def test_no_evaluation_picture_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MissingInput):
        decided(tmp_path, album(tmp_path, [encoded(scene(1))]))


def test_the_nearest_is_the_one_that_agrees_most() -> None:
    prints = np.array([print_of(encoded(scene(seed))).bits for seed in range(6)])
    best, closeness = nearest(prints[::-1], prints)
    assert best.tolist() == [5, 4, 3, 2, 1, 0]
    assert closeness.tolist() == [1.0] * 6
    told, value = nearest(prints[:1], prints[1:])
    assert value[0] == agreement(np.repeat(prints[:1], 5, axis=0), prints[1:]).max()
    assert told[0] == agreement(np.repeat(prints[:1], 5, axis=0), prints[1:]).argmax()
