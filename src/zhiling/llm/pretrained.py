"""Reads a model of the Hugging Face kind from a local folder: its tokenizer and its network."""

from __future__ import annotations

import importlib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from zhiling.errors import DamagedFile, MissingExtra

if TYPE_CHECKING:
    import torch


def require(module: str, extra: str = "train") -> Any:
    """The imported module.

    Raises:
        MissingExtra: it is not installed; the message names the pip line.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtra(extra, module) from error


def read_pretrained(folder: Path, auto: str) -> tuple[Any, torch.nn.Module, frozenset[str]]:
    """Tokenizer, network (float32, evaluation mode) and the names of weights that the folder does not hold.

    Args:
        folder: holds config.json, the tokenizer's files and the weights; nothing is fetched, and code that
            lies in the folder is not run.
        auto: the class of `transformers` that builds the network, such as `AutoModel`.

    Raises:
        MissingExtra: torch or transformers is not installed.
        DamagedFile: a file of the model cannot be read.
    """
    transformers, torch = require("transformers"), require("torch")
    try:
        with silent(transformers):
            tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
            network, report = getattr(transformers, auto).from_pretrained(
                folder, local_files_only=True, output_loading_info=True, dtype=torch.float32
            )
    except (OSError, ValueError, KeyError, RuntimeError, ImportError, _safetensors_error()) as error:
        raise DamagedFile(
            f"the model cannot be loaded ({type(error).__name__}: {error})",
            place=str(folder),
            hint="Fetch the model again; whole are config.json, the tokenizer's files and the weights.",
        ) from error
    return tokenizer, network.eval(), frozenset(report["missing_keys"])


def _safetensors_error() -> type[Exception]:
    """The error class of a damaged weights file."""
    return cast(type[Exception], require("safetensors").SafetensorError)


@contextmanager
def silent(transformers: Any) -> Generator[None]:
    """No progress bar and no notes about unused weights on stderr while a model loads or is saved."""
    logging = transformers.utils.logging
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
