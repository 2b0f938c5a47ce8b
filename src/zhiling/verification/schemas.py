"""JSON values against JSON schemas, by the library jsonschema (extra `verification`)."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any, cast

from zhiling.errors import MissingExtra, UsageError

_SHOWN = 120


def broken_rule(value: Any, schema: Any) -> str | None:
    """The first rule of a schema that a value breaks, and where; None where it fits.

    `$ref` inside the schema is followed, and none to another document: nothing is fetched. `format` is not
    judged.

    Raises:
        UsageError: the schema is none, or refers to another document.
        MissingExtra: jsonschema is not installed.
    """
    if not isinstance(schema, dict | bool):
        raise UsageError(f"a JSON schema is an object or true or false, got {schema!r:.80}")
    library = _library()
    try:
        errors = sorted(_validator(json.dumps(schema)).iter_errors(value), key=_place)
    except library.exceptions.SchemaError as error:
        raise UsageError(f"a JSON schema is broken at {_path(error)}: {error.message:.{_SHOWN}}") from error
    except _unresolvable() as error:
        raise UsageError(f"a JSON schema refers to {error.ref!r:.80}, which it does not hold") from error
    return f"{_path(errors[0])}: {errors[0].message:.{_SHOWN}}" if errors else None


@lru_cache(maxsize=256)
def _validator(schema: str) -> Any:
    """What judges by a schema, which is checked first: with every value that took twenty times as long."""
    rules, library = json.loads(schema), _library()
    kind = library.validators.validator_for(rules, default=library.Draft202012Validator)
    kind.check_schema(rules)
    return kind(rules, **_closed())


def _place(error: Any) -> list[str]:
    return [str(step) for step in error.absolute_path]


def _path(error: Any) -> str:
    return "/" + "/".join(_place(error))


def _library() -> Any:
    try:
        import jsonschema
    except ModuleNotFoundError as error:
        raise MissingExtra("verification", "jsonschema") from error
    return jsonschema


def _closed() -> dict[str, Any]:
    """No document beside the schema: the library's own registry would fetch what it refers to."""
    import referencing

    return {"registry": cast(Any, referencing).Registry()}


def _unresolvable() -> Any:
    import referencing.exceptions

    return referencing.exceptions.Unresolvable
