"""Documents: headings, places, what is left out, and the cutting of long sections."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.unit.sources.reading import read, said, told
from zhiling.sources.documents import Documents
from zhiling.sources.pages.passages import split_text


def documents(**settings: Any) -> Documents:
    return Documents(path="*", **settings)


def passages(tmp_path: Path, name: str, text: str, **settings: Any) -> list[tuple[str, str]]:
    """Locator (without the file) and text of each passage."""
    (tmp_path / name).write_text(text, encoding="utf-8")
    rows, bad = read(documents(**settings), [tmp_path / name], tmp_path)
    assert bad == []
    assert set(rows["task"].to_list()) <= {"passage"}
    assert set(rows["group"].to_list()) <= {name}
    places = [locator.removeprefix(f"{name}:") for locator in rows["locator"].to_list()]
    return list(zip(places, [text for ((_, text),) in said(rows)], strict=True))


MARKDOWN = """---
title: "The handbook"
tags: [a]
---
Before any heading.

# Handbook { #top }

Intro.

## Returns ##

Send it back.

```bash
# not a heading
echo hi
```

~~~
```
# neither this
~~~

<!-- # nor this
# or this -->

Refunds
-------

They take *3 days*.

| a | b |
|---|---|
| 1 | 2 |

- item
---

### **Deep**

#hashtag is text

# 第二章

中文内容。

## Empty at the end
"""


def test_markdown_is_cut_at_its_headings_alone(tmp_path: Path) -> None:
    found = passages(tmp_path, "a.md", MARKDOWN)
    assert [place for place, _ in found] == [
        "5",
        "7#Handbook",
        "11#Handbook > Returns",
        "28#Handbook > Refunds",
        "40#Handbook > Refunds > Deep",
        "44#第二章",
        "48#第二章 > Empty at the end",
    ]
    texts = [text for _, text in found]
    assert texts[0] == "Before any heading."
    assert texts[2].startswith("Returns\n\nSend it back.")
    assert "# not a heading\necho hi" in texts[2]
    assert "nor this" not in texts[2]
    assert texts[3] == "Refunds\n\nThey take *3 days*.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n- item\n---"
    assert texts[4:] == ["Deep\n\n#hashtag is text", "第二章\n\n中文内容。", "Empty at the end"]


def test_extra_holds_title_and_path(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(MARKDOWN, encoding="utf-8")
    rows, _ = read(documents(language="en"), [tmp_path / "a.md"], tmp_path)
    assert json.loads(rows["extra"][2]) == {"title": "The handbook", "headings": ["Handbook", "Returns"]}
    assert rows["language"].to_list() == ["en"] * 7
    assert rows["key"].null_count() == 7


def test_html_without_script_style_and_navigation(tmp_path: Path) -> None:
    page = """<!DOCTYPE html><html><head><title>Shop &amp; more</title>
<style>h1 { color: red }</style><script>if (a < b) document.write("<h1>no</h1>")</script></head>
<body><nav><ul><li>Home</li></ul></nav>
<h1>Returns</h1>
<p>Send it
back.<br>Soon.</p>
<!-- <h2>comment</h2> -->
<ul><li>one <b>bold</b></li><li><p>two</p></li></ul>
<h2>Costs</h2>
<table><tr><th>Weight</th><th>Price</th></tr><tr><td>1 kg</td><td>3 &lt; 4</td></tr></table>
<pre>x = 1
  y = 2</pre>
</body></html>"""
    found = passages(tmp_path, "a.html", page)
    assert found == [
        ("4#Returns", "Returns\n\nSend it back.\nSoon.\n\n- one bold\n- two"),
        (
            "9#Returns > Costs",
            "Costs\n\n| Weight | Price |\n| --- | --- |\n| 1 kg | 3 < 4 |\n\n```\nx = 1\n  y = 2\n```",
        ),
    ]
    rows, _ = read(documents(), [tmp_path / "a.html"], tmp_path)
    assert json.loads(rows["extra"][0])["title"] == "Shop & more"


@pytest.mark.parametrize(
    "page",
    [
        "<h1>A</h1><p>kept <b",
        "<h1>A</h1><p>kept < than",
        "<h1>A</h1><p title='never closed>kept</p>",
        "<h1>A</h1></nav></nav>kept</x></h2>",
        "<head><title>T</title><body><h1>A</h1>kept",
        "<h1>A</h1>kept<![x <script>",
    ],
)
def test_broken_html_loses_no_text(tmp_path: Path, page: str) -> None:
    assert "kept" in "".join(text for _, text in passages(tmp_path, "a.html", page))


@pytest.mark.parametrize(
    "unit",
    [
        "<a ",
        "<a b='",
        "<!--",
        "</",
        "<![CDATA[",
        "<nav>",
        "&#",
        "<h1>",
        "<title>",
        "<ul>",
        "<li>",
        "<table><tr><td>",
        "<div hidden>",
    ],
)
def test_broken_html_takes_no_quadratic_time(tmp_path: Path, unit: str) -> None:
    (tmp_path / "a.html").write_text(unit * (300_000 // len(unit)) + "end", encoding="utf-8")
    list(documents().read([tmp_path / "a.html"], tmp_path))  # quadratic time would run into the test's limit


def test_plain_text_headings(tmp_path: Path) -> None:
    text = "WARRANTY\n\nWe repair\nor replace it.\n\n一、需要准备什么\n\n发票。\n\n"
    text += "Title\n=====\nBody.\n\nNOT A HEADING.\n\n  INDENTED\n"
    assert passages(tmp_path, "a.txt", text) == [
        ("1#WARRANTY", "WARRANTY\n\nWe repair\nor replace it."),
        ("6#WARRANTY > 一、需要准备什么", "一、需要准备什么\n\n发票。"),
        ("10#Title", "Title\n\nBody.\n\nNOT A HEADING.\n\n  INDENTED"),
    ]


def test_a_long_section_is_cut_between_paragraphs(tmp_path: Path) -> None:
    paragraphs = [f"{number} " + "word " * 30 for number in range(20)]
    text = "# Long\n\n" + "\n\n".join(paragraphs) + "\n"
    found = passages(tmp_path, "a.md", text, max_characters=500)
    assert all(len(text) <= 500 for _, text in found)
    assert [place for place, _ in found][:2] == ["1#Long", "9#Long"]
    joined = "\n\n".join(text for _, text in found).split()
    assert joined == ["Long", *" ".join(paragraphs).split()]
    rows, _ = read(documents(max_characters=500), [tmp_path / "a.md"], tmp_path)
    assert json.loads(rows["extra"][1])["part"] == 2


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("short", 10, ["short"]),
        ("one\ntwo\nthree", 8, ["one\ntwo", "three"]),
        ("First here. Second.", 14, ["First here.", "Second."]),
        ("第一句话。第二句话。", 6, ["第一句话。", "第二句话。"]),
        ("word " * 4, 11, ["word word", "word word"]),
        ("x" * 10, 4, ["xxxx", "xxxx", "xx"]),
    ],
)
def test_split_text_prefers_lines_then_sentences_then_spaces(
    text: str, limit: int, expected: list[str]
) -> None:
    assert split_text(text, limit) == expected


def test_tar_archives_are_read_member_by_member(tmp_path: Path) -> None:
    path = tmp_path / "docs.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, content in (("a/one.md", b"# One\n\ntext"), ("logo.png", b"\x89PNG"), ("a/empty.md", b"")):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    rows, bad = read(documents(), [path], tmp_path)
    assert rows["locator"].to_list() == ["docs.tar.gz/a/one.md:1#One"]
    assert rows["group"].to_list() == ["docs.tar.gz/a/one.md"]
    assert told(bad) == [
        ("docs.tar.gz/logo.png", "unsupported_file"),
        ("docs.tar.gz/a/empty.md:1", "empty_file"),
    ]


def test_a_truncated_archive_keeps_what_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "docs.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for number in range(50):
            content = f"# Page {number}\n\n".encode() + bytes(range(32, 127)) * 50
            entry = tarfile.TarInfo(f"{number}.md")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    rows, bad = read(documents(), [path], tmp_path)
    assert rows.height >= 10
    assert {each.cls for each in bad} == {"broken_archive", "truncated_gzip"}


def test_unreadable_lines_and_files_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_bytes(b"# One\n\ngood\n\xff\xfe\nbad\x00\nlast\n")
    (tmp_path / "b.md").write_bytes(b"")
    (tmp_path / "c.odt").write_bytes(b"PK")
    (tmp_path / "d.md").write_text("# 一\n\n内容\n", encoding="gb18030")
    files = [tmp_path / name for name in ("a.md", "b.md", "c.odt", "d.md")]
    rows, bad = read(documents(), files, tmp_path)
    assert [text for ((_, text),) in said(rows)] == ["One\n\ngood\n\nlast", "一\n\n内容"]
    assert told(bad) == [
        ("a.md:4", "undecodable"),
        ("a.md:5", "nul_bytes"),
        ("b.md:1", "empty_file"),
        ("c.odt", "unsupported_file"),
    ]
