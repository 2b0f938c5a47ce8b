"""The recipe's encoder, built when it is first asked for and never twice in one process."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from zhiling.encoders.encoder import Encoder


class EncoderOnce:
    """A callable that gives the encoder; sent to another process it gives that process's own.

    Args:
        settings: `use` and the encoder's fields, paths absolute.
        place: where in the recipe they stand, for errors.
    """

    def __init__(self, settings: Mapping[str, Any], place: str | None = None) -> None:
        self._settings, self._place = dict(settings), place
        self._encoder: Encoder | None = None

    def __call__(self) -> Encoder:
        """The encoder."""
        if self._encoder is None:
            from zhiling.encoders.build import build_encoder

            self._encoder = build_encoder(self._settings, self._place)
        return self._encoder

    def __reduce__(self) -> tuple[Any, tuple[bytes, str | None]]:
        return _of_this_process, (orjson.dumps(self._settings), self._place)


@cache
def _of_this_process(settings: bytes, place: str | None) -> EncoderOnce:
    """The one that all copies with these settings become in a process that they are sent to."""
    return EncoderOnce(orjson.loads(settings), place)
