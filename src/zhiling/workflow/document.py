"""A recipe file as a tree that knows where each value stands, so that errors can name `file:line:col`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from zhiling.errors import MissingInput, UnknownName, UsageError

Path_ = tuple[str | int, ...]

_ID_LISTS = ("sources", "steps")


@dataclass
class Document:
    """A parsed YAML file.

    Attributes:
        file: where it was read from.
        tree: the merged tree (profile and `--set` values applied).
        overridden: paths that `--set` or a profile put there, with the words that tell so.
    """

    file: Path
    tree: CommentedMap
    overridden: dict[Path_, str] = field(default_factory=dict)

    def place(self, path: Sequence[str | int]) -> str:
        """`file:line:col` of a key or item; of the nearest one above where it has no place of its own."""
        for length in range(len(path), 0, -1):
            if tuple(path[:length]) in self.overridden:
                return self.overridden[tuple(path[:length])]
        node: Any = self.tree
        line, column = 0, 0
        for key in path:
            try:
                if isinstance(node, CommentedMap) and key in node:
                    line, column = node.lc.key(key)
                elif isinstance(node, CommentedSeq) and isinstance(key, int):
                    line, column = node.lc.item(key)
                else:
                    break
            except (KeyError, TypeError, AttributeError):
                break
            node = node[key]
        return f"{self.file.name}:{line + 1}:{column + 1}"

    def dump(self) -> str:
        """The tree as YAML, comments kept."""
        stream = StringIO()
        _yaml().dump(self.tree, stream)
        return stream.getvalue()


def _yaml() -> YAML:
    yaml = YAML(typ="rt")
    yaml.version = None
    yaml.width = 120
    yaml.preserve_quotes = True
    return yaml


def load_document(file: Path, profile: str | None = None, overrides: Iterable[str] = ()) -> Document:
    """Reads a recipe and lays a profile and `key=value` settings over it.

    Raises:
        MissingInput: no such file.
        UsageError: not YAML, not a mapping, a key twice, or a setting that names nothing.
        UnknownName: a profile that the recipe does not have.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise MissingInput(
            f"no recipe at {str(file)!r}", hint="`zhiling init FOLDER` makes a project"
        ) from None
    except UnicodeDecodeError as error:
        raise UsageError(f"not UTF-8: {error}", place=str(file)) from error
    tree = _parse(text, file)
    document = Document(file, tree)
    profiles = tree.get("profiles") or {}
    if profile is not None:
        if profile not in profiles:
            raise UnknownName("profile", profile, map(str, profiles), place=document.place(["profiles"]))
        _merge(document, tree, profiles[profile], (), f"profile {profile!r}")
    for override in overrides:
        _override(document, override)
    return document


def _parse(text: str, file: Path) -> CommentedMap:
    try:
        tree = _yaml().load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{file.name}:{mark.line + 1}:{mark.column + 1}" if mark else file.name
        raise UsageError(f"not YAML: {error.problem or error.context}", place=place) from error
    except YAMLError as error:
        raise UsageError(f"not YAML: {error}", place=file.name) from error
    if not isinstance(tree, CommentedMap):
        raise UsageError(
            "a recipe is a mapping of sections", place=f"{file.name}:1:1", hint="see docs/reference/recipe.md"
        )
    return tree


def _merge(document: Document, base: Any, over: Mapping[str, Any], path: Path_, words: str) -> None:
    for key, value in over.items():
        if isinstance(value, Mapping) and isinstance(base.get(key), Mapping):
            _merge(document, base[key], value, (*path, key), words)
        else:
            base[key] = value
            document.overridden[(*path, key)] = words


def _override(document: Document, override: str) -> None:
    """`dedup.jaccard=0.7` sets a field of a source or step by its id, or of a section by its name."""
    name, separator, text = override.partition("=")
    if not separator or not name:
        raise UsageError(
            f"--set takes key=value, got {override!r}", hint="for example --set dedup.jaccard=0.7"
        )
    value = _yaml().load(text) if text else None
    keys = name.split(".")
    node, path = _start(document.tree, keys[0])
    keys = keys[1:] if path else keys
    if not keys:
        raise UsageError(f"--set {override!r} names a step, not one of its fields")
    for key in keys[:-1]:
        if not isinstance(node.get(key), Mapping):
            known = [str(each) for each in node if isinstance(node.get(each), Mapping)]
            raise UnknownName(
                "section, source or step", key, [*known, *_ids(document.tree)], place=f"--set {override}"
            )
        node, path = node[key], (*path, key)
    node[keys[-1]] = value
    document.overridden[(*path, keys[-1])] = f"--set {override}"


def _start(tree: CommentedMap, name: str) -> tuple[Any, Path_]:
    for section in _ID_LISTS:
        for index, item in enumerate(tree.get(section) or []):
            if isinstance(item, Mapping) and item.get("id") == name:
                return item, (section, index)
    return tree, ()


def _ids(tree: CommentedMap) -> list[str]:
    items = [item for section in _ID_LISTS for item in tree.get(section) or []]
    return [str(item["id"]) for item in items if isinstance(item, Mapping) and "id" in item]


def plain(value: Any) -> Any:
    """Plain Python values from ruamel's (which carry places and comments)."""
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value
