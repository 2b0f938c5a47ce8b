"""Fields that records get from another file, such as the definition of each instance's task."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from zhiling.errors import DamagedFile, MissingInput
from zhiling.sources.labelled.example import Unreadable
from zhiling.sources.records.records import Records

Item = dict[str, Any]


class Lookup(BaseModel):
    """Which fields of which file a record gets."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str = Field(description="file of records, relative to the recipe")
    on: str = Field(description="field that both files have, by which a record is found")
    take: tuple[str, ...] = Field(min_length=1, description="fields that are taken from the record found")


class Table:
    """The fields to be taken, by the value that they are found by.

    Args:
        lookup: what is taken, and by which field.
        path: the file.
        read: gives its records.

    Raises:
        MissingInput: the file is not there.
        DamagedFile: a record of it cannot be read, or two of one value say different things.
    """

    def __init__(self, lookup: Lookup, path: Path, read: Callable[[Path], Iterator[Records]]) -> None:
        if not path.is_file():
            raise MissingInput("the file of `lookup` is not there", place=str(path))
        self._lookup = lookup
        self._found: dict[str, Item] = {}
        for records in read(path):
            if records.bad:
                bad = records.bad[0]
                raise DamagedFile(f"the file of `lookup` cannot be read: {bad.message}", place=bad.place)
            for line, item in zip(records.lines, records.items, strict=True):
                self._add(item, f"{records.place}:{line}")

    def _add(self, item: Item, place: str) -> None:
        taken = {name: item[name] for name in self._lookup.take if item.get(name) is not None}
        value = str(item.get(self._lookup.on))
        if self._found.setdefault(value, taken) != taken:
            fields = ", ".join(self._lookup.take)
            raise DamagedFile(
                f"a second record with {self._lookup.on} {value!r} differs in {fields}",
                place=place,
                hint="one record a value is needed, or equal ones",
            )

    def completed(self, item: Mapping[str, Any]) -> Item:
        """The record with the fields that were looked up; its own of the same name are replaced.

        Raises:
            Unreadable: `not_found`.
        """
        value = item.get(self._lookup.on)
        found = self._found.get(str(value))
        if found is None:
            message = f"{self._lookup.on} is {value!r:.60}; no record of {self._lookup.file} has it"
            raise Unreadable("not_found", message)
        return {**item, **found}
