"""Targets of rows, read as the shapes of `rows/target.py`."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ValidationError

Shape = TypeVar("Shape", bound=BaseModel)


def read_target(document: str, *shapes: type[Shape]) -> Shape | None:
    """The target as the first of these shapes that it has; None where it has none of them."""
    for shape in shapes:
        try:
            return shape.model_validate_json(document)
        except ValidationError:
            continue
    return None


def must_read(document: str, shape: type[Shape]) -> Shape:
    """A target that the task itself spelled.

    Raises:
        ValidationError: it did not.
    """
    return shape.model_validate_json(document)
