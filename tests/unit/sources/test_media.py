"""Media: references become hashes and facts, or problems; nothing is fetched, nothing outside is read."""

from __future__ import annotations

import base64
import struct
import zlib
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.unit.sources.pictures import animation, picture, png
from zhiling.sources.pictures import pictures
from zhiling.sources.pictures.media import Kind, MediaReader, Medium, files_of
from zhiling.sources.problem import Problem


def reader(root: Path, **settings: Any) -> MediaReader:
    return MediaReader(folder=root / "data", root=root, **settings)


def problem(found: Medium | Problem) -> str:
    assert isinstance(found, Problem)
    assert found.message
    return found.cls


def medium(found: Medium | Problem) -> Medium:
    assert isinstance(found, Medium), found
    return found


def test_a_picture_is_hashed_and_decoded(tmp_path: Path) -> None:
    path = picture(tmp_path / "data" / "图片" / "1.png")
    found = medium(reader(tmp_path).read("图片/1.png", "image"))
    assert found.path == "data/图片/1.png"
    assert found.sha256 == sha256(path.read_bytes()).hexdigest()
    assert found.size == path.stat().st_size
    assert found.facts == {"width": 8, "height": 6, "format": "PNG", "mode": "RGB"}
    assert found.part(3) == {"kind": "image", "path": found.path, "sha256": found.sha256, "at": 3}


def test_rotated_animated_printed_and_deep_pictures(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    folder = tmp_path / "data"
    picture(folder / "turned.jpg", exif=exif)
    animation(folder / "moving.gif", 3)
    picture(folder / "print.jpg", mode="CMYK")
    picture(folder / "deep.png", mode="I;16")
    media = reader(tmp_path)
    facts = {
        name: medium(media.read(name, "image")).facts
        for name in ("turned.jpg", "moving.gif", "print.jpg", "deep.png")
    }
    assert (facts["turned.jpg"]["orientation"], facts["turned.jpg"]["width"]) == (6, 8)
    assert facts["moving.gif"]["frames"] == 3
    assert facts["print.jpg"]["mode"] == "CMYK"
    assert facts["deep.png"]["mode"] == "I;16"


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("absent.png", "missing_media"),
        ("", "missing_media"),
        ("a\0b", "missing_media"),
        ("x" * 5000, "unreadable_media"),
        (".", "missing_media"),
        ("../../outside.png", "outside_folder"),
        ("/etc/passwd", "outside_folder"),
        ("link.png", "outside_folder"),
        ("http://example.org/1.png", "not_local"),
        ("HTTPS://[bad/1.png", "not_local"),
        ("s3://bucket/1.png", "not_local"),
        ("file://elsewhere/1.png", "not_local"),
        ("text.png", "undecodable_image"),
        ("empty.png", "undecodable_image"),
        ("cut.png", "undecodable_image"),
        ("vector.eps", "undecodable_image"),
        ("data:image/png;base64", "broken_data_address"),
        ("data:image/png;base64,@@@", "broken_data_address"),
        ("data:,hello", "undecodable_image"),
    ],
)
def test_what_cannot_be_used_is_told(tmp_path: Path, name: str, cls: str) -> None:
    root = tmp_path / "root"
    folder = root / "data"
    picture(tmp_path / "outside.png")
    folder.mkdir(parents=True)
    (folder / "link.png").symlink_to(tmp_path / "outside.png")
    (folder / "text.png").write_text("这不是图片", encoding="utf-8")
    (folder / "empty.png").touch()
    (folder / "cut.png").write_bytes(png((300, 300))[:-40])
    (folder / "vector.eps").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EOF\n")
    assert problem(reader(root).read(name, "image")) == cls


def test_limits_are_checked_before_a_pixel_is_decoded(tmp_path: Path) -> None:
    picture(tmp_path / "data" / "1.png", (40, 30))
    assert problem(reader(tmp_path, max_pixels=1199).read("1.png", "image")) == "too_many_pixels"
    assert problem(reader(tmp_path, max_bytes=10).read("1.png", "image")) == "media_too_large"
    medium(reader(tmp_path, max_pixels=1200).read("1.png", "image"))
    bomb = png()
    head = struct.pack(">II", 60_000, 60_000) + bomb[24:29]  # the header says 3.6 billion pixels
    bomb = bomb[:16] + head + struct.pack(">I", zlib.crc32(b"IHDR" + head)) + bomb[33:]
    (tmp_path / "data" / "bomb.png").write_bytes(bomb)
    assert problem(reader(tmp_path).read("bomb.png", "image")) == "too_many_pixels"


def test_paths_below_the_recipe_and_local_addresses_are_read(tmp_path: Path) -> None:
    path = picture(tmp_path / "other" / "a b.png")
    media = reader(tmp_path)
    (tmp_path / "data").mkdir()
    told = {
        medium(media.read(name, "image")).path
        for name in ("../other/a b.png", str(path), f"file://{path.parent}/a%20b.png", " ../other/a b.png")
    }
    assert told == {"other/a b.png"}


def test_an_inline_picture_is_decoded_and_keeps_its_address(tmp_path: Path) -> None:
    address = "data:image/png;base64," + base64.b64encode(png()).decode()
    found = medium(reader(tmp_path).read(address, "image"))
    assert (found.path, found.sha256) == (address, sha256(png()).hexdigest())
    assert found.facts["width"] == 8


@pytest.mark.parametrize("kind", ["audio", "video"])
def test_sound_and_video_are_hashed_only(tmp_path: Path, kind: Kind) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "1.bin").write_bytes(b"sound")
    media = reader(tmp_path, max_bytes=1)
    found = medium(media.read("1.bin", kind))
    assert (found.sha256, found.size, found.facts) == (sha256(b"sound").hexdigest(), 5, {})
    assert problem(media.read("2.bin", kind)) == "missing_media"


def test_without_pillow_an_image_is_hashed_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures.importlib.util, "find_spec", lambda name: None)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "1.png").write_bytes(b"not a picture")
    assert medium(reader(tmp_path, decode=pictures.can_decode()).read("1.png", "image")).facts == {}
    with pytest.raises(pictures.MissingExtra, match=r'pip install "zhiling\[images\]"'):
        pictures.require_pillow()


def test_files_of_references_are_those_that_are_there(tmp_path: Path) -> None:
    one, two = picture(tmp_path / "data" / "1.png"), picture(tmp_path / "data" / "2.png")
    names = ["2.png", "1.png", "1.png", "3.png", "http://example.org/1.png", "data:,x", "/etc/passwd"]
    assert files_of(names, tmp_path / "data", tmp_path) == [one, two]


@given(
    st.binary(max_size=200),
    st.integers(0, 200),
    st.sampled_from(["PNG", "GIF", "JPEG", "BMP", "TIFF", "WEBP"]),
)
def test_no_bytes_crash_the_decoder(noise: bytes, cut: int, kind: str) -> None:
    content = BytesIO()
    Image.new("RGB", (16, 16)).save(content, format=kind)
    whole = content.getvalue()
    for each in (noise, whole[:cut] + noise, whole[:cut] + noise + whole[cut + len(noise) :]):
        found = pictures.picture_facts(each)
        assert isinstance(found, Problem) or found["width"] > 0
