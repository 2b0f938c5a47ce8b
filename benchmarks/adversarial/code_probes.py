"""adversarial.6, code: how often the gate `code_runs` is wrong on MBPP's programs and on broken ones.

    OMP_NUM_THREADS=1 python benchmarks/adversarial/code_probes.py

Each of 400 programs goes through the gate as it is, and with one thing in it changed: a comparison, an
operator, a number, `and` for `or`, or what it returns. A false accept is a changed program that passes its
three tests, whether they never ask for what was changed or the change makes no difference; a false reject is
a program that stands in the set and does not pass. Prompts and tests of the set are English; the gate reads
neither language, so there is no Chinese row.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT), str(HERE.parent)]

from probes import ACCEPT, REJECT  # noqa: E402
from record import record, row  # noqa: E402

from benchmarks.sources.sets import DATA, sources  # noqa: E402
from zhiling.evaluation.slices import wilson  # noqa: E402
from zhiling.pipeline.step import Context  # noqa: E402
from zhiling.rows.conversation import dialogue, reply_text, user_text  # noqa: E402
from zhiling.verification.code_runs import CodeRuns  # noqa: E402

ROWS, SEED = 400, 0
COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.GtE, ast.Gt: ast.LtE, ast.LtE: ast.Gt, ast.GtE: ast.Lt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
COUNTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.Mod: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Pow: ast.Mult,
}  # fmt: skip


def changed(node: ast.AST) -> str | None:
    """Changes what the node says, where it is of a kind that is changed; tells the kind."""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARED:
        node.ops[0] = COMPARED[type(node.ops[0])]()
        return "comparison"
    if isinstance(node, ast.BinOp) and type(node.op) in COUNTED:
        node.op = COUNTED[type(node.op)]()
        return "operator"
    if isinstance(node, ast.BoolOp):
        node.op = ast.And() if isinstance(node.op, ast.Or) else ast.Or()
        return "and, or"
    if isinstance(node, ast.Constant) and isinstance(node.value, int) and not isinstance(node.value, bool):
        node.value += 1
        return "number"
    if isinstance(node, ast.Return) and node.value is not None:
        node.value = ast.Constant(None)
        return "return"
    return None


def broken(code: str, draws: np.random.Generator) -> tuple[str, str] | None:
    """The program with one thing changed, and the kind of it; None where there is nothing to change."""
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return None
    count = len(list(ast.walk(tree)))
    for place in draws.permutation(count).tolist():
        other = deepcopy(tree)
        kind = changed(list(ast.walk(other))[place])
        if kind:
            return ast.unparse(other), kind
    return None


def judged(rows: pl.DataFrame, replies: list[str]) -> list[str | None]:
    """Why the gate rejects each row with this reply; None: it does not."""
    messages = dialogue({"user": user_text(rows["messages"]), "assistant": pl.Series(replies)})
    told = CodeRuns().decide(rows.with_columns(messages.alias("messages")), Context("code"))
    return told["reason"].to_list()


def main() -> None:
    """Measures and records."""
    if not DATA.exists():
        raise SystemExit(f"{DATA} is not here: nothing can be measured")
    source = sources("mbpp")[0]
    files = sorted(Path(path) for path in source.paths())
    every = pl.concat([batch.rows for batch in source.read(files, DATA)]).head(ROWS)
    draws = np.random.default_rng(SEED)
    codes = reply_text(every["messages"]).to_list()
    found = [broken(code, draws) for code in codes]
    kept = every.filter(pl.Series([each is not None for each in found]))
    print(every.height - kept.height, "programs in which nothing can be changed", file=sys.stderr)
    record("adversarial", list(figures(every, codes, kept, [each for each in found if each])))


def figures(
    every: pl.DataFrame, codes: list[str], kept: pl.DataFrame, faults: list[tuple[str, str]]
) -> Iterator[dict[str, Any]]:
    """False accepts and false rejects of the gate."""
    passed = [reason is None for reason in judged(kept, [code for code, _ in faults])]
    kinds = Counter(kind for _, kind in faults)
    let = Counter(kind for (_, kind), each in zip(faults, passed, strict=True) if each)
    lost = Counter(reason for reason in judged(every, codes) if reason)
    shares = {kind: round(let[kind] / count, 4) for kind, count in sorted(kinds.items())}
    yield _row("6w", "changed programs accepted, code", (sum(passed), len(passed)), ACCEPT, shares)
    reasons = {reason: round(count / every.height, 4) for reason, count in sorted(lost.items())}
    yield _row("6x", "programs of the set rejected, code", (lost.total(), every.height), REJECT, reasons)


def _row(id: str, what: str, share: tuple[int, int], goal: float, beside: dict[str, float]) -> dict[str, Any]:
    interval = wilson(*share)
    return row(
        f"adversarial.{id}", what, round(share[0] / share[1], 4), goal, "lower", low=round(interval.low, 4),
        high=round(interval.high, 4), n=share[1], unit="share", data="mbpp", step="code_runs", beside=beside,
    )  # fmt: skip


if __name__ == "__main__":
    main()
