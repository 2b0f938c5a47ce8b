"""The demo's project folder: a help desk's export of the hand-written material, with or without defects."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from zhiling.workflow.demo.copies import plant_evaluation_rows, plant_exact_copies, plant_near_copies
from zhiling.workflow.demo.damage import (
    damaged_line,
    inject_page,
    plant_injections,
    plant_truncated_replies,
    plant_unreadable_lines,
    plant_wrong_labels,
    plant_wrong_pairings,
)
from zhiling.workflow.demo.material import LANGUAGES, Desk, Entry, line_of, read_desk, records, stream
from zhiling.workflow.demo.personal_data import plant_personal_data

TRUTH = "truth.jsonl"

# Those that need two-turn conversations come first. Each takes clean conversations only.
_PLANTERS: tuple[Callable[[Desk, np.random.Generator], None], ...] = (
    plant_wrong_pairings,
    plant_unreadable_lines,
    plant_truncated_replies,
    plant_wrong_labels,
    plant_personal_data,
    plant_injections,
    plant_exact_copies,
    plant_near_copies,
    plant_evaluation_rows,
)
_COPIED = ("evaluation.jsonl", "labels.yaml", "questions.jsonl", "recipe.yaml")


def build(material: Path, folder: Path, *, seed: int, defects: bool) -> None:
    """Writes a project folder as a help desk would export it; the same seed writes the same bytes.

    `logs/tickets-{zh,en}.jsonl` (a line a message, conversations in order of time), `manual/`, the evaluation
    file, label names, questions and the recipe as they are, and `truth.jsonl`, one line a planted defect,
    which no recipe reads: `{"defect", "conversation", "locator", "start", "of", "detail"}`. `locator` is the
    line that carries the defect, `start` the first line of its conversation; `of` is the conversation or
    evaluation line that was copied, the right label, the whole reply, the planted value or sentence.
    Files that are there are written anew.

    Args:
        material: the folder that `locate` finds.
        folder: made where it is not there.
        seed: decides order, times and defects.
        defects: False writes the same material without any, and an empty truth file. Ids and times of the
            hand-written conversations are the same either way.
    """
    desk = read_desk(material, seed)
    if defects:
        for plant in _PLANTERS:
            plant(desk, stream(seed, plant.__name__))
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(material / "manual", folder / "manual", dirs_exist_ok=True)
    for name in _COPIED:
        shutil.copyfile(material / name, folder / name)
    truth = [line for language in LANGUAGES for line in _write_log(desk, language, folder, seed)]
    if defects:
        truth += [_inject(folder, language, seed) for language in LANGUAGES]
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in truth)
    (folder / TRUTH).write_text(text, encoding="utf-8", newline="\n")


def _write_log(desk: Desk, language: str, folder: Path, seed: int) -> list[dict[str, str]]:
    """Writes the log of one language; the truth about its defects."""
    name = f"logs/tickets-{language}.jsonl"
    lines: list[bytes] = []
    truth: list[dict[str, str]] = []
    of_language = (entry for entry in desk.entries if entry.ticket.language == language)
    for entry in sorted(of_language, key=lambda entry: entry.number):
        if entry.planted:
            truth.append(
                {
                    "defect": entry.planted.defect,
                    "conversation": entry.id,
                    "locator": f"{name}:{len(lines) + 1 + entry.planted.turn}",
                    "start": f"{name}:{len(lines) + 1}",
                    "of": entry.planted.of,
                    "detail": entry.planted.detail,
                }
            )
        lines += _lines(entry, seed)
    (folder / "logs").mkdir(exist_ok=True)
    (folder / name).write_bytes(b"".join(line + b"\n" for line in lines))
    return truth


def _lines(entry: Entry, seed: int) -> list[bytes]:
    planted = entry.planted if entry.planted and entry.planted.defect == "unreadable_lines" else None
    return [
        damaged_line(record, planted.detail, entry.ticket.language)
        if planted and planted.turn == turn
        else line_of(record)
        for turn, record in enumerate(records(entry, seed))
    ]


def _inject(folder: Path, language: str, seed: int) -> dict[str, str]:
    """A command in one manual page of the language, and the truth about it."""
    draws = stream(seed, f"page {language}")
    pages = sorted((folder / "manual" / language).glob("*.md"))
    page = pages[int(draws.integers(len(pages)))]
    line, sentence = inject_page(page, language, draws)
    place = f"{page.relative_to(folder).as_posix()}:{line}"
    return {
        "defect": "injections",
        "conversation": "",
        "locator": place,
        "start": place,
        "of": sentence,
        "detail": "manual",
    }
