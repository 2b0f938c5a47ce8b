"""The JSON Schema of a recipe, made from the settings of every registered component."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from zhiling.errors import MissingExtra
from zhiling.llm.role import Role
from zhiling.pipeline import registry
from zhiling.rows.splits import SplitSettings
from zhiling.training.settings import TrainSettings
from zhiling.workflow.settings import Budget, DiversitySettings, EvaluateSettings

_DEFS = "#/$defs/{model}"
_TEXT = {"type": "string"}


def recipe_schema() -> dict[str, Any]:
    """Draft 2020-12; components are told apart by `use` (gates by `check`, exports by `format`)."""
    defs: dict[str, Any] = {}
    step_line = {"id": {"type": "string"}, "from": _either_list(), "only": {"type": "object"}}
    repeat = {
        "type": "object",
        "additionalProperties": False,
        "required": ["use", "until", "steps"],
        "properties": {
            "id": {"type": "string"},
            "use": {"const": "repeat"},
            "rounds": {"type": "integer", "minimum": 1},
            "until": {"type": "object"},
            "steps": {"type": "array", "items": {"$ref": "#/$defs/step"}},
        },
    }
    lines = [each for noun in ("step", "block") for each in _variants(noun, "use", step_line, defs)]
    defs["step"] = {"anyOf": [*lines, repeat]}
    properties: dict[str, Any] = {
        "version": {"const": 1},
        "name": {"type": "string"},
        "seed": {"type": "integer"},
        "limit": {"type": "integer", "minimum": 1},
        "max_failed": {"type": "number", "minimum": 0, "maximum": 1},
        "models": {"type": "object", "additionalProperties": _model(Role, defs)},
        "encoder": {"anyOf": _variants("encoder", "use", {}, defs)},
        "sources": _list(_variants("source", "use", {"id": {"type": "string"}}, defs)),
        "steps": {"type": "array", "items": {"$ref": "#/$defs/step"}},
        "gates": _list(_variants("gate", "check", {}, defs)),
        "export": _list(_variants("format", "format", {"path": _TEXT, "to": _TEXT}, defs)),
        "profiles": {"type": "object"},
    }
    sections: dict[str, type[BaseModel]] = {
        "split": SplitSettings, "train": TrainSettings, "evaluate": EvaluateSettings,
        "diversity": DiversitySettings, "budget": Budget,
    }  # fmt: skip
    for name, model in sections.items():
        properties[name] = _model(model, defs)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "zhiling recipe",
        "type": "object",
        "additionalProperties": False,
        "required": ["sources"],
        "properties": properties,
        "$defs": defs,
    }


def _variants(noun: str, key: str, shared: dict[str, Any], defs: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name in sorted(registry.table(noun)):
        try:
            component = registry.load(noun, name)
        except MissingExtra:
            continue
        schema = _model(component, defs)
        properties = {key: {"const": name}, **shared, **schema.get("properties", {})}
        found.append(
            {
                **schema,
                "title": name,
                "properties": properties,
                "required": [key, *schema.get("required", [])],
            }
        )
    return found


def _model(model: type[BaseModel], defs: dict[str, Any]) -> dict[str, Any]:
    schema = model.model_json_schema(ref_template=_DEFS)
    defs |= schema.pop("$defs", {})
    schema.pop("title", None)
    return schema


def _list(variants: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "array", "items": {"anyOf": variants}}


def _either_list() -> dict[str, Any]:
    return {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
