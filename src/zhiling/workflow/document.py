"""A recipe file as a tree that knows where each value stands, so that errors can name `file:line:col`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any, TypeGuard, cast

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from zhiling.errors import MissingInput, UnknownName, UsageError

Path_ = tuple[str | int, ...]

_ID_LISTS = ("sources", "steps")
SETTABLE = ("budget", "diversity", "encoder", "evaluate", "models", "split", "train")
"""Sections that `--set section.field=value` may bring into being."""


@dataclass
class Document:
    """A parsed YAML file.

    Attributes:
        file: where it was read from.
        tree: the merged tree (profile and `--set` values applied).
        overridden: paths that `--set` or a profile put there, with the words that tell so.
    """

    file: Path
    tree: dict[str, Any]
    overridden: dict[Path_, str] = field(default_factory=dict[Path_, str])

    def place(self, path: Sequence[str | int]) -> str:
        """`file:line:col` of a key or item; of the nearest one above where it has no place of its own."""
        for length in range(len(path), 0, -1):
            if tuple(path[:length]) in self.overridden:
                return self.overridden[tuple(path[:length])]
        node: Any = self.tree
        line, column = 0, 0
        for key in path:
            found = _mark(node, key)
            if found is None:
                break
            line, column = found
            node = node[key]
        return f"{self.file.name}:{line + 1}:{column + 1}"

    def dump(self) -> str:
        """The tree as YAML, comments kept."""
        stream = StringIO()
        _yaml().dump(self.tree, stream)
        return stream.getvalue()


def is_mapping(value: object) -> TypeGuard[Mapping[str, Any]]:
    """Whether a value of the tree is a mapping (a key may be a number in YAML; `plain` makes it a string)."""
    return isinstance(value, Mapping)


def is_list(value: object) -> TypeGuard[Sequence[Any]]:
    """Whether a value of the tree is a list."""
    return isinstance(value, list | tuple)


def _mark(node: Any, key: str | int) -> tuple[int, int] | None:
    """Line and column of a key or item, from 0; None where ruamel has not kept them."""
    try:
        if isinstance(node, CommentedMap) and key in node:
            return cast(Any, node).lc.key(key)
        if isinstance(node, CommentedSeq) and isinstance(key, int):
            return cast(Any, node).lc.item(key)
    except (KeyError, TypeError, AttributeError):
        return None
    return None


def _yaml() -> Any:
    """Reads and writes YAML with its places and comments; `Any`, because ruamel's own types have gaps."""
    yaml = YAML(typ="rt")
    yaml.version = None
    yaml.width = 120
    yaml.preserve_quotes = True
    return yaml


def round_trip(lines: Any) -> Any:
    """A YAML writer that indents lists as one of the file's own is indented, and breaks no line."""
    yaml = _yaml()
    yaml.width = 4096
    mark = _mark(lines, 0)
    if mark is not None and mark[1] > 2:
        yaml.indent(mapping=2, sequence=mark[1], offset=mark[1] - 2)
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
    if profile is not None:
        profiles: Mapping[str, Any] = tree.get("profiles") or {}
        if profile not in profiles:
            raise UnknownName("profile", profile, map(str, profiles), place=document.place(["profiles"]))
        if not is_mapping(profiles[profile]):
            place = document.place(["profiles", profile])
            raise UsageError(f"profile {profile!r} is no mapping of sections", place=place)
        _merge(document, tree, profiles[profile], (), f"profile {profile!r}")
    for override in overrides:
        _override(document, override)
    return document


def _parse(text: str, file: Path) -> dict[str, Any]:
    try:
        tree = _yaml().load(text)
    except MarkedYAMLError as error:
        told = cast(Any, error)
        mark = told.problem_mark or told.context_mark
        place = f"{file.name}:{mark.line + 1}:{mark.column + 1}" if mark else file.name
        raise UsageError(f"not YAML: {told.problem or told.context}", place=place) from error
    except YAMLError as error:
        raise UsageError(f"not YAML: {error}", place=file.name) from error
    if not isinstance(tree, CommentedMap):
        raise UsageError(
            "a recipe is a mapping of sections", place=f"{file.name}:1:1", hint="see docs/reference/recipe.md"
        )
    return cast(dict[str, Any], tree)


def _merge(document: Document, base: Any, over: Mapping[str, Any], path: Path_, words: str) -> None:
    for key, value in over.items():
        if is_mapping(value) and is_mapping(base.get(key)):
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
        if not path and key in SETTABLE and key not in node:
            node[key] = CommentedMap()
        if not is_mapping(node.get(key)):
            known = [str(each) for each in node if is_mapping(node.get(each))]
            raise UnknownName(
                "section, source or step", key, [*known, *_ids(document.tree)], place=f"--set {override}"
            )
        node, path = node[key], (*path, key)
    node[keys[-1]] = value
    document.overridden[(*path, keys[-1])] = f"--set {override}"


def _start(tree: dict[str, Any], name: str) -> tuple[Any, Path_]:
    for path, item in _lines(tree):
        if item.get("id") == name:
            return item, path
    return tree, ()


def _ids(tree: dict[str, Any]) -> list[str]:
    return [str(item["id"]) for _, item in _lines(tree) if "id" in item]


def _lines(tree: dict[str, Any]) -> Iterator[tuple[Path_, Mapping[str, Any]]]:
    """Path and mapping of each source and step."""
    for section in _ID_LISTS:
        lines = tree.get(section)
        for index, item in enumerate(lines if is_list(lines) else ()):
            if is_mapping(item):
                yield (section, index), item


def plain(value: Any) -> Any:
    """Plain Python values from ruamel's (which carry places and comments)."""
    if is_mapping(value):
        return {str(key): plain(each) for key, each in value.items()}
    if is_list(value):
        return [plain(each) for each in value]
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value
