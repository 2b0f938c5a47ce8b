"""A model's folder: written anew whole or left as it was, and what its files hold."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from zhiling.training.saving.weight_files import writing_weights


def files_of(folder: Path) -> list[str]:
    """Names of all files under a folder, sorted."""
    return sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())


def digest_of(file: Path) -> str:
    """A hash of the file's bytes (32 hex digits of BLAKE2b)."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "blake2b").hexdigest()[:32]


@contextmanager
def replaced(folder: Path) -> Generator[Path]:
    """A new folder to write in; it takes the place of this one when everything is written.

    Raises:
        StepFailed: the disk is full, or the folder cannot be written.
    """
    folder = folder.resolve()
    new, old = (folder.with_name(f".{folder.name}.{os.getpid()}.{name}") for name in ("new", "old"))
    shutil.rmtree(new, ignore_errors=True)
    try:
        with writing_weights(folder):
            new.mkdir(parents=True)
            yield new
            if folder.exists():
                folder.rename(old)
            new.rename(folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
