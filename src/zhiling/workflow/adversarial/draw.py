"""Which real rows a seed tests on, which it knows, and whose labels it hides, before any step sees them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from zhiling.adversarial.real import labelled, with_text
from zhiling.errors import UsageError
from zhiling.pipeline.step import uniform
from zhiling.rows.evaluation_file import read_records
from zhiling.text.normalise import normalise
from zhiling.workflow.adversarial.hold_out import HIDDEN, LIKE_TEST, TEST, write_held

LEAST_GROUPS, LEAST_LABELS = 3, 2
"""Of a label that is tested one group is a test row and two stay; of fewer labels nothing is to be learnt."""


NO_LABEL = ""


@dataclass(frozen=True)
class Wanted:
    """How rows are dealt out.

    Attributes:
        test: share of the groups of each label that is tested on.
        test_file: rows to test on instead (JSONL or CSV with `text` and `label`).
        shots: labelled rows of each label that stay known; None: all but the test rows.
        truth: file with `text` and `label` of lines (an empty label: none fits), or the name of a source
            field that holds the label.
    """

    test: float = 0.3
    test_file: Path | None = None
    shots: int | None = None
    truth: str | None = None


@dataclass(frozen=True)
class Draw:
    """One seed's deal.

    Attributes:
        tested: `unit` (the same in all seeds), `owner`, `text`, `label` of the rows that are tested on.
        held: part → ids of rows, as `write_held` takes them.
        truth: normal form of a line → its label, where it is known and hidden from all arms; `NO_LABEL` where
            it is known that none fits.
    """

    tested: pl.DataFrame
    held: Mapping[str, list[str]]
    truth: Mapping[str, str] = field(default_factory=dict[str, str])

    def write(self, file: Path) -> None:
        """Leaves the parts for the steps that hold rows out."""
        write_held(file, dict(self.held))


class Rows:
    """The rows of the sources as they came, read once for all seeds.

    Args:
        rows: `id, messages, task, target, group, extra`.
        wanted: how they are dealt out.

    Raises:
        UsageError: there are too few labelled rows, or `truth` names nothing.
    """

    def __init__(self, rows: pl.DataFrame, wanted: Wanted) -> None:
        self._wanted = wanted
        texts = with_text(rows)
        keyed = texts.with_columns(
            normalise(texts["text"]).alias("key"), pl.coalesce("group", "id").alias("owner")
        )
        is_labelled = labelled(rows)
        self._real = keyed.filter(is_labelled & (keyed["key"] != "")).sort("id")
        self._others = keyed.filter(~is_labelled)
        self._file = None if wanted.test_file is None else _test_file(wanted.test_file)
        self._truth = {} if wanted.truth is None else self._told(wanted.truth)
        self._check()

    def _check(self) -> None:
        owners = self._real.group_by("label").agg(pl.col("owner").n_unique().alias("count"))
        labels = owners.height
        if labels < LEAST_LABELS:
            raise UsageError(
                f"{self._real.height} labelled rows of {labels} labels: there is nothing to tell apart",
                hint="the sources need rows of two labels or more; labels that a step gives do not count",
            )
        fit = owners.filter(pl.col("count") >= LEAST_GROUPS).height
        if self._file is None and fit < LEAST_LABELS:
            most = owners["count"].max()
            raise UsageError(
                f"{self._real.height} labelled rows of {labels} labels, {most} of a label at most: too few "
                "to hold test rows back",
                hint=f"two labels need {LEAST_GROUPS} rows (of different groups) or more; or name labelled "
                "rows to test on: --test-file",
            )

    def deal(self, seed: int) -> Draw:
        """The rows of one seed; whole groups, the same share of every label."""
        real = self._real.join(self._places(seed), on="owner", how="left", maintain_order="left")
        tested = self._file
        held: dict[str, list[str]] = {}
        if tested is None:
            mine = real.filter("tested")
            tested = mine.select(pl.col("id").alias("unit"), "owner", "text", "label")
            held[TEST] = mine["id"].to_list()
        keys, owners = normalise(tested["text"]).implode(), tested["owner"].implode()
        like = pl.col("key").is_in(keys) | pl.col("owner").is_in(owners)
        columns = ["id", "key", "owner"]
        others = pl.concat([real.filter(~pl.col("tested")).select(columns), self._others.select(columns)])
        held[LIKE_TEST] = others.filter(like)["id"].to_list()
        hidden = self._hidden(real.filter(~pl.col("tested") & ~like))
        held[HIDDEN] = hidden["id"].to_list()
        return Draw(tested, held, self._truth | _of_texts(hidden))

    def _places(self, seed: int) -> pl.DataFrame:
        """`owner`, `rank` (its place in the label's drawn order) and `tested`."""
        owners = self._real.group_by("owner", maintain_order=True).agg(pl.col("label").first())
        drawn = pl.Series("draw", uniform(owners["owner"], f"{seed}\0compare\0"))
        owners = owners.with_columns(drawn).sort("label", "draw")
        count = pl.len().over("label")
        rank = pl.int_range(pl.len()).over("label")
        share = (self._wanted.test * count).round().clip(1, count - LEAST_GROUPS + 1)
        tested = (rank < share) & (count >= LEAST_GROUPS)
        tested = tested if self._file is None else pl.lit(False)
        return owners.select("owner", rank.alias("rank"), tested.alias("tested"))

    def _hidden(self, rows: pl.DataFrame) -> pl.DataFrame:
        """All but the first `shots` rows of each label."""
        if self._wanted.shots is None:
            return rows.clear()
        ordered = rows.sort("label", "rank", "id")
        return ordered.filter(pl.int_range(pl.len()).over("label") >= self._wanted.shots)

    def _told(self, truth: str) -> dict[str, str]:
        """The labels of lines, from a file or a field of the sources."""
        if Path(truth).is_file():
            return _of_texts(_read(Path(truth), empty=True))
        told = pl.col("extra").str.json_path_match(f"$['{truth}']").alias("label")
        lines = self._others.with_columns(told).drop_nulls("label")
        if not lines.height:
            raise UsageError(
                f"--truth {truth!r} is no file, and no line has a field of this name",
                hint="name a file with `text` and `label`, or a field that no source takes for its label",
            )
        return _of_texts(lines)


def _of_texts(rows: pl.DataFrame) -> dict[str, str]:
    """Normal form of a text → its label; a text with two labels has none."""
    rows = rows.with_columns(normalise(rows["text"]).alias("key"))
    labels = rows.group_by("key").agg(pl.col("label").unique()).filter(pl.col("label").list.len() == 1)
    return dict(labels.select("key", pl.col("label").list.first()).iter_rows())


def _test_file(file: Path) -> pl.DataFrame:
    """The rows of a file to test on.

    Raises:
        UsageError: none, or of one label.
    """
    found = _read(file)
    counts = Counter(found["label"].to_list())
    if len(counts) < LEAST_LABELS:
        raise UsageError(
            f"{found.height} rows of {len(counts)} labels to test on", place=str(file),
            hint="two labels or more are needed",
        )  # fmt: skip
    unit = [f"{file.name}:{number}" for number in range(found.height)]
    return found.select(pl.Series("unit", unit), pl.Series("owner", unit), "text", "label")


def _read(file: Path, *, empty: bool = False) -> pl.DataFrame:
    """`text` and `label` of a JSONL or CSV file; a label may be `empty`.

    Raises:
        MissingInput: no such file.
        UsageError: a record without them.
        DamagedFile: a line that cannot be read.
    """
    pairs: list[tuple[str, str]] = []
    for number, record in read_records(file):
        text, label = record.get("text"), record.get("label")
        label = NO_LABEL if label is None and empty else label
        told = isinstance(label, str) and (label or empty)
        if not isinstance(text, str) or not text.strip() or not told:
            raise UsageError(
                f"`text` and `label` must be texts, got {str(text)!r:.60} and {str(label)!r:.60}",
                place=f"{file.name}:{number}", hint=f"it has {sorted(map(str, record))}",
            )  # fmt: skip
        pairs.append((text, str(label)))
    return pl.DataFrame(pairs, schema={"text": pl.String, "label": pl.String}, orient="row")
