"""The compiled kernels, where they are to be had (extra `fast`: numba) and where they pay for their import.

They give the very same bits as the numpy code beside them, only sooner: nothing else depends on the choice.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from functools import cache
from types import ModuleType

PAYS_FROM_BYTES = 24_000_000
"""Importing numba and the cached kernels costs .5 s, and a megabyte of text 25 ms less with them."""

_seen_bytes = 0


def kernels(work_bytes: int) -> ModuleType | None:
    """`zhiling.text.kernels`, once this process has had work for it; None where numba is not installed.

    Args:
        work_bytes: size of the text or of the hashes at hand; what earlier calls had counts too, as work
            comes in slices.
    """
    global _seen_bytes  # noqa: PLW0603 (how much text a process has seen is the process's)
    _seen_bytes += work_bytes
    return _loaded() if _seen_bytes >= PAYS_FROM_BYTES else None


@cache
def _loaded() -> ModuleType | None:
    if importlib.util.find_spec("numba") is None or sys.byteorder != "little":
        return None
    try:
        return importlib.import_module("zhiling.text.kernels")
    except (
        ImportError,
        RuntimeError,
    ):  # numba for another numpy; no folder where it may keep what it compiled
        return None
