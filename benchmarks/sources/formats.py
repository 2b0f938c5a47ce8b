"""sources.2: public instruction sets read into rows and written again in the form that they came in.

    python benchmarks/sources/formats.py [--data ../shared/data]

Every set is read by the source `instructions` without configuration. A record's row is written by the
format that read it, in the form and spelling that it recognised, and both are compared as JSON values:
a field that is absent, null, "" or [] is the same. The value is the share of rows whose record comes back
equal; records that are no row are told by their class (a preference between equal answers is none).
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from zhiling.pipeline.step import Bad
from zhiling.rows.formats.format import Format
from zhiling.sources.instructions import Instructions, Sniffer

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.record import record, row  # noqa: E402

SETS = (
    "llama_factory_demo/*.jsonl.gz",
    "llama_factory_demo/wiki_demo.txt.gz",
    "alpaca_en_10k/alpaca_en.jsonl.gz",
    "alpaca_zh_10k/alpaca_zh.jsonl.gz",
    "alpagasus_dolly_3k/*.jsonl.gz",
    "gpteacher_roleplay/*.jsonl.gz",
    "oasst_zh/*.jsonl.gz",
    "rasbt_instructions/*.jsonl.gz",
    "self_instruct/gpt3_generated_5k_of_82k.jsonl.gz",
    "t0_templates/*.jsonl.gz",
)


@dataclass
class Trip:
    """What came of the records of one format and form."""

    rows: int = 0
    equal: int = 0
    bad: Counter[str] = field(default_factory=Counter[str])
    losses: Counter[str] = field(default_factory=Counter[str])

    def add(self, other: Trip) -> None:
        """Adds the records of another file."""
        self.rows += other.rows
        self.equal += other.equal
        self.bad += other.bad
        self.losses += other.losses


def main(data: Path) -> None:
    """Measures all sets, prints a line each and records the row."""
    trips: dict[str, Trip] = {}
    for pattern in SETS:
        for path in sorted(data.glob(pattern)):
            for form, trip in round_trip(path).items():
                print(f"{path.relative_to(data)}: {form}: {_told(trip)}")
                trips.setdefault(form, Trip()).add(trip)
    whole = Trip()
    for trip in trips.values():
        whole.add(trip)
    files = sum(len(list(data.glob(pattern))) for pattern in SETS)
    bad, losses = dict(sorted(whole.bad.items())), dict(sorted(whole.losses.items()))
    note = f"records that are no rows: {bad or 'none'}; losses counted by the formats: {losses or 'none'}"
    record(
        "sources",
        [
            row(
                "sources.2",
                "rows whose record is equal after format, rows, format",
                whole.equal / whole.rows,
                1.0,
                "higher",
                n=whole.rows,
                unit="share",
                beside={form: trip.equal / trip.rows for form, trip in sorted(trips.items())},
                data=f"{files} files of the instruction sets in ../shared/data",
                note=note,
            )
        ],
    )


def round_trip(path: Path) -> dict[str, Trip]:
    """What comes of the records of one file, by format and form."""
    source = Instructions(path=path.name, missing_media="keep")
    batches = list(source.read([path], path.parent))
    rows, bad = (
        pl.concat([batch.rows for batch in batches]),
        [each for batch in batches for each in batch.bad],
    )
    given = dict(records_of(path))
    trips: dict[str, Trip] = {}
    sniffer = Sniffer()
    for form, places in _by_form(rows["locator"].to_list(), given, sniffer).items():
        trip = trips.setdefault(_named(form), Trip())
        written = form.encode(rows[[index for index, _ in places]].with_columns(id=pl.lit("")), trip.losses)
        lines = [json.loads(line) for line in written.decode().split("\n")[:-1]]
        trip.rows += len(places)
        trip.equal += sum(
            clean(line) == clean(given[number]) for line, (_, number) in zip(lines, places, strict=True)
        )
    _count_bad(bad, given, sniffer, trips)
    return trips


def records_of(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number and record of each line, read by the standard library."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield number, json.loads(line) if ".jsonl" in path.suffixes else {"text": line.rstrip("\n")}


def clean(value: Any) -> Any:
    """A JSON value without fields that hold nothing."""
    if isinstance(value, dict):
        kept = {name: clean(each) for name, each in value.items()}
        return {name: each for name, each in kept.items() if each not in (None, "", [], {})}
    return [clean(each) for each in value] if isinstance(value, list) else value


def _by_form(
    locators: Sequence[str], given: Mapping[int, dict[str, Any]], sniffer: Sniffer
) -> dict[Format, list[tuple[int, int]]]:
    """Format with its settings → index of each row, and the line of its record."""
    forms: dict[Format, list[tuple[int, int]]] = {}
    for index, locator in enumerate(locators):
        number = int(locator.split(":")[1])
        form = sniffer.of(given[number]).notation(given[number])
        forms.setdefault(form, []).append((index, number))
    return forms


def _count_bad(
    bad: Sequence[Bad], given: Mapping[int, dict[str, Any]], sniffer: Sniffer, trips: dict[str, Trip]
) -> None:
    for each in bad:
        number = int(each.place.split(":")[1])
        trip = trips.setdefault(_named(sniffer.of(given[number]).notation(given[number])), Trip())
        trip.bad[each.cls] += 1


def _named(form: Format) -> str:
    """The format with the settings that are not its defaults."""
    fields = type(form).model_fields
    chosen = [str(value) for name, value in form if value != fields[name].default]
    return " ".join([form.name, *chosen])


def _told(trip: Trip) -> str:
    told = f"{trip.equal} of {trip.rows} equal"
    for name, counts in (("bad", trip.bad), ("losses", trip.losses)):
        told += f", {name} {dict(counts)}" if counts else ""
    return told


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    main(parser.parse_args().data)
