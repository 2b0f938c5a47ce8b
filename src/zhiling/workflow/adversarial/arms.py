"""The arms: each way to labelled rows, as steps behind what stands before the block of the user's recipe."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np
import polars as pl

from zhiling.errors import UnknownName
from zhiling.pipeline import registry
from zhiling.workflow.adversarial.bench import Bench, Written
from zhiling.workflow.adversarial.best_of import best_of
from zhiling.workflow.adversarial.self_consuming import LEAST_TEXTS, self_consuming

SEEDS_ONLY, FILTER_ONCE, LOOP = "seeds_only", "filter_once", "loop"
CONTROLS = (SEEDS_ONLY, FILTER_ONCE)
PROPAGATION, GAN_BERT, LANGUAGE_MODEL = "label_propagation", "gan_bert", "language_model"
TEMPERATURES = (0.5, 0.75, 1.0, 1.25)
BEST_OF = 8
MOST_EDA = 50
OVER = 3
"""Times as many rows are proposed as are drawn from them: gates and equal texts take some."""

Kind = Literal["control", "baseline", "mode", "sweep", "collapse"]
Way = Callable[["Order"], Written]


@dataclass(frozen=True)
class Order:
    """What an arm is asked for.

    Attributes:
        bench: known rows, lines, and a runner of steps.
        arm: its name.
        size: rows that it takes where it draws some.
    """

    bench: Bench
    arm: str
    size: int

    @property
    def generators(self) -> list[dict[str, Any]]:
        """Those of the block."""
        return self.bench.block.generators

    def rows(self, steps: Sequence[Mapping[str, Any]]) -> Written:
        """What these steps make."""
        return self.bench.rows(self.arm, steps)

    def looped(self, **settings: Any) -> Written:
        """What the loop makes with some settings changed."""
        return self.rows(self.bench.block.changed(**settings))

    def proposed(self, generators: Sequence[Mapping[str, Any]], times: int = 1) -> Written:
        """What generators write in as many rounds without a discriminator, `times` as many as is wanted."""
        return self.rows(self.bench.block.proposed(generators, times * max(self.size, 1)))

    def some(self, rows: pl.DataFrame) -> pl.DataFrame:
        """So many of the rows, drawn at random."""
        rows = rows.unique(["text", "label"]).sort("text", "label")
        drawn = np.random.default_rng([self.bench.seed, 7]).permutation(rows.height)
        return rows[np.sort(drawn[: self.size])]


@dataclass(frozen=True)
class Arm:
    """A way to labelled rows.

    Attributes:
        name: as it is asked for.
        kind: a mode is told beside its controls in words.
        make: its rows.
        unfit: why this recipe or installation has no use for it, a key of `left_out` in `texts.yaml`; None:
            every recipe has.
        draws: whether it takes as many rows as the loop accepted.
        family: arms that one name asks for together.
    """

    name: str
    kind: Kind
    make: Way
    unfit: Callable[[Bench], str | None] | None = None
    draws: bool = False
    family: str = ""


# ---- controls and baselines ----


def _none(order: Order) -> Written:
    """No row: the student learns from the known ones alone."""
    return Written(order.bench.known.clear())


def _unfiltered(generators: Callable[[Order], Sequence[Mapping[str, Any]]], order: Order) -> Written:
    """So many of what generators write."""
    written = order.proposed(generators(order), OVER)
    return replace(written, rows=order.some(written.rows))


def _own(order: Order) -> Sequence[Mapping[str, Any]]:
    return order.generators


def _eda(order: Order) -> Written:
    """So many variants; they are not proposed in rounds, as a draw of them would encode them all."""
    count = OVER * max(order.size, 1)
    each = -(-count // max(order.bench.known.height, 1))
    step = {"use": "augment", "method": "eda", "per_input": min(each, MOST_EDA)}
    written = order.rows(order.bench.block.gated(step, count))
    return replace(written, rows=order.some(written.rows))


def _best_of(order: Order) -> Written:
    """Of every so many proposals the one whose label fits best."""
    written = order.proposed(order.generators, BEST_OF)
    return replace(written, rows=best_of(written.rows, order.bench, order.size))


def _filter_once(order: Order) -> Written:
    """One round of the loop that proposes as much as all its rounds."""
    own = order.bench.block.settings
    return order.rows(order.bench.block.once(own.rounds * own.per_round))


def _labels_lines(use: str, order: Order) -> Written:
    """All rows that a step makes of the lines by itself."""
    lines = max(len(order.bench.lines), 1)
    return order.rows(order.bench.block.proposed([{"use": use}], lines, rounds=1))


def _without_lines(bench: Bench) -> str | None:
    return None if len(bench.lines) else "no_lines"


def _unlisted(use: str, bench: Bench) -> str | None:
    return _without_lines(bench) if use in registry.table("step") else "not_installed"


def _oracle(order: Order) -> Written:
    """Lines with their true labels, which nobody has."""
    return Written(order.some(order.bench.lines_with_truth))


def _without_truth(bench: Bench) -> str | None:
    return None if bench.lines_with_truth.height else "no_truth"


# ---- modes of the loop ----


def _loop(order: Order) -> Written:
    return order.looped()


def _rejection(wanted: bool, order: Order) -> Written:
    """The loop with rejection by the odds of being real, or without."""
    return order.looped(rejection=wanted)


def _rejects_so(wanted: bool, bench: Bench) -> str | None:
    return "is_the_loop" if bench.block.settings.rejection == wanted else None


def _update(rule: str, order: Order) -> Written:
    """The loop whose language models learn by this rule."""
    return order.looped(
        generators=[
            {**each, "update": rule} if each["use"] == LANGUAGE_MODEL else each for each in order.generators
        ]
    )


def _updates_so(rule: str, bench: Bench) -> str | None:
    own = [each for each in bench.block.generators if each["use"] == LANGUAGE_MODEL]
    if not own:
        return "no_language_model"
    default = _settings(LANGUAGE_MODEL)["update"].default
    return "is_the_loop" if all(each.get("update", default) == rule for each in own) else None


def _combined(order: Order) -> Written:
    """The loop with label propagation among its generators."""
    return order.looped(generators=[*order.generators, {"use": PROPAGATION}])


def _propagates(bench: Bench) -> str | None:
    own = any(each["use"] == PROPAGATION for each in bench.block.generators)
    return "is_the_loop" if own else _without_lines(bench)


# ---- the sweep of temperatures, and the control that must collapse ----


def _settings(step: str) -> Mapping[str, Any]:
    return registry.load("step", step).model_fields


def _warm(bench: Bench) -> list[dict[str, Any]]:
    """The generators that have a temperature."""
    return [each for each in bench.block.generators if "temperature" in _settings(each["use"])]


def _without_temperature(bench: Bench) -> str | None:
    return None if _warm(bench) else "no_temperature"


def _tempered(temperature: float, order: Order) -> list[dict[str, Any]]:
    return [{**each, "temperature": temperature} for each in _warm(order.bench)]


def _sweep() -> Iterator[Arm]:
    for each in TEMPERATURES:
        make = partial(_unfiltered, partial(_tempered, each))
        yield Arm(f"temperature_{each}", "sweep", make, _without_temperature, True, "temperature")


def _collapse(order: Order) -> Written:
    return self_consuming(order.bench)


def _too_few(bench: Bench) -> str | None:
    return None if bench.known.height + len(bench.lines) >= LEAST_TEXTS else "few_texts"


ARMS: tuple[Arm, ...] = (
    Arm(SEEDS_ONLY, "control", _none),
    Arm("eda", "baseline", _eda, draws=True),
    Arm("unfiltered", "baseline", partial(_unfiltered, _own), draws=True),
    Arm("best_of_n", "baseline", _best_of, draws=True),
    Arm(FILTER_ONCE, "control", _filter_once),
    Arm(LOOP, "mode", _loop),
    *(
        Arm(name, "mode", partial(_rejection, wanted), partial(_rejects_so, wanted))
        for name, wanted in (("with_rejection", True), ("without_rejection", False))
    ),
    *(
        Arm(name, "mode", partial(_update, rule), partial(_updates_so, rule))
        for name, rule in (("raft", "raft"), ("without_raft", "none"))
    ),
    Arm(GAN_BERT, "mode", partial(_labels_lines, GAN_BERT), partial(_unlisted, GAN_BERT)),
    Arm(PROPAGATION, "baseline", partial(_labels_lines, PROPAGATION), _without_lines),
    Arm("combined", "mode", _combined, _propagates),
    Arm("oracle", "baseline", _oracle, _without_truth, draws=True),
    *_sweep(),
    Arm("self_consuming", "collapse", _collapse, _too_few),
)
"""In the order in which they are told."""


def chosen(names: Sequence[str]) -> tuple[Arm, ...]:
    """The arms of these names, and the controls; all where none is named.

    Raises:
        UnknownName: with the nearest one.
    """
    known = {each.name for each in ARMS} | {each.family for each in ARMS if each.family}
    for name in names:
        if name not in known:
            raise UnknownName("arm", name, known)
    wanted = {*names, *CONTROLS}
    return tuple(each for each in ARMS if not names or {each.name, each.family} & wanted)
