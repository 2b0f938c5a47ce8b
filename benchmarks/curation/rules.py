"""curation.rules.STEP…: how often the rule steps are wrong, on public rows.

    python benchmarks/curation/rules.py

Three kinds of figures. `.en`, `.zh`: natural instruction rows that a step rejects; each counts as false,
so it is an upper bound (some are rightly rejected). Truth: rows whose damage others labelled or
that shows in the text. Planted: damage done here to natural rows, by a fixed rule. Boilerplate, role leaks,
links, secrets and structure have no public truth: for them the bound is all there is.
"""

from __future__ import annotations

import gzip
import html
import json
import re
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from record import ROOT, record  # noqa: E402
from sides import share  # noqa: E402

from zhiling.curation.damage import mended, problems  # noqa: E402
from zhiling.curation.entities import entities  # noqa: E402
from zhiling.pipeline import registry  # noqa: E402
from zhiling.pipeline.step import Context, Decide  # noqa: E402
from zhiling.rows.conversation import dialogue  # noqa: E402
from zhiling.rows.schema import conform  # noqa: E402

DATA = ROOT.parent / "shared" / "data"
STEPS = (
    "boilerplate", "encoding_damage", "links_only", "repetition", "reply_language", "role_leak", "script",
    "secrets", "structure",
)  # fmt: skip
ENGLISH = (
    "alpaca_en_10k/alpaca_en",
    "alpagasus_dolly_3k/dolly_3k",
    "rasbt_instructions/instruction_data_1100",
)
MOST_FALSE, LEAST_FOUND = 0.01, 0.95
CONTEXT = Context(step_id="rules")
Pair = tuple[str, str]
Result = dict[str, Any]


def main() -> None:
    """Measures and records every figure."""
    if not DATA.exists():
        raise SystemExit(f"{DATA} is not here: nothing can be measured")
    natural = {"en": english(), "zh": chinese()}
    results = [false_rejects(name, language, pairs) for name in STEPS for language, pairs in natural.items()]
    results += [documents(), *entity_truths(), repaired(), *clean_texts()]
    results += [*garbled(natural), *looped(natural), *other_language(natural)]
    print(record("curation", results), file=sys.stderr)


def english() -> list[Pair]:
    """Rows of three English sets, as they are."""
    return [instruction(each) for name in ENGLISH for each in lines(name)]


def chinese() -> list[Pair]:
    """Rows of two Chinese sets; those whose edit was labelled are left out."""
    edited = {each["id"] for each in lines("alpaca_zh_10k/edit_labels")}
    kept = [each for each in lines("alpaca_zh_10k/alpaca_zh") if each["id"] not in edited]
    return [instruction(each) for each in [*kept, *lines("oasst_zh/oaast_sft_zh")]]


def instruction(record: dict[str, Any]) -> Pair:
    """Question and reply of an instruction row."""
    return "\n".join(filter(None, (record["instruction"], record["input"]))), record["output"]


def lines(name: str) -> Iterator[dict[str, Any]]:
    """The records of a set."""
    with gzip.open(DATA / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def rejected(name: str, pairs: list[Pair]) -> tuple[list[bool], float]:
    """Whether a step rejects each row, and its microseconds a row; rows that it is not about are kept."""
    step: Decide = registry.load("step", name)()
    questions, replies = (pl.Series([pair[side] for pair in pairs], dtype=pl.String) for side in (0, 1))
    rows = conform(pl.DataFrame({"messages": dialogue({"user": questions, "assistant": replies})}))
    start = time.process_time()
    applies = step.applies(rows)
    rejects = step.decide(rows, CONTEXT)["verdict"] == "reject"
    cost_us = (time.process_time() - start) / len(pairs) * 1e6
    return (rejects if applies is None else rejects & applies).to_list(), cost_us


def false_rejects(name: str, language: str, pairs: list[Pair]) -> Result:
    """Share of natural rows that a step rejects."""
    hits, cost_us = rejected(name, pairs)
    return share(
        f"curation.rules.{name}.{language}",
        f"`{name}`: rejected of natural rows, {language}",
        MOST_FALSE,
        hits,
        "lower",
        beside={"CPU µs a row": round(cost_us, 1)},
        data=", ".join(ENGLISH) if language == "en" else "alpaca_zh_10k without labelled edits, oasst_zh",
        note="upper bound of false rejects: every reject counts as false",
    )


def documents() -> Result:
    """Share of pages of a programming manual (1,500 code blocks) whose structure is rejected."""
    with tarfile.open(DATA / "docs_fastapi" / "en_md.tar.gz") as pages:
        files = [pages.extractfile(member) for member in pages if member.isfile()]
        texts = [file.read().decode("utf-8") for file in files if file]
    hits, _ = rejected("structure", [("", text) for text in texts])
    what = "`structure`: rejected of pages of a programming manual"
    note = "excerpts that show an open bracket on purpose count as false"
    return share("curation.rules.structure.pages", what, 0.05, hits, "lower", data="docs_fastapi", note=note)


def entity_truths() -> Iterator[Result]:
    """Recall of HTML entities, whole and torn, where others labelled them or the text shows them."""
    labels = list(lines("alpaca_zh_10k/edit_labels"))
    flagged = {each["id"] for each in labels if "html_entity" in each["flags"]}
    pairs = [instruction(each) for each in lines("alpaca_zh_10k/alpaca_zh") if each["id"] in flagged]
    torn = re.compile(r" (?:#\d+|quot|amp|lt|gt|nbsp|hellip);")
    news = [each["text"] for each in lines("cl_benchmark/cl_benchmark") if torn.search(each["text"])]
    whole = re.compile(r"&(?:amp|lt|gt|quot);")
    chats = [each["text"] for each in lines("tweetsumm/dialogs_with_summaries") if whole.search(each["text"])]
    note = "missed are entities in code and in texts about HTML, which are left on purpose"
    for part, data, texts in (
        ("labelled", "alpaca_zh_10k edit labels, flag html_entity", pairs),
        ("torn", "cl_benchmark, torn entities", [("", text) for text in news]),
        ("chats", "tweetsumm, whole entities", [("", text) for text in chats]),
    ):
        hits, _ = rejected("encoding_damage", texts)
        what = f"`encoding_damage`: recall of entities, {part}"
        yield share(f"curation.rules.encoding_damage.{part}", what, 0.9, hits, data=data, note=note)


def repaired() -> Result:
    """Share of fields that `repair` turns into what the labeller wrote, where that is a resolved entity."""
    fixed = {each["id"]: each["fixed"] for each in lines("alpaca_zh_10k/edit_labels") if each["fixed"]}
    equal: list[bool] = []
    for each in lines("alpaca_zh_10k/alpaca_zh"):
        for field in ("instruction", "input", "output"):
            wanted = fixed[each["id"]][field] if each["id"] in fixed else each[field]
            if wanted != each[field] and wanted == html.unescape(each[field]):
                equal.append(mended(each[field]).text == wanted)
    return share(
        "curation.rules.repair.labelled",
        "`repair`: field equal to the labeller's, where only entities were resolved",
        0.9,
        equal,
        data="alpaca_zh_10k edit labels",
        note="the rest are entities in inline code and in texts about HTML, which are left on purpose",
    )


def clean_texts() -> Iterator[Result]:
    """Damage found in short natural texts; characters that are truly lost apart."""
    texts = {
        "en": [each["text"] for each in lines("banking77/train")],
        "zh": [each["text"] for each in lines("thucnews_titles/dev")],
    }
    for language, many in texts.items():
        yield share(
            f"curation.rules.encoding_damage.short.{language}",
            f"`encoding_damage`: mojibake or entities found in short natural texts, {language}",
            0.001,
            [bool({*problems(text)} - {"html_entities"}) or bool(entities(text)) for text in many],
            "lower",
            note="what was found in the headlines are entities, rightly",
            data="banking77" if language == "en" else "thucnews_titles",
        )


def garbled(natural: dict[str, list[Pair]]) -> Iterator[Result]:
    """Planted mojibake: found, and mended to what it was."""
    ways = {"latin1": ("utf-8", "latin-1"), "gbk": ("utf-8", "gb18030"), "gb2312": ("gb2312", "latin-1")}
    texts = {
        "zh": [reply.split("\n")[0] for _, reply in natural["zh"][:4000]],
        "en": [reply.split("\n")[0] for _, reply in natural["en"] if not reply.split("\n")[0].isascii()],
    }
    for (language, many), (way, (right, wrong)) in ((a, b) for a in texts.items() for b in ways.items()):
        if language == "en" and way != "latin1":
            continue
        done = [(text, bad) for text in many if (bad := misread(text, right, wrong)) and bad != text]
        what = f"`repair`: first lines of replies read as {wrong} restored exactly, {language}"
        yield share(
            f"curation.rules.repair.{way}.{language}",
            what,
            LEAST_FOUND,
            [mended(bad).text == text for text, bad in done],
            data="planted",
        )


def misread(text: str, right: str, wrong: str) -> str | None:
    """The text as it looks when read in the wrong encoding; None where that is impossible or too short."""
    try:
        return text.encode(right).decode(wrong) if len(text) >= 8 else None
    except UnicodeError:
        return None


def looped(natural: dict[str, list[Pair]]) -> Iterator[Result]:
    """Planted loops: the last third of a reply of 60 characters or more, four times over."""
    for language, pairs in natural.items():
        long = [(question, reply) for question, reply in pairs if len(reply) >= 60][:4000]
        loops = [(question, reply + " " + reply[-len(reply) // 3 :] * 4) for question, reply in long]
        hits, _ = rejected("repetition", loops)
        what = f"`repetition`: recall of planted loops, {language}"
        yield share(f"curation.rules.repetition.planted.{language}", what, LEAST_FOUND, hits, data="planted")


def other_language(natural: dict[str, list[Pair]]) -> Iterator[Result]:
    """Planted: questions of one language with replies of the other."""
    count = min(map(len, natural.values()))
    for language, other in (("en", "zh"), ("zh", "en")):
        asked, said = natural[language][:count], natural[other][:count]
        mixed = [(question, reply) for (question, _), (_, reply) in zip(asked, said, strict=True)]
        hits, _ = rejected("reply_language", [pair for pair in mixed if min(map(len, pair)) >= 20])
        what = f"`reply_language`: recall of planted replies in the other language, question {language}"
        note = "missed: questions that speak of languages or code, and replies in both scripts"
        yield share(
            f"curation.rules.reply_language.planted.{language}", what, 0.8, hits, data="planted", note=note
        )


if __name__ == "__main__":
    main()
