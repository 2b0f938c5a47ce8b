"""generation.7: how often do the estimate's intervals hold what a run then takes?

    python benchmarks/generation/estimates.py [TRIALS]

Each trial is another project: so many texts, of such lengths, replies of other lengths, one to three rows a
text, a share of the calls refused for load. `check` tells what is to come before anything was asked, and
again after `preview` asked about eight texts; then the project is run. What the preview asked is stored and
not asked again, so it counts as a part of the run.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent)]

from record import record, row  # noqa: E402

from benchmarks.generation import projects  # noqa: E402
from zhiling.llm.fake_server import Behaviour, running  # noqa: E402
from zhiling.workflow.estimate import Interval, planned_calls, row_counts  # noqa: E402
from zhiling.workflow.models import spending  # noqa: E402
from zhiling.workflow.preview import preview  # noqa: E402
from zhiling.workflow.recipe import Recipe  # noqa: E402
from zhiling.workflow.run import plan_of  # noqa: E402

TRIALS = 100
FIGURES = ("calls", "tokens", "usd")
Told = dict[str, dict[str, tuple[bool, float]]]
"""When it was told → figure → whether the interval held it, and its high end as a multiple of its low one."""


def trial(seed: int) -> Told:
    """One project, told and run."""
    draws = random.Random(seed)
    longest_text, longest_reply = draws.randint(60, 400), draws.randint(4, 40)
    texts = [
        projects.text(number, draws.randint(50, longest_text)) for number in range(draws.randint(20, 120))
    ]

    def reply(body: Mapping[str, Any]) -> str:
        words = random.Random(json.dumps(body, sort_keys=True)).randint(3, longest_reply)
        return json.dumps({"instruction": " ".join(["Write"] * words)})

    refused = {"rate_limit": draws.choice((0.0, 0.2))}
    behaviour = Behaviour(answer=reply, faults=refused, seed=seed, retry_after_s=0.01)
    with tempfile.TemporaryDirectory() as folder, running(behaviour) as server:
        root = Path(folder)
        projects.write(root, server, texts, step={"per_input": draws.randint(1, 3)})
        told = {"before": totals(root)}
        sampled = preview(Recipe.load(root / "recipe.yaml"), "asked").spent
        told["after a preview"] = totals(root)
        spent = spending(root, projects.run(root).id)
    took = {name: getattr(sampled, name) + getattr(spent, name) for name in FIGURES}
    return {
        when: {
            name: (interval.low <= took[name] <= interval.high, interval.high / interval.low)
            for name, interval in found.items()
        }
        for when, found in told.items()
    }


def totals(root: Path) -> dict[str, Interval]:
    """What `check` tells of calls, tokens and money."""
    recipe = Recipe.load(root / "recipe.yaml")
    plan = plan_of(recipe)
    total = planned_calls(recipe, plan, row_counts(plan)).total()
    return {name: total[name] for name in FIGURES}


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else TRIALS
    trials = [trial(seed) for seed in range(count)]
    rows: list[dict[str, Any]] = []
    for letter, when in (("a", "before"), ("b", "after a preview")):
        shares = {name: sum(each[when][name][0] for each in trials) / count for name in FIGURES}
        wide = median(each[when]["usd"][1] for each in trials)
        what = f"the estimate of `check`, {when}, holds what the run takes"
        rows.append(
            row(
                f"generation.7{letter}", what, min(shares.values()), 0.9, "higher", n=count, unit="share",
                beside=shares | {"most ÷ least USD": round(wide, 1)}, data="projects drawn by a seed",
                note="least of calls, tokens and money",
            )
        )  # fmt: skip
    print(record("generation", rows), file=sys.stderr)
