"""Files behind URLs (`s3://`, `gs://`, `hdfs://`, `memory://` …, whatever fsspec knows): fetched, and sent.

A source whose path is a URL reads a copy beside the runs: every source works with every scheme, keys hash
contents as always, and workers on other machines read what the driver saw. A copy is fetched again when the
file system says that its file has changed. Exports are written in the run's folder and then sent.
"""

from __future__ import annotations

import glob
import importlib
import re
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from zhiling.errors import MissingExtra, MissingInput
from zhiling.pipeline.store import write_bytes, writing

FOLDER = ".remote"
"""Beside `runs/`: what was fetched."""

_URL = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]+://")


def is_url(path: str) -> bool:
    """Whether a path of a recipe names a file behind a URL."""
    return _URL.match(path) is not None


def fetched(patterns: Sequence[str], root: Path) -> tuple[str, ...]:
    """The patterns, with the paths of local copies (relative to `root`) in the place of URLs.

    Raises:
        MissingInput: a URL that matches nothing, or a file system that cannot be reached.
        MissingExtra: fsspec is not installed.
    """
    return tuple(name for pattern in patterns for name in _local(pattern, root))


def _local(pattern: str, root: Path) -> list[str]:
    if not is_url(pattern):
        return [pattern]
    scheme = pattern.partition("://")[0]
    with _reached(pattern) as (system, path):
        names = [name for name in sorted(system.glob(path)) if system.isfile(name)]
        if not names:
            raise MissingInput(f"nothing matches {pattern!r}", hint="look at the path and the rights")
        copies = [_copy(system, name, root / FOLDER / scheme) for name in names]
    return [glob.escape(copy.relative_to(root).as_posix()) for copy in copies]


def _copy(system: Any, name: str, folder: Path) -> Path:
    """The copy of a file, fetched if it is not there or no longer the same."""
    parts = [part for part in name.split("/") if part not in ("", ".", "..")]
    copy = folder.joinpath(*parts)
    mark, state = copy.with_name(f".{copy.name}.state"), str(system.ukey(name)).encode()
    if copy.is_file() and mark.is_file() and mark.read_bytes() == state:
        return copy
    half = copy.with_name(f".{copy.name}.half")
    with writing(copy):
        copy.parent.mkdir(parents=True, exist_ok=True)
        system.get_file(name, str(half))
        half.replace(copy)
    write_bytes(mark, state)
    return copy


def send(files: Sequence[Path], folder: str) -> list[str]:
    """Copies files into a folder behind a URL, over what is there; returns where they are.

    Raises:
        MissingInput: a file system that cannot be reached.
        MissingExtra: fsspec is not installed.
    """
    with _reached(folder) as (system, path):
        system.makedirs(path, exist_ok=True)
        for file in files:
            system.put_file(str(file), f"{path.rstrip('/')}/{file.name}")
    return [f"{folder.rstrip('/')}/{file.name}" for file in files]


@contextmanager
def _reached(url: str) -> Generator[tuple[Any, str]]:
    """The file system of a URL and the path in it."""
    try:
        core: Any = importlib.import_module("fsspec.core")
    except ImportError as error:
        raise MissingExtra("remote", "fsspec") from error
    try:
        system, path = core.url_to_fs(url)
        yield system, path
    except ImportError as error:  # fsspec is there, the package of this scheme is not
        raise MissingInput(
            f"{url!r} cannot be opened: {error}", hint="install the package it names"
        ) from error
    except ValueError as error:
        raise MissingInput(f"{url!r} cannot be opened: {error}", hint="s3://BUCKET/PATH, say") from error
    except OSError as error:
        raise MissingInput(
            f"{url!r} cannot be reached: {error}", hint="look at the network, the address and the rights"
        ) from error
