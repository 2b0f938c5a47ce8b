"""Where a local model lies: a folder, or a folder inside an installed package."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from zhiling.errors import MissingInput, UsageError

PACKAGE_PREFIX = "package:"
_MODEL_FILES = ("*.json", "*.txt", "*.model", "*.safetensors", "*.bin", "*/config.json")
"""What decides a model's vectors: configuration, tokenizer, weights, pooling. READMEs do not."""


def located(path: str, root: Path) -> str:
    """A path of a recipe, which starts at its folder, as one from here; what names a package stays."""
    return path if path.startswith(PACKAGE_PREFIX) else str(root / path)


def model_folder(path: str, root: Path | None = None) -> Path:
    """The existing folder that `path` names: `some/folder` or `package:NAME/folder`.

    The package is found without running any of its code.

    Args:
        path: where the model lies.
        root: where a relative path starts; unset: at the current folder.

    Raises:
        MissingInput: no such folder, or the package is not installed (exit code 3).
        UsageError: the package form is malformed.
    """
    if path.startswith(PACKAGE_PREFIX):
        return _package_folder(path)
    folder = (root or Path()) / Path(path).expanduser()
    if not (folder / "config.json").is_file():
        raise MissingInput(
            f"no model at {path!r}: a folder with a file config.json is needed",
            hint=f"Models are read from disk only. {_fetching(path, root)}",
        )
    return folder


def _fetching(path: str, root: Path | None) -> str:
    """What to do about a missing folder; "owner/name" looks like a model of the Hugging Face hub."""
    if re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", path):
        return f"If this is a name on the hub: hf download {path} --local-dir {path}"
    return f"Check the spelling; a relative path starts at {'the current folder' if root is None else root}."


def _package_folder(path: str) -> Path:
    """The folder that `package:NAME/folder` names."""
    name, _, inside = path.removeprefix(PACKAGE_PREFIX).partition("/")
    if not name.isidentifier() or ".." in Path(inside).parts:
        raise UsageError(f"{path!r} names no folder of a package", hint="write package:NAME/folder")
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise MissingInput(
            f"{path!r}: the package {name!r} is not installed", hint=f"pip install {name.replace('_', '-')}"
        )
    for root in spec.submodule_search_locations:
        if (Path(root) / inside / "config.json").is_file():
            return Path(root) / inside
    raise MissingInput(
        f"{path!r}: the package {name!r} is installed, but has no folder {inside!r} with a config.json",
        hint=f"pip install --force-reinstall {name.replace('_', '-')}",
    )


def content_hash(folder: Path) -> str:
    """A hash of the files that decide a model's vectors (32 hex digits): their names and bytes, no dates."""
    files = sorted({file for pattern in _MODEL_FILES for file in folder.glob(pattern) if file.is_file()})
    digest = hashlib.blake2b(digest_size=16)
    for file in files:
        facts = file.stat()
        digest.update(f"{file.relative_to(folder).as_posix()}\0".encode())
        digest.update(_file_hash(str(file), facts.st_size, facts.st_mtime_ns))
    return digest.hexdigest()


@lru_cache(maxsize=256)
def _file_hash(path: str, _size: int, _changed_ns: int) -> bytes:
    """The digest of one file; size and date are only there to notice a changed file."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "blake2b").digest()
