"""Weights on their way to the disk: a full one is told in the same words as everywhere."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from zhiling.errors import StepFailed
from zhiling.pipeline.store import writing


@contextmanager
def writing_weights(path: Path) -> Generator[None]:
    """Turns what the disk, torch and safetensors say of it into an error that says what to do.

    Raises:
        StepFailed: the disk is full, or the file cannot be written for another reason.
    """
    with writing(path):
        try:
            yield
        except SafetensorError as error:
            raise OSError(str(error)) from error  # `writing` reads the system's number in it
        except RuntimeError as error:
            if "inline_container" not in str(error):  # the place in torch that writes files
                raise
            raise StepFailed(
                f"the weights could not be written whole ({error})",
                place=str(path),
                hint="make room; `zhiling gc` removes old runs; then `zhiling run` goes on",
            ) from error
