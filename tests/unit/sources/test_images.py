"""Images: folders and records of pictures into rows; what cannot be opened is told, nothing is fetched."""

from __future__ import annotations

import base64
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.unit.sources.pictures import picture, png
from tests.unit.sources.reading import read, said, told, write_jsonl
from zhiling.errors import MissingExtra
from zhiling.pipeline import fingerprint
from zhiling.sources.images import Images
from zhiling.sources.pictures import pictures


def images(**settings: Any) -> Images:
    return Images(path="*", **settings)


def shown(rows: pl.DataFrame) -> list[list[tuple[str, int]]]:
    """Path and place of each row's pictures."""
    return [
        [(each["path"], each["at"]) for message in messages for each in message["media"] or ()]
        for messages in rows["messages"].to_list()
    ]


def test_a_folder_of_pictures_with_captions_beside_them(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    files = [
        picture(folder / name, colour=number) for number, name in enumerate(("a.png", "b.jpg", "c.webp"))
    ]
    (folder / "a.txt").write_text("一只猫\n", encoding="utf-8")
    (folder / "b.json").write_text('{"question": "What is it?", "answer": "A dog.", "rating": 5}')
    rows, bad = read(images(ask="描述"), [*files, folder / "a.txt", folder / "b.json"], tmp_path)
    assert said(rows) == [
        [("user", "描述"), ("assistant", "一只猫")],
        [("user", "What is it?"), ("assistant", "A dog.")],
        [("user", "描述")],
    ]
    assert shown(rows) == [[("photos/a.png", 0)], [("photos/b.jpg", 0)], [("photos/c.webp", 0)]]
    assert rows["task"].to_list() == ["instruction", "instruction", "utterance"]
    assert rows["locator"].to_list() == ["photos/a.png:1", "photos/b.jpg:1", "photos/c.webp:1"]
    assert rows["group"][0] == sha256(files[0].read_bytes()).hexdigest()
    extra = json.loads(rows["extra"][1])
    size = files[1].stat().st_size
    facts = {"width": 8, "height": 6, "format": "JPEG", "mode": "RGB", "bytes": size}
    assert extra == {"rating": 5, "pictures": [facts]}
    assert bad == []


def test_records_name_their_pictures(tmp_path: Path) -> None:
    for number in range(3):
        picture(tmp_path / "data" / "p" / f"{number}.png", colour=number)
    turns = [
        {"role": "user", "content": "<image>Who?"},
        {"role": "assistant", "content": "Ann."},
        {"role": "user", "content": "那这<image>呢？"},
        {"role": "assistant", "content": "李"},
    ]
    spoken = [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "R"}]
    records = [
        {"id": 7, "image": "p/0.png", "caption": "零", "lang": "zh"},
        {"file_name": "p/1.png", "question": "One?", "answer": "Yes.", "user": "u"},
        {"images": ["p/1.png", "p/2.png"], "messages": turns},
        {"images": [{"path": "p/1.png"}, {"path": "p/2.png"}], "question": "Which?"},
        {"picture": "p/2.png", "conversations": spoken},
    ]
    files = [write_jsonl(tmp_path / "data" / f"{n}.jsonl", [record]) for n, record in enumerate(records)]
    rows, bad = read(images(), files, tmp_path)
    assert bad == []
    assert said(rows) == [
        [("user", ""), ("assistant", "零")],
        [("user", "One?"), ("assistant", "Yes.")],
        [("user", "Who?"), ("assistant", "Ann."), ("user", "那这呢？"), ("assistant", "李")],
        [("user", "Which?")],
        [("user", "Q"), ("assistant", "R")],
    ]
    assert shown(rows)[2:] == [
        [("data/p/1.png", 0), ("data/p/2.png", 2)],
        [("data/p/1.png", 0), ("data/p/2.png", 0)],
        [("data/p/2.png", 0)],
    ]
    assert (rows["key"][0], rows["language"][0]) == ("7", "zh")
    assert json.loads(rows["extra"][1])["user"] == "u"
    assert rows["group"].n_unique() == 3


def test_csv_with_a_folder_and_names_of_its_own(tmp_path: Path) -> None:
    picture(tmp_path / "photos" / "1.png")
    file = tmp_path / "a.csv"
    file.write_text('pic,said,shop\n1.png,cat,s1\n"[""1.png"", ""1.png""]",猫,s2\n', encoding="utf-8")
    source = images(fields={"image": "pic", "caption": "said"}, folder="photos", group="shop", task="caption")
    rows, bad = read(source, [file], tmp_path)
    assert (said(rows)[1], rows["task"][0], rows["group"].to_list()) == (
        [("user", ""), ("assistant", "猫")], "caption", ["s1", "s2"],
    )  # fmt: skip
    assert shown(rows) == [[("photos/1.png", 0)], [("photos/1.png", 0)] * 2]
    assert bad == []


def test_what_cannot_be_used_is_told_with_its_place(tmp_path: Path) -> None:
    picture(tmp_path / "good.png")
    (tmp_path / "cut.png").write_bytes(png((200, 200))[:-30])
    data = "data:image/png;base64," + base64.b64encode(png()).decode()
    records: list[Any] = [
        {"image": "good.png", "caption": "a"},
        {"image": "absent.png", "caption": "a"},
        {"image": "cut.png", "caption": "a"},
        {"image": "https://example.org/1.png", "caption": "a"},
        {"image": "../../etc/passwd", "caption": "a"},
        {"image": 5, "caption": "a"},
        {"caption": "a"},
        {"image": "good.png", "caption": ["a"]},
        {"images": ["good.png"], "messages": [{"role": "user", "content": "<image><image>"}]},
        {"images": ["good.png"], "messages": [{"role": "assistant", "content": "r"}]},
        {"images": ["good.png"], "messages": [{"odd": 1}]},
        {"image": data, "caption": "a"},
    ]
    rows, bad = read(images(), [write_jsonl(tmp_path / "a.jsonl", records)], tmp_path)
    assert rows["locator"].to_list() == ["a.jsonl:1", "a.jsonl:12"]
    assert dict(told(bad)) | {"a.jsonl:11": ""} == {
        "a.jsonl:2": "missing_media", "a.jsonl:3": "undecodable_image", "a.jsonl:4": "not_local",
        "a.jsonl:5": "outside_folder", "a.jsonl:6": "wrong_type", "a.jsonl:7": "no_picture",
        "a.jsonl:8": "wrong_type", "a.jsonl:9": "media_mismatch", "a.jsonl:10": "no_user", "a.jsonl:11": "",
    }  # fmt: skip


def test_broken_files_of_a_folder_cost_only_themselves(tmp_path: Path) -> None:
    good, cut, odd = picture(tmp_path / "a.png"), tmp_path / "b.png", picture(tmp_path / "c.png")
    cut.write_bytes(b"GIF89a")
    (tmp_path / "c.json").write_text("[1]")
    big = picture(tmp_path / "d.png", (50, 50))
    rows, bad = read(images(max_pixels=2000), [good, cut, odd, big], tmp_path)
    assert rows["locator"].to_list() == ["a.png:1"]
    assert told(bad) == [
        ("b.png:1", "undecodable_image"), ("c.png:1", "unreadable_caption"), ("d.png:1", "too_many_pixels"),
    ]  # fmt: skip


def test_without_pillow_the_command_that_installs_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = picture(tmp_path / "a.png")
    monkeypatch.setattr(pictures, "can_decode", lambda: False)
    with pytest.raises(MissingExtra, match=r'pip install "zhiling\[images\]"'):
        list(images().read([file], tmp_path))


def test_a_changed_picture_or_caption_changes_the_fingerprint(tmp_path: Path) -> None:
    one, two = picture(tmp_path / "one.png"), picture(tmp_path / "p" / "two.png")
    caption = tmp_path / "one.txt"
    caption.write_text("a", encoding="utf-8")
    records = write_jsonl(
        tmp_path / "a.jsonl", [{"image": "p/two.png"}, {"image": "absent.png"}, {"image": 5}]
    )
    source, files = images(), [one, records]

    def key() -> str:
        further = source.further_files(files, tmp_path)
        assert further == [caption, two]
        return fingerprint.source_key(source, "s", (*files, *further), tmp_path)

    keys = {key()}
    picture(two, colour=9)
    keys.add(key())
    caption.write_text("b", encoding="utf-8")
    keys.add(key())
    assert len(keys) == 3


@pytest.mark.parametrize("content", [b"{", b"[1]", b'"a"', b"\xff\xfe\xfa\xfb", b'{"caption": 5}'])
def test_a_caption_that_cannot_be_read_costs_its_picture(tmp_path: Path, content: bytes) -> None:
    file = picture(tmp_path / "照片.png")
    (tmp_path / "照片.json").write_bytes(content)
    rows, bad = read(images(), [file], tmp_path)
    assert (rows.height, [each.place for each in bad]) == (0, ["照片.png:1"])
    assert bad[0].cls in ("unreadable_caption", "wrong_type")
