"""Public sets of conversations and pictures read whole: every message is in a row or counted.

What the files hold is read here a second time, by the standard library alone; none of it is copied.
"""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from PIL import Image

from tests.real.test_public_sets import DATA, check, every, lines, run
from tests.unit.sources.reading import said

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not here"),
]

Turns = list[tuple[str, str]]
COLUMNS = ("messages", "alternatives", "task", "group", "locator", "extra")


def merged(turns: Iterable[tuple[str, str]]) -> Turns:
    """Neighbouring messages of one role as one."""
    return [
        (role, "\n".join(text for _, text in group)) for role, group in groupby(turns, lambda turn: turn[0])
    ]


def expected(turns: Iterable[tuple[str, str]], context: int = 500) -> list[Turns]:
    """The rows of a conversation: each reply with what came before, then a question without reply."""
    spoken = merged(turns)
    asked = next((index for index, (role, _) in enumerate(spoken) if role == "user"), len(spoken))
    replies = [i for i, (role, _) in enumerate(spoken) if role == "assistant" and i > asked]
    rows = [spoken[max(0, end - context) : end + 1] for end in replies]
    return rows + ([[spoken[-1]]] if spoken and spoken[-1][0] == "user" else [])


def extras(rows: pl.DataFrame) -> list[dict[str, Any]]:
    return [json.loads(extra or "{}") for extra in rows["extra"]]


def chats(name: str, root: Path, conversations: Sequence[Turns], *, context: int = 500) -> pl.DataFrame:
    """The rows of a recipe, which must be those of these conversations in their order."""
    done = run(name, root)
    rows = every(done, *COLUMNS)
    assert done.counts["bad"] == 0
    assert said(rows) == [row for turns in conversations for row in expected(turns, context)]
    material = sum(turns[-1][0] == "user" for turns in said(rows))
    assert done.counts["material"] == material
    assert (rows["task"] == "utterance").sum() == material
    return rows


def test_abcd(tmp_path: Path) -> None:
    records = lines("abcd/dialogues_sample.jsonl.gz")
    roles = {"customer": "user", "agent": "assistant"}
    spoken = [[(roles[who], text) for who, text in r["original"] if who in roles] for r in records]
    rows = chats("abcd", tmp_path, spoken)
    assert (len(records), rows["group"].n_unique()) == (5, 5)
    actions = [text for record in records for who, text in record["original"] if who == "action"]
    assert [text for extra in extras(rows) for text in extra.get("notices", ())] == actions
    assert len(actions) == 16


def test_tweetsumm(tmp_path: Path) -> None:
    records = lines("tweetsumm/dialogs_with_summaries.jsonl.gz")
    roles = {"Customer": "user", "Agent": "assistant"}
    messages = [re.split(r"(?m)^\t(Customer|Agent):\t", record["text"])[1:] for record in records]
    spoken = [
        [(roles[who], text.strip()) for who, text in zip(parts[::2], parts[1::2], strict=True)]
        for parts in messages
    ]
    rows = chats("tweetsumm_chats", tmp_path, spoken)
    assert (len(records), rows["group"].n_unique()) == (879, 879)
    entities = re.compile(r"&(amp|lt|gt|quot|#\d+);")
    dirty = {record["dialog_id"] for record in records if entities.search(record["text"])}
    kept = {g for g, turns in zip(rows["group"], said(rows), strict=True) if entities.search(str(turns))}
    assert kept == dirty, "entities stay as they are"
    assert extras(rows)[0]["abstractive_summaries"] == records[0]["abstractive_summaries"]


@pytest.mark.parametrize(
    ("name", "path", "text", "conversations", "replies", "context"),
    [
        ("multiwoz21_chats", "multiwoz21/val.jsonl.gz", "text", 999, 7365, 500),
        ("sgd_chats", "sgd/train.jsonl.gz", "utterance", 1024, 7788, 20),
    ],
)
def test_task_dialogues(
    name: str, path: str, text: str, conversations: int, replies: int, context: int, tmp_path: Path
) -> None:  # fmt: skip
    records = lines(path)
    roles = {"user": "user", "system": "assistant"}
    spoken = [[(roles[turn["speaker"].lower()], turn[text].strip()) for turn in r["turns"]] for r in records]
    rows = chats(name, tmp_path, spoken, context=context)
    assert (len(records), rows["group"].n_unique(), rows.height) == (conversations, conversations, replies)


def test_dialogsum(tmp_path: Path) -> None:
    records = lines("dialogsum/train_3k_of_12460.jsonl.gz")
    done = run("dialogsum_chats", tmp_path)
    rows = every(done, *COLUMNS)
    assert (len(records), rows["group"].n_unique(), done.counts["bad"]) == (3000, 3000, 0)
    assert rows["task"].value_counts(sort=True).rows() == [("dialogue", 3000), ("utterance", 1192)]
    spoken: list[Turns] = []
    for record in records:
        messages = [re.fullmatch(r"(#Person\d#): ?(.*)", line) for line in record["dialogue"].splitlines()]
        pairs = [(match[1], match[2].strip()) for match in messages if match]
        assert len(pairs) == len(messages)
        turns = merged(("user" if who == pairs[0][0] else "assistant", text) for who, text in pairs)
        last = max(index for index, (role, _) in enumerate(turns) if role == "assistant")
        spoken += [turns[: last + 1], *([[turn]] if (turn := turns[-1])[0] == "user" else [])]
    assert said(rows) == spoken


def test_ecd(tmp_path: Path) -> None:
    records = lines("ecd_zh_sample/train.jsonl.gz")
    done = run("ecd_zh_replies", tmp_path)
    check(done, 77, set())
    rows = every(done, *COLUMNS)
    right = [record for record in records if record["label"] == 1]
    wrong = {tuple(record["context"]): record for record in records if record["label"] == 0}
    assert (len(records), len(right), len(wrong)) == (154, 77, 77), "each wrong reply is an alternative"
    for turns, others, extra, record in zip(
        said(rows), rows["alternatives"].to_list(), extras(rows), right, strict=True
    ):
        assert [text for _, text in turns] == [*record["context"], record["response"]]
        assert [role for role, _ in turns[-2:]] == ["user", "assistant"]
        other = wrong[tuple(record["context"])]
        assert [(each["kind"], each["messages"][0]["text"]) for each in others] == [
            ("rejected", other["response"])
        ]
        assert extra == {"rejected": [{"conversation": other["id"]}]}
    exported = (done.path / "export" / "rows.train.jsonl").read_text(encoding="utf-8").splitlines()
    assert {"chosen", "rejected"} <= json.loads(exported[0]).keys()


SPOKEN = re.compile(r"\[\d\d:\d\d\] (?:<[@+]?([^>]+)>|  ?\* (\S+)) ?(.*)")


def threads_of(links: list[list[int]]) -> list[list[int]]:
    """Sets of linked messages, by repeated joining."""
    parts: list[set[int]] = []
    for pair in links:
        touched = [part for part in parts if part & set(pair)]
        parts = [part for part in parts if not part & set(pair)] + [set(pair).union(*touched)]
    return sorted(sorted(part) for part in parts)


def test_irc_support(tmp_path: Path) -> None:
    records = lines("irc_support/irc_channels.jsonl.gz")
    done = run("irc_support", tmp_path)
    rows = every(done, *COLUMNS)
    assert sum(len(record["messages"]) for record in records) == 12_500
    assert (len(records), done.counts["bad"], done.counts["material"]) == (10, 10, 238)
    assert rows["group"].n_unique() == 330
    found: dict[str, list[Turns]] = {}
    for group, turns in zip(rows["group"], said(rows), strict=True):
        found.setdefault(group, []).append(turns)
    outside, alone = [], []
    for record in records:
        threads = threads_of(record["links"])
        outside.append(len(record["messages"]) - sum(map(len, threads)))
        alone.append(0)
        for thread in threads:
            spoken = [match for n in thread if (match := SPOKEN.fullmatch(record["messages"][n]))]
            notices = [n for n in thread if record["messages"][n].startswith("===")]
            assert len(spoken) + len(notices) == len(thread)
            if not spoken:
                alone[-1] += len(thread)
                continue
            asker = (spoken[0][1] or spoken[0][2]).casefold()
            turns = [
                ("user" if (m[1] or m[2]).casefold() == asker else "assistant", m[3].strip()) for m in spoken
            ]
            assert found.pop(f"{record['id']}#{thread[0]}") == expected(turns)
    assert found == {}
    told = re.compile(r"([\d,]+) of 1,250 messages are linked to no other, (\d+) more")
    counts = [
        told.match(message) for message in done.folder.read_frame("bad.parquet", ["message"])["message"]
    ]
    assert [int(match[1].replace(",", "")) for match in counts if match] == outside
    assert [int(match[2]) for match in counts if match] == alone


def size_of(file: Path) -> tuple[int, int]:
    with Image.open(file) as picture:
        return picture.size


def test_pictures(tmp_path: Path) -> None:
    with gzip.open(DATA / "llama_factory_demo" / "mllm_demo.jsonl.gz", "rt", encoding="utf-8") as stream:
        records = [json.loads(line) for line in stream]
    done = run("mllm_demo_images", tmp_path)
    check(done, len(records), set())
    rows = every(done, *COLUMNS)
    for row, record in zip(rows.to_dicts(), records, strict=True):
        media = [(m["path"], m["sha256"]) for message in row["messages"] for m in message["media"] or ()]
        files = [DATA / "llama_factory_demo" / name for name in record["images"]]
        assert [digest for _, digest in media] == [sha256(file.read_bytes()).hexdigest() for file in files]
        sizes = [size_of(file) for file in files]
        facts = json.loads(row["extra"])["pictures"]
        assert [(each["width"], each["height"]) for each in facts] == sizes
        marks = Counter(content["content"].count("<image>") for content in record["messages"])
        assert sum(count * number for count, number in marks.items()) == len(media)
    (tmp_path / "folder").mkdir()
    folder = run("mllm_demo_folder", tmp_path / "folder")
    check(folder, 3, set(), material=True)
