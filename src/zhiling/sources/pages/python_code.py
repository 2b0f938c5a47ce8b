"""Python files into sections: a function or method each, and what stands between them.

A function's section begins with its name and holds its source from its first decorator to its last line; a
class's own lines, imports and comments stand in sections of their own. So no line is lost. A file that is no
Python is one section.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterable, Iterator

from zhiling.sources.pages.passages import Document, Section

_FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef


def parsed(source: str) -> ast.Module | None:
    """The tree of a source; None where it is no Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # of what is read, not of this program
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def read_python(lines: Iterable[tuple[int, str]]) -> Document:
    """The document that these numbered lines hold; its title is the first line of the module's docstring."""
    text = [line for _, line in lines]
    module = parsed("\n".join(text)) or ast.Module(body=[], type_ignores=[])
    told = (ast.get_docstring(module) or "").partition("\n")[0].strip()
    return Document(told, tuple(_sections(module, text)))


def _sections(module: ast.Module, text: list[str]) -> Iterator[Section]:
    at = 1
    for start, end, headings in _functions(module.body, ()):
        if start >= at:  # a second function on one line belongs to the first
            yield from _between(text, at, start)
            yield Section(start, headings, ((start, "\n".join(text[start - 1 : end])),))
            at = end + 1
    yield from _between(text, at, len(text) + 1)


def _functions(body: Iterable[ast.stmt], path: tuple[str, ...]) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    """First line, last line and name of each function and method, in order."""
    for node in body:
        if isinstance(node, _FUNCTION):
            start = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            yield start, node.end_lineno or node.lineno, (*path, node.name)
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node.body, (*path, node.name))


def _between(text: list[str], start: int, end: int) -> Iterator[Section]:
    """The lines before a function, as one section where any of them is not blank."""
    lines = text[start - 1 : end - 1]
    if any(line.strip() for line in lines):
        first = next(number for number, line in enumerate(lines, start) if line.strip())
        yield Section(first, (), ((first, "\n".join(text[first - 1 : end - 1]).rstrip()),))
