"""Rejects rows whose conversation or labels are broken in structure."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from zhiling.curation.parts import is_blank
from zhiling.errors import MissingInput, UsageError
from zhiling.pipeline.step import Context, Decide, verdicts
from zhiling.rows.conversation import flatten

ROLES = ("system", "user", "assistant", "tool", "document")


class Valid(Decide):
    """Rejects rows that no template or classifier could use: wrong roles, empty turns, undeclared labels.

    Reasons, the first that holds: `unknown_role` (not system, user, assistant, tool or document),
    `two_system_turns`, `empty_question` (a user turn without text or media, or no user turn at all),
    `empty_reply` (an assistant turn without text, media or tool call), `roles_not_alternating` (two user
    turns, or two assistant turns with no tool result between them, in a row), `unknown_label` (a label of
    `target` outside the declared set). A message that has a name and follows one of its own role belongs to
    the same turn: so stand the fields of a labelled example. Score: how many of these a row breaks.
    """

    name = "valid"
    version: ClassVar[int] = 2
    cost: ClassVar[str] = "cheap: about 3 microseconds a row"
    limits: ClassVar[str] = (
        "Looks at structure only; whether a label or a reply is right is not its business."
    )

    labels: tuple[str, ...] = Field(
        default=(), description="the labels that exist; none given: labels are not checked"
    )
    labels_file: str | None = Field(
        default=None, description="YAML or JSON file whose keys (or list items) are the labels that exist"
    )
    alternate: bool = Field(default=True, description="whether user and assistant must take turns")
    opening_reply: bool = Field(
        default=True, description="whether the assistant may speak first (a greeting)"
    )

    class Reason(StrEnum):
        """Why a row is rejected."""

        UNKNOWN_ROLE = "unknown_role"
        TWO_SYSTEM_TURNS = "two_system_turns"
        EMPTY_QUESTION = "empty_question"
        EMPTY_REPLY = "empty_reply"
        ROLES_NOT_ALTERNATING = "roles_not_alternating"
        UNKNOWN_LABEL = "unknown_label"

    def reads(self) -> tuple[str, ...]:
        """The conversation, and the target where labels are declared."""
        return ("messages", "target") if self.labels or self.labels_file else ("messages",)

    def files(self) -> tuple[str, ...]:
        """The file of labels."""
        return (self.labels_file,) if self.labels_file else ()

    def decide(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Verdicts by structure."""
        problems = self._of_turns(rows["messages"])
        if "target" in self.reads():
            known = set(self.labels)
            if self.labels_file:
                known |= read_labels(context.root / self.labels_file)
            problems[self.Reason.UNKNOWN_LABEL] = _has_unknown_label(rows["target"], known)
        masks = pl.DataFrame({str(reason): mask for reason, mask in problems.items()})
        first = pl.coalesce(
            pl.when(pl.col(name)).then(pl.lit(name))
            for name in map(str, self.Reason)
            if name in masks.columns
        )
        found = masks.select(reason=first, score=pl.sum_horizontal(pl.all().cast(pl.Float64)))
        return verdicts(found["reason"].is_not_null(), found["reason"], score=found["score"])

    def _of_turns(self, messages: pl.Series) -> dict[StrEnum, NDArray[np.bool_]]:
        lines = flatten(messages)
        lines = lines.select("row", "name", role=pl.col("role").fill_null(""), blank=is_blank(lines))
        role, height = pl.col("role"), len(messages)
        no_user = ~_rows_with(lines, role == "user", height)
        return {
            self.Reason.UNKNOWN_ROLE: _rows_with(lines, ~role.is_in(ROLES), height),
            self.Reason.TWO_SYSTEM_TURNS: _counts(lines, role == "system", height) > 1,
            self.Reason.EMPTY_QUESTION: no_user
            | _rows_with(lines, (role == "user") & pl.col("blank"), height),
            self.Reason.EMPTY_REPLY: _rows_with(lines, (role == "assistant") & pl.col("blank"), height),
            self.Reason.ROLES_NOT_ALTERNATING: self._not_alternating(lines, height),
        }

    def _not_alternating(self, lines: pl.DataFrame, height: int) -> NDArray[np.bool_]:
        if not self.alternate:
            return np.zeros(height, dtype=np.bool_)
        turns = lines.filter(pl.col("role").is_in(["user", "assistant", "tool"])).with_columns(
            same=pl.col("row") == pl.col("row").shift(1), before=pl.col("role").shift(1)
        )
        first = ~pl.col("same").fill_null(False)
        role = pl.col("role")
        repeated = ~first & (role == pl.col("before")) & (role != "tool") & pl.col("name").is_null()
        opening = first & (role != "user") & (role != "assistant" if self.opening_reply else True)
        return _rows_with(turns, repeated | opening, height)


def _counts(lines: pl.DataFrame, condition: pl.Expr, height: int) -> NDArray[np.int64]:
    return np.bincount(lines.filter(condition)["row"].to_numpy(), minlength=height)


def _rows_with(lines: pl.DataFrame, condition: pl.Expr, height: int) -> NDArray[np.bool_]:
    return _counts(lines, condition, height) > 0


def _has_unknown_label(targets: pl.Series, known: set[str]) -> NDArray[np.bool_]:
    """Whether a target names a label that is not declared; each distinct target is parsed once."""
    distinct = targets.drop_nulls().unique().to_list()
    wrong = [target for target in distinct if not _labels_of(json.loads(target)) <= known]
    return targets.is_in(wrong).fill_null(False).to_numpy()


def _labels_of(target: Any) -> set[str]:
    """Labels of a target: `labels` (or `label`) of the row, and those of its spans."""
    if not isinstance(target, dict):
        return set()
    fields = cast(dict[str, Any], target)
    labels: list[Any] = [*(fields.get("labels") or []), fields.get("label")]
    spans: list[dict[str, Any]] = fields.get("spans") or []
    labels += [span.get("label") for span in spans]
    return {str(label) for label in labels if label is not None}


def read_labels(path: Path) -> set[str]:
    """The keys, or the items, of a YAML or JSON file.

    Raises:
        MissingInput: the file is not there.
        UsageError: it is neither a mapping nor a list, or cannot be parsed.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        yaml: Any = YAML(typ="safe", pure=True)
        content: Any = yaml.load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise MissingInput(f"labels_file {path.name!r} is not there", place=str(path)) from error
    except (YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"labels_file cannot be read: {error}", place=str(path)) from error
    if not isinstance(content, dict | list) or not content:
        raise UsageError(
            "labels_file holds no labels",
            place=str(path),
            hint="write a mapping or a list",
        )
    return {str(label) for label in cast(list[Any] | dict[Any, Any], content)}
