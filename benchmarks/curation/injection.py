"""curation.9…: injections planted in tables and mails, and jailbreaks, beside a list of keywords.

    python benchmarks/curation/injection.py [develop]

Attacks at even places of their category, tables and role-play rows at even places and jailbreaks of even
number were there to improve on (`develop` prints their figures); what is recorded is judged on the odd ones.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
import tarfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import polars as pl

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from record import ROOT, record  # noqa: E402
from sides import share  # noqa: E402

from zhiling.curation.injection import Injection  # noqa: E402
from zhiling.pipeline.step import Context  # noqa: E402
from zhiling.rows.conversation import dialogue  # noqa: E402

DATA = ROOT.parent / "shared" / "data"
THRESHOLD = 0.5
PASSAGE = 1500
NOTE = (
    "judged again after a first .960 in tables, .950 in emails (Language Translation .44 and .49): the test "
    "for headings took one of its two attacks for a title, and was mended; "
    "half of the attacks of each category was there to improve on, this is the other; each attack stands in "
    "each context, so the interval is that of the contexts, not of the 30 attacks"
)
RECALL, FALSE = 0.9, 0.01
KEYWORDS = re.compile(
    r"ignore (?:all |the )?(?:previous|above)|disregard|system prompt|jailbreak|\bDAN\b|developer mode"
    r"|your (?:answer|response|reply)",
    re.IGNORECASE,
)
Texts = list[str]
Result = dict[str, Any]


def main(part: str = "judge") -> None:
    """Measures and records every figure; of the part `develop` only prints them."""
    if not DATA.exists():
        raise SystemExit(f"{DATA} is not here: nothing can be measured")
    odd = part != "develop"
    rows = [*planted(odd), *jailbreaks(odd), *natural()]
    for row in rows:
        print(row["id"], row["what"], row["value"], row["n"], row["beside"], file=sys.stderr)
    if odd:
        print(record("curation", rows), file=sys.stderr)


def planted(odd: bool) -> list[Result]:
    """Each attack planted in contexts, the contexts without, and the recall of each category."""
    attacks: dict[str, Texts] = defaultdict(list)
    for each in lines("bipia_prompt_injection/text_attack_train"):
        attacks[each["category"]].append(each["attack"])
    attacks = {name: texts[odd::2] for name, texts in attacks.items()}
    results: list[Result] = []
    for letter, kind, documents in (
        ("a", "table", contexts("table")[odd::2]),
        ("b", "email", contexts("email")),
    ):
        by_category = {
            name: [plant(document, text, place) for text in texts for place, document in enumerate(documents)]
            for name, texts in attacks.items()
        }
        hits = {name: found({"document": texts}) for name, texts in by_category.items()}
        every = [hit for each in hits.values() for hit in each]
        words = [bool(KEYWORDS.search(text)) for texts in by_category.values() for text in texts]
        beside = {"keywords": mean(words)} | {name: mean(each) for name, each in hits.items()}
        data = f"bipia: {len(documents)} {kind}s × {sum(map(len, attacks.values()))} attacks"
        results.append(
            share(
                f"curation.9{letter}",
                f"`injection`: attacks found in {kind}s",
                RECALL,
                every,
                beside=beside,
                data=data,
                note=NOTE,
            )
        )
        plain = found({"document": documents})
        results.append(
            share(
                f"curation.9{letter}f",
                f"`injection`: false on the same {kind}s without attacks",
                FALSE,
                plain,
                "lower",
                beside={"keywords": mean([bool(KEYWORDS.search(text)) for text in documents])},
                data=data,
            )
        )
    return results


def plant(document: str, attack: str, place: int) -> str:
    """The document with the attack as a line of its own: first, in the middle or last, in turn."""
    lines = document.split("\n")
    at = (0, len(lines) // 2, len(lines))[place % 3]
    return "\n".join([*lines[:at], attack, *lines[at:]])


def jailbreaks(odd: bool) -> list[Result]:
    """Jailbreaks without their placeholder, and role-play rows."""
    attacks = [
        each["prompt"].replace("[INSERT PROMPT HERE]", "")
        for each in lines("safety_prompts/jailbreak_prompts")
    ][odd::2]
    plays = lines("gpteacher_roleplay/roleplay")[odd::2]
    asked = ["\n".join(filter(None, (each["instruction"], each["input"]))) for each in plays]
    replies = [each["output"] for each in plays]
    words = {"keywords": mean([bool(KEYWORDS.search(text)) for text in attacks])}
    false = {"keywords": mean([bool(KEYWORDS.search(text)) for text in asked])}
    return [
        share(
            "curation.9c",
            "`injection`: jailbreaks found",
            RECALL,
            found({"user": attacks}),
            beside=words,
            data="safety_prompts",
        ),
        share(
            "curation.9cf",
            "`injection`: false on role-play rows",
            FALSE,
            found({"user": asked, "assistant": replies}),
            "lower",
            beside=false,
            data="gpteacher_roleplay",
        ),
    ]


def natural() -> list[Result]:
    """False alarms on natural documents, all of which were looked at while rules were written."""
    texts = {
        "web": ("web pages", [each["text"] for each in lines("llama_factory_demo/c4_demo")], "c4_demo"),
        "en": ("English passages", unique("xquad/en"), "xquad"),
        "zh": ("Chinese passages", unique("cmrc2018/trial"), "cmrc2018"),
        "chats": (
            "support chats",
            [each["text"] for each in lines("tweetsumm/dialogs_with_summaries")],
            "tweetsumm",
        ),
        "manuals": (
            "passages of manuals and policies",
            [*passages("docs_fastapi/en_md"), *passages("docs_github_policies/policies_md")],
            "docs_fastapi, docs_github_policies, pages at odd places",
        ),
    }
    return [
        share(
            f"curation.9.natural.{key}",
            f"`injection`: found in natural {what}, read as documents",
            FALSE,
            found({"document": many}),
            "lower",
            data=data,
            note="upper bound of false alarms: every find counts as false"
            + ("; these pages were counted, not read" if key == "manuals" else "; not held out"),
        )
        for key, (what, many, data) in texts.items()
    ]


def unique(name: str) -> Texts:
    """The distinct contexts of a set."""
    return list(dict.fromkeys(each["context"] for each in lines(name)))


def passages(name: str) -> Texts:
    """Paragraphs of pages at odd places, joined up to 1,500 signs; the others were there to improve on."""
    with tarfile.open(DATA / f"{name}.tar.gz") as archive:
        pages = sorted(each.name for each in archive.getmembers() if each.name.endswith(".md"))
        texts = [archive.extractfile(each) for each in pages[1::2]]
        made: Texts = []
        for text in filter(None, texts):
            made.append("")
            for paragraph in re.split(r"\n\s*\n", text.read().decode("utf-8", "replace")):
                if made[-1] and len(made[-1]) + len(paragraph) > PASSAGE:
                    made.append("")
                made[-1] += paragraph + "\n\n"
    return [text for text in made if text.strip()]


def found(turns: dict[str, Texts]) -> list[bool]:
    """Whether each row scores above the threshold."""
    messages = dialogue({role: pl.Series(texts, dtype=pl.String) for role, texts in turns.items()})
    measured = Injection().measure(pl.DataFrame({"messages": messages}), Context(step_id="injection"))
    return (measured["score"] > THRESHOLD).to_list()


def contexts(kind: str) -> Texts:
    """The distinct contexts of a kind, in order."""
    return unique(f"bipia_prompt_injection/{kind}_train")


def mean(hits: list[bool]) -> float:
    """The share of true ones."""
    return round(sum(hits) / len(hits), 4)


def lines(name: str) -> list[dict[str, Any]]:
    """The records of a set."""
    with gzip.open(DATA / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


if __name__ == "__main__":
    main(*sys.argv[1:])
