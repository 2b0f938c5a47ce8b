"""Pictures that show the same: one stays, whatever its size and format; what cannot be read fails by name."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageEnhance

from tests.unit.curation.frames import reasons, rows, turns
from zhiling.curation.hamming import agreement, near_pairs
from zhiling.curation.image_dedup import ImageDedup
from zhiling.curation.picture_hash import Print, content_print
from zhiling.pipeline.apply import apply
from zhiling.pipeline.step import Context
from zhiling.rows.conversation import flatten, nest


def scene(seed: int, size: tuple[int, int] = (360, 240)) -> Image.Image:
    """Ellipses and rectangles in many colours."""
    draw = np.random.default_rng(seed)
    colours: list[list[int]] = draw.integers(0, 220, size=(21, 3)).tolist()
    picture = Image.new("RGB", size, tuple(colours[20]))
    pen = ImageDraw.Draw(picture)
    for number, (x, y, w, h) in enumerate(draw.random((20, 4)).tolist()):
        left, top = x * size[0], y * size[1]
        box = (left, top, left + (0.1 + 0.3 * w) * size[0], top + (0.1 + 0.3 * h) * size[1])
        (pen.ellipse if number % 2 else pen.rectangle)(box, fill=tuple(colours[number]))
    return picture


def page(seed: int) -> Image.Image:
    """Black bars for words on white: what a scanned page looks like from afar."""
    draw = np.random.default_rng(seed)
    picture = Image.new("L", (420, 560), 255)
    pen = ImageDraw.Draw(picture)
    for line in range(26):
        x = 30
        while x < 380:
            word = int(draw.integers(8, 50))
            pen.rectangle((x, 30 + line * 19, x + word, 40 + line * 19), fill=0)
            x += word + 8
    return picture


def encoded(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    stream = BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def print_of(content: bytes) -> Print:
    found = content_print(content)
    assert isinstance(found, Print)
    return found


def album(root: Path, *pictures: Sequence[bytes], texts: Sequence[str] | None = None) -> pl.DataFrame:
    """Rows r0, r1, … of these pictures, each in a file."""
    media: list[list[dict[str, Any]]] = []
    for row, contents in enumerate(pictures):
        media.append([])
        for place, content in enumerate(contents):
            name = f"{row}-{place}.bin"
            (root / name).write_bytes(content)
            digest = sha256(content).hexdigest()
            media[-1].append({"kind": "image", "path": name, "sha256": digest, "at": None})
    return shown(media, texts)


def shown(media: Sequence[Sequence[dict[str, Any]]], texts: Sequence[str] | None = None) -> pl.DataFrame:
    said = texts or ["What is this? 这是什么？"] * len(media)
    lines = flatten(turns(*[[("user", text)] for text in said])["messages"])
    column = pl.Series("media", [list(each) for each in media], dtype=lines.schema["media"])
    return rows(nest(lines.with_columns(column), [1] * len(media)))


def decided(root: Path, frame: pl.DataFrame, **values: Any) -> pl.DataFrame:
    return ImageDedup(**values).decide(frame, Context(step_id="x", root=root))


def test_scaled_recompressed_and_brighter_copies_go_and_others_stay(tmp_path: Path) -> None:
    original = scene(1)
    copies = [
        encoded(original.resize((180, 120), Image.Resampling.LANCZOS)),
        encoded(original, "JPEG", quality=40),
        encoded(ImageEnhance.Brightness(original).enhance(1.1)),
        encoded(original.convert("L"), "WEBP", quality=80),
    ]
    frame = album(tmp_path, [encoded(original)], *([copy] for copy in copies), [encoded(scene(2))])
    answer = decided(tmp_path, frame)
    assert answer["failure"].to_list() == [None] * 6
    assert answer["cluster"].to_list() == ["r0"] * 5 + ["r5"]
    assert reasons(answer) == [None, *["same_picture"] * 4, None]
    assert all(0.85 <= score <= 1 for score in answer["score"].slice(1, 4))


@pytest.mark.parametrize("kind", [scene, page])
def test_many_pictures_are_told_apart_and_their_copies_found(kind: Any) -> None:
    pictures = [kind(seed) for seed in range(24)]
    prints = np.array([print_of(encoded(picture)).bits for picture in pictures])
    assert not near_pairs(prints, 0.8)[0].size
    halves = [picture.resize((picture.width // 2, picture.height // 2)) for picture in pictures]
    copies = np.array([print_of(encoded(half, "JPEG", quality=75)).bits for half in halves])
    assert agreement(prints, copies).min() > 0.85


def test_one_colour_equals_its_copies_only(tmp_path: Path) -> None:
    white, black = (encoded(Image.new("RGB", (80, 60), colour)) for colour in ("white", "black"))
    answer = decided(tmp_path, album(tmp_path, [white], [black], [white]))
    assert answer["cluster"].to_list() == ["r0", "r1", "r0"]
    assert answer["score"].to_list() == [0.0, 0.0, 1.0]


def test_an_upright_copy_of_a_turned_picture_and_one_on_white(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = encoded(scene(3).rotate(90, expand=True), "JPEG", exif=exif, quality=90)
    see_through = Image.new("RGBA", (360, 240), (0, 0, 0, 0))
    see_through.paste(page(1).convert("RGBA").resize((180, 240)), (90, 0))
    on_white = Image.alpha_composite(Image.new("RGBA", (360, 240), "white"), see_through).convert("RGB")
    frame = album(tmp_path, [encoded(scene(3))], [turned], [encoded(see_through)], [encoded(on_white)])
    assert decided(tmp_path, frame)["cluster"].to_list() == ["r0", "r0", "r2", "r2"]


def test_the_largest_stays_or_the_one_that_is_asked_for(tmp_path: Path) -> None:
    small, large = encoded(scene(1)), encoded(scene(1, (720, 480)))
    frame = album(tmp_path, [small], [large])
    assert decided(tmp_path, frame)["cluster"].to_list() == ["r1", "r1"]
    assert decided(tmp_path, frame, keep="first")["cluster"].to_list() == ["r0", "r0"]


def test_all_pictures_of_a_row_count_and_their_number(tmp_path: Path) -> None:
    one, two, other = (encoded(scene(seed)) for seed in (1, 2, 3))
    frame = album(tmp_path, [one, two], [one, two], [one, other], [one], [two, one])
    assert decided(tmp_path, frame)["cluster"].to_list() == ["r0", "r0", "r2", "r3", "r4"]


def test_other_questions_about_a_picture_can_stay(tmp_path: Path) -> None:
    one = encoded(scene(1))
    frame = album(tmp_path, [one], [one], [one], texts=["What colour?", "什么颜色？", "what  colour"])
    assert decided(tmp_path, frame)["cluster"].to_list() == ["r0"] * 3
    assert decided(tmp_path, frame, same_text=True)["cluster"].to_list() == ["r0", "r1", "r0"]


def test_what_cannot_be_read_fails_by_name_and_removes_nothing(tmp_path: Path) -> None:
    good = encoded(scene(1))
    frame = album(tmp_path, [good], [good], [good], [b"no picture"], [good[: len(good) // 2]], [good, good])
    (tmp_path / "1-0.bin").unlink()
    (tmp_path / "2-0.bin").write_bytes(encoded(scene(2)))
    (tmp_path / "5-1.bin").unlink()
    answer = decided(tmp_path, frame)
    assert answer["failure"].to_list() == [
        None, "missing_media", "changed_media", "undecodable_image", "undecodable_image", "missing_media",
    ]  # fmt: skip
    assert reasons(answer) == [None] * 6


def test_failures_stand_in_the_ledger(tmp_path: Path) -> None:
    frame = album(tmp_path, [encoded(scene(1))], [encoded(scene(1))], [encoded(scene(1))])
    (tmp_path / "1-0.bin").unlink()
    numbered = frame.with_columns(
        pl.Series("n", [0, 1, 2], dtype=pl.UInt32), pl.lit(0, pl.UInt64).alias("key")
    )
    outcome = apply(ImageDedup(), numbered, Context(step_id="x", root=tmp_path))
    assert outcome.ledger.select("verdict", "reason").rows() == [
        ("keep", None), ("failed", "missing_media"), ("reject", "same_picture"),
    ]  # fmt: skip
    assert outcome.measures is not None
    assert outcome.measures["x.cluster"].to_list() == ["r0", "r0"]


def test_pictures_inside_the_row_and_on_the_web(tmp_path: Path) -> None:
    content = encoded(scene(1))
    address = "data:image/png;base64," + base64.b64encode(content).decode()
    inside = {"kind": "image", "path": address, "sha256": sha256(content).hexdigest(), "at": None}
    web = {"kind": "image", "path": "https://example.org/1.png", "sha256": None, "at": None}
    answer = decided(tmp_path, shown([[inside], [inside], [web]]))
    assert answer["cluster"].to_list() == ["r0", "r0", "r2"]
    assert answer["failure"].to_list() == [None, None, "not_local"]


def test_rows_without_pictures_pass_by() -> None:
    frame = turns([("user", "no picture")])
    assert ImageDedup().applies(frame).to_list() == [False]


def test_rows_accepted_before_win(tmp_path: Path) -> None:
    later = album(tmp_path, [encoded(scene(1, (720, 480)))], [encoded(scene(2))])
    content = encoded(scene(1))
    (tmp_path / "before.png").write_bytes(content)
    item = {"kind": "image", "path": "before.png", "sha256": sha256(content).hexdigest(), "at": None}
    before = shown([[item], [item], []]).with_columns(id=pl.Series(["p", "q", "without"]))
    context = Context(step_id="x", root=tmp_path, reference=before)
    assert ImageDedup().decide(later, context)["cluster"].to_list() == ["p", "r1"]


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_the_order_of_rows_changes_nothing(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    root = tmp_path_factory.mktemp("pictures")
    frame = album(root, *[[encoded(scene(each, (60 + 4 * each, 40)))] for each in (1, 2, 1, 3, 2, 1)])
    expected = dict(zip(frame["id"], decided(root, frame)["cluster"], strict=True))
    mixed = frame.sample(fraction=1.0, shuffle=True, seed=seed)
    assert dict(zip(mixed["id"], decided(root, mixed)["cluster"], strict=True)) == expected


@given(st.lists(st.lists(st.integers(0, 7), min_size=2, max_size=2), max_size=40), st.floats(0.3, 1.0))
def test_near_pairs_are_all_pairs(words: list[list[int]], least: float) -> None:
    prints = np.array(words, dtype=np.uint64).reshape(-1, 2)
    left, right, similarity = near_pairs(prints, least)
    found = list(zip(left.tolist(), right.tolist(), strict=True))
    wanted = [
        (i, j)
        for i in range(len(prints))
        for j in range(i + 1, len(prints))
        if agreement(prints[i : i + 1], prints[j : j + 1])[0] >= least - 1e-9
    ]
    assert found == wanted
    assert (similarity >= least - 1e-9).all()
