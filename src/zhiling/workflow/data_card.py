"""The data card of an export: what its files hold, from where, under which licences, and what was left out.

A card is Markdown in both languages with a YAML head as dataset hubs read it. It tells no time, no place and
no run, so whoever does the same again gets the same card.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import polars as pl

from zhiling.pipeline.store import Manifest, write_bytes
from zhiling.rows.formats.losses import meaning

if TYPE_CHECKING:
    from jinja2 import Template

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_LARGEST = "n>1M"
_COUNTED = {
    "language": pl.col("language"),
    "task": pl.col("task"),
    "source": pl.col("origin").struct.field("source"),
    "licence": pl.col("origin").struct.field("licence"),
}


@dataclass
class Tally:
    """Counts of exported rows while they go by: (language, task, source, licence) → rows."""

    rows: Counter[tuple[str | None, ...]] = field(default_factory=Counter[tuple[str | None, ...]])

    def add(self, rows: pl.DataFrame) -> None:
        """Counts these rows (`language, task, origin`)."""
        counted = rows.group_by([expression.alias(name) for name, expression in _COUNTED.items()]).len()
        self.rows.update({tuple(line[:-1]): line[-1] for line in counted.iter_rows()})

    def by(self, *names: str) -> list[tuple[tuple[str | None, ...], int]]:
        """Values of these columns with their rows, the most frequent first."""
        places = [list(_COUNTED).index(name) for name in names]
        found: Counter[tuple[str | None, ...]] = Counter()
        for values, count in self.rows.items():
            found[tuple(values[place] for place in places)] += count
        return sorted(found.items(), key=lambda item: (-item[1], tuple(map(str, item[0]))))


def write_card(path: Path, manifest: Manifest, export: Mapping[str, Any], tally: Tally) -> None:
    """Writes the card of one export.

    Args:
        path: where to.
        manifest: the run's.
        export: `{"path", "format", "files", "losses"}`; its files lie beside the card.
        tally: counts of its rows.
    """
    files = [{**file, "sha256": _sha256(path.with_name(file["path"]))} for file in export["files"]]
    text = _template().render(
        head=_head(export, files, tally),
        name=Path(export["path"]).stem,
        recipe=manifest.run.rpartition("-")[0],
        export=export,
        files=files,
        tally=tally,
        manifest=manifest,
        removed=list(_removed(manifest)),
        sources=[stage for stage in manifest.stages if stage.kind == "source"],
        steps=[stage for stage in manifest.stages if stage.kind != "source"],
    )
    write_bytes(path, text.encode())


def _head(export: Mapping[str, Any], files: Sequence[Mapping[str, Any]], tally: Tally) -> str:
    """The YAML head, each value as JSON (which is YAML)."""
    rows = sum(tally.rows.values())
    licences = [name.lower() if name else "unknown" for (name,), _ in tally.by("licence")]
    parts = [{"split": file["split"], "path": file["path"]} for file in files if file["rows"]]
    values = {
        "pretty_name": Path(export["path"]).stem,
        "language": [name for (name,), _ in tally.by("language") if name],
        "license": licences,
        "task_categories": [name for (name,), _ in tally.by("task") if name],
        "size_categories": [next((name for most, name in _SIZES if rows < most), _LARGEST)],
        "configs": [{"config_name": "default", "data_files": parts}],
    }
    return "\n".join(f"{key}: {orjson.dumps(value).decode()}" for key, value in values.items() if value)


def _removed(manifest: Manifest) -> Iterable[tuple[str, str, str, int]]:
    """Step, verdict, reason and rows of everything that left on the way."""
    for stage in manifest.stages:
        for verdict in ("reject", "failed", "replaced", "review"):
            for reason, rows in sorted(stage.counts.get(verdict, {}).items()):
                yield stage.id, verdict, reason or "", rows


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _cell(value: object) -> str:
    """A value inside a Markdown table."""
    return str(value).replace("|", "\\|").replace("\n", " ") if value not in (None, "") else "–"


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


@cache
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters |= {"cell": _cell, "number": _number, "meaning": meaning}
    text = resources.files("zhiling.workflow").joinpath("data_card.md.j2").read_text(encoding="utf-8")
    return environment.from_string(text)
