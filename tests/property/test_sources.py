"""Sources read anything: no input crashes them, and every readable line is kept."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.sources.reading import read, said
from zhiling.pipeline.step import Bad, Source
from zhiling.sources.conversations import Conversations
from zhiling.sources.documents import Documents
from zhiling.sources.files.lines import Block, blocks, decoded_blocks
from zhiling.sources.labelled import Labelled
from zhiling.sources.pages.markup import tokens
from zhiling.sources.pages.passages import split_text
from zhiling.sources.records.csv_records import csv_records
from zhiling.sources.tables import Tables
from zhiling.text.spacing import join

# Pieces that turn up where formats break: marks, quotes, half characters, tags, fences, line ends.
PIECES = [
    *(
        b"\n",
        b"\r\n",
        b"\r",
        b'"',
        b",",
        b";",
        b"\t",
        b"{",
        b"}",
        b"[",
        b'{"text": "a"}',
        b'"turns": [',
        b"\\",
    ),
    *(
        b"\x00",
        b"\xff\xfe",
        b"\xfe\xff",
        b"\xef\xbb\xbf",
        b"\x1f\x8b\x08",
        b"\xd8\x00",
        "你好".encode("gb18030"),
    ),
    *(
        "退款".encode(),
        b"# A",
        b"```",
        b"---",
        b"<h1>",
        b"<p",
        b"<!--",
        b"</script>",
        b"<script>",
        b"text,label",
    ),
]
ANYTHING = st.one_of(st.binary(max_size=300), st.lists(st.sampled_from(PIECES), max_size=40).map(b"".join))
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SOURCES: list[tuple[Source, str]] = [
    (Tables(path="*"), "a.jsonl"),
    (Tables(path="*"), "a.csv"),
    (Tables(path="*"), "a.json"),
    (Tables(path="*"), "a.tsv"),
    (Tables(path="*"), "a.parquet"),
    (Labelled(path="*"), "a.jsonl"),
    (Labelled(path="*"), "a.csv"),
    (Conversations(path="*"), "a.jsonl"),
    (Conversations(path="*"), "a.csv"),
    (Documents(path="*"), "a.md"),
    (Documents(path="*"), "a.html"),
    (Documents(path="*"), "a.txt"),
    (Documents(path="*"), "a.tar"),
]


def read_bytes(source: Source, name: str, content: bytes) -> tuple[Any, list[Bad]]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        return read(source, [path], Path(folder))


@pytest.mark.parametrize(("source", "name"), SOURCES, ids=lambda value: getattr(value, "name", value))
@settings(max_examples=60, deadline=None)
@given(content=ANYTHING, packed=st.booleans(), cut=st.integers(1, 30))
def test_no_bytes_crash_a_source(source: Source, name: str, content: bytes, packed: bool, cut: int) -> None:
    content = gzip.compress(content)[:-cut] if packed else content
    rows, bad = read_bytes(source, name, content)
    assert rows.height or bad or name in ("a.md", "a.tar")
    assert rows["locator"].str.starts_with(f"{name}").all()
    assert all(each.place.startswith(name) and each.cls and each.message for each in bad)
    assert all(len(each.excerpt) <= 80 for each in bad)


@settings(max_examples=100, deadline=None)
@given(content=ANYTHING, pieces=st.integers(1, 7))
def test_lines_do_not_depend_on_how_the_bytes_come(content: bytes, pieces: int) -> None:
    """Line numbers and contents are the same for any cut, but for the marks that recognition reads first."""
    content = b"plain\n" + content
    size = max(1, len(content) // pieces)
    cut = [content[start : start + size] for start in range(0, len(content), size)]
    assert numbered(decoded_blocks(cut, "a", "utf-8")) == numbered(decoded_blocks([content], "a", "utf-8"))


def numbered(items: Any) -> dict[str, bytes | str]:
    found: dict[str, bytes | str] = {}
    for item in items:
        if isinstance(item, Block):
            found |= {f"a:{number}": line for number, line in enumerate(item.lines, item.first)}
        else:
            found[item.place] = item.cls
    return found


@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(TEXT, min_size=1, max_size=8),
    rubbish=st.lists(
        ANYTHING.map(lambda b: b.replace(b"\n", b"").replace(b"\r", b"")), min_size=8, max_size=8
    ),
    end=st.sampled_from([b"\n", b"\r\n", b"\r"]),
)
def test_every_readable_line_between_rubbish_is_kept(
    texts: list[str], rubbish: list[bytes], end: bytes
) -> None:
    """A Chinese first line fixes the encoding; what follows it may be anything."""
    lines = [json.dumps({"text": "退款什么时候到账，谢谢"}, ensure_ascii=False).encode()] * 10
    for text, garbage in zip(texts, rubbish, strict=False):
        lines += [json.dumps({"text": f"kept {text}"}, ensure_ascii=False).encode(), b'{"broken"' + garbage]
    rows, bad = read_bytes(Tables(path="*"), "a.jsonl", end.join(lines))
    kept = [turns[0][1] for turns in said(rows)]
    assert [text for text in kept if text.startswith("kept ")] == [f"kept {text}" for text in texts]
    assert rows.height + len(bad) == len(lines)


@settings(max_examples=60, deadline=None)
@given(table=st.lists(st.tuples(TEXT, TEXT, TEXT), max_size=6), delimiter=st.sampled_from([",", ";", "\t"]))
def test_csv_cells_survive(table: list[tuple[str, str, str]], delimiter: str) -> None:
    def quoted(cell: str) -> str:
        return '"' + cell.replace('"', '""') + '"'

    clean = [tuple(cell.replace("\r", "").replace("\x00", "") for cell in record) for record in table]
    text = "\n".join(delimiter.join(map(quoted, record)) for record in [("a", "b", "c"), *clean])
    found = list(csv_records(decoded_blocks([text.encode()], "a", "utf-8"), "a"))
    assert [tuple(item.values()) for records in found for item in records.items] == clean
    assert [bad for records in found for bad in records.bad] == []


@settings(max_examples=60, deadline=None)
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=80), limit=st.integers(1, 40))
def test_cut_text_loses_nothing_but_space(text: str, limit: int) -> None:
    parts = split_text(text, limit)
    assert "".join("".join(parts).split()) == "".join(text.split())
    assert all(len(part) <= limit for part in parts)


@settings(max_examples=60, deadline=None)
@given(words=st.lists(st.text(min_size=1, max_size=6), max_size=8))
def test_tokens_stand_where_their_places_say(words: list[str]) -> None:
    text, places = join(words)
    assert [text[start:end] for start, end in places] == words


@settings(max_examples=60, deadline=None)
@given(content=st.text(st.sampled_from("<>/!-\"'= \nabp"), max_size=60))
def test_markup_lines_go_up_and_no_text_is_invented(content: str) -> None:
    found = list(tokens(content))
    assert [token.line for token in found] == sorted(token.line for token in found)
    assert len("".join(token.value for token in found if token.kind == "text")) <= len(content)


@settings(max_examples=30, deadline=None)
@given(
    turns=st.lists(
        st.tuples(st.sampled_from(["a", "b", "c"]), st.sampled_from(["user", "agent", "system"])), max_size=30
    )
)
def test_every_message_of_a_customer_is_in_some_row(turns: list[tuple[str, str]]) -> None:
    items = [
        {"id": c, "role": role, "text": f"{number}.", "time": number}
        for number, (c, role) in enumerate(turns)
    ]
    content = "\n".join(map(json.dumps, items)).encode()
    rows, bad = read_bytes(Conversations(path="*"), "a.jsonl", content)
    seen = {
        part
        for messages in said(rows)
        for role, text in messages
        if role == "user"
        for part in text.split("\n")
    }
    assert seen == {f"{number}." for number, (_, role) in enumerate(turns) if role == "user"}
    asked = {conversation for conversation, role in turns if role == "user"}
    silent = {conversation for conversation, _ in turns} - asked
    assert len([each for each in bad if each.cls == "no_customer_turn"]) == len(silent)
    assert set(rows["group"].to_list()) == asked
    for messages in said(rows):
        roles = [role for role, _ in messages if role != "system"]
        assert roles == [] or roles[-1] == ("assistant" if "assistant" in roles else "user")


def test_a_missing_file_is_told_by_every_source(tmp_path: Path) -> None:
    assert [type(item) for item in blocks(tmp_path / "none", "none")] == [Bad]
