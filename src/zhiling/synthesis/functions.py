"""Functions of Python source as tasks: purpose, signature, body, and tests from their examples.

Source is read, never run.
"""

from __future__ import annotations

import ast
import builtins
import doctest
import symtable
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from zhiling.sources.pages.python_code import parsed

Function = ast.FunctionDef | ast.AsyncFunctionDef

_BUILTIN = frozenset(dir(builtins)) | {"__name__", "__file__"}
_TEST = "test_"


@dataclass(frozen=True)
class Task:
    """A function that can be asked for.

    Attributes:
        purpose: its docstring without the examples.
        signature: its first line, `def name(a: int) -> str`.
        code: its source without docstring and decorators of its module, with the imports that it needs.
        tests: programs that it should pass.
    """

    purpose: str
    signature: str
    code: str
    tests: tuple[str, ...]


def tasks(sources: Iterable[str]) -> list[Task | None]:
    """The task of each piece of one module, in order; None for what is none.

    A function becomes a task where it has a docstring and needs nothing of its module but imports; one whose
    name begins with `test_`, without parameters, becomes a test of the functions that it calls.
    """
    pieces = [(source, parsed(source)) for source in sources]
    imports = _imports(tree for _, tree in pieces if tree is not None)
    tests = [test for source, tree in pieces if tree is not None if (test := _test(source, tree, imports))]
    return [None if tree is None else _task(source, tree, imports, tests) for source, tree in pieces]


def _imports(trees: Iterable[ast.Module]) -> dict[str, str]:
    """Name → the statement that imports it."""
    found: dict[str, str] = {}
    for tree in trees:
        for node in tree.body:
            if isinstance(node, ast.Import | ast.ImportFrom) and not getattr(node, "level", 0):
                for each in node.names:
                    single = (
                        ast.Import([each])
                        if isinstance(node, ast.Import)
                        else ast.ImportFrom(node.module, [each], 0)
                    )
                    found[(each.asname or each.name).partition(".")[0]] = ast.unparse(single)
    return found


def _free(source: str) -> frozenset[str]:
    """Names that a source takes from its module."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        table = symtable.symtable(source, "<source>", "exec")
    own = {
        symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned() or symbol.is_imported()
    }
    own |= {child.get_name() for child in table.get_children()}
    used: set[str] = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_referenced()}
    waiting = list(table.get_children())
    while waiting:
        child = waiting.pop()
        used |= {symbol.get_name() for symbol in child.get_symbols() if symbol.is_global()}
        waiting += child.get_children()
    return frozenset(used - own - _BUILTIN)


def _only_function(tree: ast.Module) -> Function | None:
    node = tree.body[0] if len(tree.body) == 1 else None
    return node if isinstance(node, Function) else None


def _task(
    source: str, tree: ast.Module, imports: Mapping[str, str], tests: Sequence[tuple[frozenset[str], str]]
) -> Task | None:
    node = _only_function(tree)
    told = ast.get_docstring(node) if node is not None else None
    if node is None or not told or node.decorator_list or node.name.startswith(_TEST) or len(node.body) < 2:
        return None
    examples, purpose = _parts(told)
    code = _without_docstring(source, node)
    if not isinstance(_only_function(parsed(code) or ast.Module([], [])), Function):
        return None  # the docstring shares a line with something else
    needed = _free(code) - {node.name}
    if not purpose or not needed <= imports.keys():
        return None
    statements = sorted({imports[name] for name in needed})
    code = "\n".join([*statements, "", "", code]) if statements else code
    of_module = [test for called, test in tests if node.name in called]
    asserts = list(_asserts(examples, node.name, imports))
    return Task(purpose, _signature(source), code, (*asserts, *of_module))


def _parts(told: str) -> tuple[list[doctest.Example], str]:
    """The examples of a docstring, and its text without them."""
    try:
        pieces = doctest.DocTestParser().parse(told)
    except ValueError:  # inconsistent indentation of an example
        return [], ""
    examples = [piece for piece in pieces if isinstance(piece, doctest.Example)]
    text = "".join(piece for piece in pieces if isinstance(piece, str))
    lines = [line.rstrip() for line in text.strip().splitlines()]
    while lines and (
        not lines[-1] or lines[-1].rstrip(":：").lower() in ("example", "examples", "示例", "例如", "例子")
    ):
        lines.pop()
    return examples, "\n".join(lines)


def _without_docstring(source: str, node: Function) -> str:
    """The function's source without its docstring."""
    lines = source.splitlines()
    docstring = node.body[0]
    rest = lines[docstring.end_lineno or docstring.lineno :]
    while rest and not rest[0].strip():
        rest.pop(0)
    return "\n".join([*lines[: docstring.lineno - 1], *rest]).strip("\n")


def _signature(source: str) -> str:
    """`def name(a: int) -> str`, on one line."""
    alone = cast(Function, ast.parse(source).body[0])
    alone.body = [ast.Pass()]
    return ast.unparse(alone).partition("\n")[0].removesuffix(":")


def _asserts(examples: Sequence[doctest.Example], name: str, imports: Mapping[str, str]) -> Iterator[str]:
    """A program for each example that tells a value; what stands before it in the examples runs first."""
    before: list[str] = []
    for example in examples:
        tree = parsed(example.source)
        statement = tree.body[0] if tree is not None and len(tree.body) == 1 else None
        if example.exc_msg is not None or example.options or statement is None:
            continue
        if not example.want:
            before.append(example.source.rstrip())
        elif isinstance(statement, ast.Expr) and not _prints(statement.value) and "..." not in example.want:
            shown = ast.unparse(statement.value)
            test = "\n".join([*before, f"assert repr({shown}) == {example.want.rstrip()!r}"])
            needed = _free(test) - {name}
            if needed <= imports.keys():
                yield "\n".join([*sorted({imports[each] for each in needed}), test])


def _prints(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"


def _test(source: str, tree: ast.Module, imports: Mapping[str, str]) -> tuple[frozenset[str], str] | None:
    """The names that a test function takes from its module, and the program that runs it."""
    node = _only_function(tree)
    if not isinstance(node, ast.FunctionDef) or not node.name.startswith(_TEST) or node.decorator_list:
        return None
    parameters = node.args
    if parameters.args or parameters.posonlyargs or parameters.kwonlyargs:
        return None
    if not any(isinstance(each, ast.Assert) for each in ast.walk(node)):
        return None
    free = _free(source)
    called = free - imports.keys()
    if len(called) != 1:  # of two functions of the module only one is in the reply
        return None
    statements = sorted({imports[name] for name in free & imports.keys()})
    return called, "\n".join([*statements, source.strip("\n"), f"{node.name}()"])
