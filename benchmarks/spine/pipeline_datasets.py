"""spine.1, the peer's side: the same job with Hugging Face datasets, datasketch, lingua and `re`.

    python benchmarks/spine/pipeline_datasets.py CORPUS FOLDER OUT [STAGE TO LEAVE OUT]

The peer at its best: batched functions in one process, no fingerprint cache to fill, the MinHash of spine.2,
the detector with the same languages, and patterns that are only tried where a sign of theirs stands in the
text. What it leaves out: candidates of LSH are removed without verification, and the split is drawn row by
row, so near-duplicates of a test row may stand in train. What a split without such leaks costs with the same
tools is measured apart, as `safe split`.
"""

from __future__ import annotations

import json
import random
import re
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

from stages import Stages

stages = Stages()

import xxhash  # noqa: E402
from datasets import Dataset, disable_caching, disable_progress_bars, load_dataset  # noqa: E402
from datasketch import MinHash, MinHashLSH  # noqa: E402
from lingua import IsoCode639_1, LanguageDetectorBuilder  # noqa: E402
from near_dedup_datasketch import candidates, signatures  # noqa: E402
from reference import TOKEN  # noqa: E402

Batch = dict[str, list[str]]

# The choices of zhiling's steps `length` and `language`.
MOST_QUESTION, MOST_REPLY, CHARACTERS = 4096, 8192, 1000
CODES = ("EN", "ZH", "JA", "KO", "DE", "FR", "ES", "PT", "IT", "RU", "AR", "VI")

LEFT, RIGHT = r"(?<![0-9A-Za-z_.,\-])", r"(?![0-9A-Za-z_])"
SECRET = re.compile(
    r"(?i)(?<=[?&#;])((?:[\w.\-]*[_.\-])?(?:token|key|secret|password|auth|sig|session))=[^&#\s]{4,}"
)
USERINFO = re.compile(r"(?<=://)[^/\s:@]*:[^/\s@]+(?=@)")
EMAIL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._%+\-]*@(?:[A-Za-z0-9\-]+\.)+[A-Za-z]{2,24}")
RESIDENT_ID = re.compile(LEFT + r"[1-8]\d{5}(?:18|19|20)\d{9}[\dXx]" + RIGHT)
SSN = re.compile(LEFT + r"(?!000|666|9)\d{3}([ \-])(?!00)\d\d\1(?!0000)\d{4}" + RIGHT)
CARD = re.compile(LEFT + r"(?:\d{13,19}|\d{4}([ \-])\d{4}\1\d{4}\1\d{4})" + RIGHT)
IPV4 = re.compile(LEFT + r"(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)" + RIGHT)
PHONE = re.compile(
    LEFT
    + r"(?:(?:\+?86[ \-]?)?1[3-9]\d[ \-]?\d{4}[ \-]?\d{4}|\+\d{1,3}(?:[ \-.]?\d){6,13}"
    + r"|(?:\+?1[ \-.])?(?:\([2-9]\d\d\) ?|[2-9]\d\d[\-.])[2-9]\d\d[\-.]\d{4}|0\d{2,3}-\d{7,8})"
    + RIGHT
)
DIGITS = re.compile(r"\d[\d .()\-]{5}")
RESIDENT_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def question(batch: Batch) -> list[str]:
    """What the user says in each row."""
    pairs = zip(batch["instruction"], batch["input"], strict=True)
    return [f"{first}\n{second}" if second else first for first, second in pairs]


def whole(batch: Batch) -> list[str]:
    """Question and reply of each row."""
    return list(map("\n".join, zip(question(batch), batch["output"], strict=True)))


def fits(batch: Batch) -> list[bool]:
    """Rows whose question and reply hold something and are not too long."""
    questions = (len(TOKEN.findall(text)) for text in question(batch))
    replies = (len(TOKEN.findall(text)) for text in batch["output"])
    return [
        0 < asked <= MOST_QUESTION and 0 < replied <= MOST_REPLY
        for asked, replied in zip(questions, replies, strict=True)
    ]


def detected() -> Callable[[Batch], dict[str, list[object]]]:
    """Measures language and confidence of a batch."""
    codes = [getattr(IsoCode639_1, code) for code in CODES]
    detector = LanguageDetectorBuilder.from_iso_codes_639_1(*codes).build()

    def measure(batch: Batch) -> dict[str, list[object]]:
        texts = [text[:CHARACTERS] for text in whole(batch)]
        best = [values[0] for values in detector.compute_language_confidence_values_in_parallel(texts)]
        return {
            "found": [value.language.iso_code_639_1.name.lower() for value in best],
            "confidence": [value.value for value in best],
        }

    return measure


def first_seen() -> Callable[[Batch], list[bool]]:
    """Keeps the first of the rows that are equal after NFKC, lower-casing and collapsing of white space."""
    seen: set[int] = set()

    def keep(batch: Batch) -> list[bool]:
        kept: list[bool] = []
        for text in zip(question(batch), batch["output"], strict=True):
            key = hash(tuple(" ".join(unicodedata.normalize("NFKC", part).lower().split()) for part in text))
            kept.append(key not in seen)
            seen.add(key)
        return kept

    return keep


def without_near(rows: Dataset) -> Dataset:
    """The rows, each but those that meet a kept row before them in a bucket."""
    signed = rows.map(signatures, batched=True, remove_columns=rows.column_names).with_format("numpy")
    gone: set[int] = set()
    for left, right in candidates(signed):  # by their later row
        if left not in gone:
            gone.add(right)
    return rows.select([row for row in range(len(rows)) if row not in gone])


def luhn(match: re.Match[str]) -> str:
    """A placeholder, where the check digit is right."""
    digits = [int(sign) for sign in reversed(match[0]) if sign.isdigit()]
    doubled = (digit * (1 + place % 2) for place, digit in enumerate(digits))
    return match[0] if sum(value // 10 + value % 10 for value in doubled) % 10 else "[CARD]"


def resident(match: re.Match[str]) -> str:
    """A placeholder, where the check digit is right (GB 11643-1999)."""
    body = zip(RESIDENT_WEIGHTS, match[0][:17], strict=True)
    check = "10X98765432"[sum(weight * int(digit) for weight, digit in body) % 11]
    return "[ID]" if check == match[0][-1].upper() else match[0]


def private(text: str) -> str:
    """The text with placeholders for personal data."""
    if "://" in text:
        text = USERINFO.sub("[SECRET]", SECRET.sub(r"\1=[SECRET]", text))
    if "@" in text:
        text = EMAIL.sub("[EMAIL]", text)
    if DIGITS.search(text):
        text = CARD.sub(luhn, RESIDENT_ID.sub(resident, text))
        text = PHONE.sub("[PHONE]", IPV4.sub("[IP]", SSN.sub("[SSN]", text)))
    return text


def redacted(batch: Batch) -> Batch:
    """A batch without personal data."""
    return {name: [private(text) for text in batch[name]] for name in ("instruction", "input", "output")}


def safe_split(rows: Dataset) -> dict[str, Dataset]:
    """Parts that no two rows with near questions (5-grams of characters, Jaccard .5) are parted by."""
    texts = [" ".join(unicodedata.normalize("NFKC", text).lower().split()) for text in question(rows[:])]
    distinct = list(dict.fromkeys(texts))
    grams = ({text[n : n + 5].encode() for n in range(max(len(text) - 4, 1))} for text in distinct)
    index = MinHashLSH(threshold=0.5, num_perm=128)
    parent = list(range(len(distinct)))

    def root(number: int) -> int:
        while parent[number] != number:
            parent[number] = number = parent[parent[number]]
        return number

    made = MinHash.generator(grams, num_perm=128, hashfunc=xxhash.xxh32_intdigest, scheme="affine32")
    for number, signature in enumerate(made):
        for other in index.query(signature):
            parent[root(other)] = root(number)
        index.insert(number, signature, check_duplication=False)
    number_of = {text: root(number) for number, text in enumerate(distinct)}
    draw = random.Random(7)
    part_of = {
        number: draw.choices(("train", "dev", "test"), (8, 1, 1))[0] for number in range(len(distinct))
    }
    parts: dict[str, list[int]] = {"train": [], "dev": [], "test": []}
    for row, text in enumerate(texts):
        parts[part_of[number_of[text]]].append(row)
    return {name: rows.select(numbers) for name, numbers in parts.items()}


def export(rows: Dataset, path: Path) -> None:
    """Writes OpenAI messages, one row a line."""
    with path.open("w", encoding="utf-8") as file:
        for batch in rows.iter(1000):
            for asked, replied in zip(question(batch), batch["output"], strict=True):
                messages = [{"role": "user", "content": asked}, {"role": "assistant", "content": replied}]
                file.write(json.dumps({"messages": messages}, ensure_ascii=False) + "\n")


def main(corpus: str, folder: str, out: str, without: str = "") -> None:
    """The whole job, stage by stage."""
    disable_caching()
    disable_progress_bars()
    root = Path(folder)
    root.mkdir(parents=True)
    stages.end("start")
    rows = load_dataset("json", data_files=corpus, split="train", cache_dir=str(root / "cache"))
    counts = {"in": len(rows)}
    stages.end("read")
    rows = rows.filter(fits, batched=True)
    stages.end("length")
    if without != "language":
        rows = rows.map(detected(), batched=True)
        stages.end("language")
    before = len(rows)
    rows = rows.filter(first_seen(), batched=True)
    counts["exact"] = before - len(rows)
    stages.end("exact")
    before = len(rows)
    rows = without_near(rows)
    counts["near"] = before - len(rows)
    stages.end("near")
    rows = rows.map(redacted, batched=True)
    stages.end("redact")
    first = rows.train_test_split(test_size=0.2, seed=7)
    second = first["test"].train_test_split(test_size=0.5, seed=7)
    parts = {"train": first["train"], "dev": second["train"], "test": second["test"]}
    stages.end("split")
    for name, part in parts.items():
        export(part, root / f"sft.{name}.jsonl")
    counts["export"] = sum(map(len, parts.values()))
    stages.end("export")
    safe_split(rows)
    stages.end("safe split")
    stages.write(out, counts)


if __name__ == "__main__":
    main(*sys.argv[1:])
