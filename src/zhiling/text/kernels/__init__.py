"""Compiled loops of normalisation, windows, MinHash and overlap; import only by `zhiling.text.compiled`.

Each gives bit for bit what the numpy code of the module that calls it gives. The first call on a machine
compiles (some seconds); what was compiled is kept beside these files or in the user's cache.
"""

from zhiling.text.kernels.folding import DEEP, DROPPED, collapse
from zhiling.text.kernels.meeting import band_keys, common, repeated
from zhiling.text.kernels.windows import SLACK_BYTES, most_windows, windows

__all__ = [
    "DEEP",
    "DROPPED",
    "SLACK_BYTES",
    "band_keys",
    "collapse",
    "common",
    "most_windows",
    "repeated",
    "windows",
]
