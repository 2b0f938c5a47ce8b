"""The interface of a shape of target: what a reply tells of it, and how it is found again."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import BaseModel

from zhiling.rows.templates.forms import Column, Record
from zhiling.rows.templates.spelling import Unparsed
from zhiling.rows.templates.view import View


class Shape:
    """One shape of target.

    Attributes:
        columns: values of a record.
        item: how a record is written where a wording does not say so.
        join: what stands between records where a wording does not say so; None: one record at most.
        empty: whether an empty truth is one.
    """

    columns: ClassVar[tuple[Column, ...]]
    item: ClassVar[str]
    join: ClassVar[str | None] = None
    empty: ClassVar[bool] = True

    @abstractmethod
    def records(self, truth: Any, view: View) -> list[Record]:
        """The truth as records.

        Raises:
            Unfit: its places do not fit its words.
        """

    @abstractmethod
    def truth(self, records: Sequence[Record], view: View) -> BaseModel | Unparsed:
        """The records as truth."""

    def told(self, truth: Any) -> Any:
        """What a reply tells of the truth: the part that comes back."""
        return truth

    def names(self, truth: Any) -> tuple[str, ...]:
        """Labels that the truth uses."""
        return ()

    def placed(self, truth: Any) -> bool:
        """Whether the truth tells places."""
        return False
