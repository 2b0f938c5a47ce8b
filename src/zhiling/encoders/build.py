"""From `{use: NAME, ...settings}` to an encoder; only the named module is imported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from pydantic import ValidationError

from zhiling.encoders.encoder import Encoder
from zhiling.errors import UsageError
from zhiling.pipeline.registry import load, table


def build_encoder(settings: Mapping[str, object], place: str | None = None) -> Encoder:
    """The encoder that the settings describe: `use` names it, all other keys are its fields.

    Raises:
        UnknownName: no encoder has this name.
        UsageError: `use` is missing, or a field has a wrong name or value.
    """
    fields = dict(settings)
    name = fields.pop("use", None)
    if not isinstance(name, str):
        raise UsageError(
            f"an encoder needs the key 'use', got {dict(settings)!r}",
            place=place,
            hint=f"write {{use: NAME}} with one of: {', '.join(sorted(table('encoder')))}",
        )
    chosen = cast(type[Encoder], load("encoder", name, place=place))
    try:
        return chosen.model_validate(fields)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc'])) or 'encoder'}: {problem['msg']} (got {problem['input']!r})"
            for problem in error.errors()
        )
        allowed = ", ".join(chosen.model_fields)
        raise UsageError(
            f"encoder {name!r}: {problems}", place=place, hint=f"its settings are: {allowed}"
        ) from error
