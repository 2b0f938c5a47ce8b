"""What a run made of the planted defects, as a table.

python score.py [RUN]
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from zhiling.cli.console import print_table
from zhiling.rows.conversation import all_text
from zhiling.workflow.demo.play import fates
from zhiling.workflow.demo.score import Finder, Score, score
from zhiling.workflow.run import Run, open_run

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Day:
    """Kind of defect → the steps of the day's recipe that look for it."""

    finders: dict[str, Finder]


def by(*own: str, also: tuple[str, ...] = (), absent: bool = False) -> Finder:
    """Found by these steps or reasons; clean rows that those leave without count as wrongly removed."""
    return Finder(frozenset((*own, *also)), frozenset(own), absent)


DAY_1 = Day(
    {
        "unreadable_lines": by("bad"),
        "damaged_texts": by("mended", "damage", absent=True),
        "junk": by("no_words"),
        "refusals": by("canned"),
        "role_leaks": by("roles"),
        "links_only": by("links_only"),
        "repetition": by("loops"),
        "broken_structure": by("structure"),
        "truncated_replies": by("whole"),
        "wrong_languages": by("same_language"),
        "secrets": by("secret"),
        "personal_data": Finder(own=frozenset(("private",)), absent=True),
        "injections": by("safe", absent=True),
        "exact_duplicates": by("exact", also=("near",)),
        "near_duplicates": by("near", also=("exact",)),
        "evaluation_rows": by("unseen"),
        "wrong_pairings": by("paired"),
    }
)
DAY_2 = Day(
    {
        "exact_repeats": by("known"),
        "edited_repeats": by("known"),
        "paraphrased_repeats": by("known"),
    }
)


def scores(run: Run, truth: Path = HERE / "truth.jsonl") -> list[Score]:
    """A line per kind of defect that was planted in the run's day."""
    table = run.table()
    left = fates(run).with_columns(conversation=pl.col("locator"))
    kept = all_text(table.read(["messages"], table.kept())["messages"])
    day = DAY_2 if any(stage.id == "known" for stage in run.folder.manifest.stages) else DAY_1
    return score(truth, left, kept, day.finders)


def main(run: Run) -> None:
    """Prints the table."""
    found = scores(run)
    lines = [
        (each.defect.replace("_", " "), each.planted, each.found, each.wrongly_removed) for each in found
    ]
    print_table(("planted defect", "planted", "found", "wrongly removed"), lines, title=f"run {run.id}")
    for each in found:
        for place in (*each.missed, *each.wrong):
            print(f"{each.defect}: {'missed' if place in each.missed else 'wrongly removed'} {place}")


if __name__ == "__main__":
    main(open_run(HERE / "runs" / sys.argv[1] if len(sys.argv) > 1 else HERE))
