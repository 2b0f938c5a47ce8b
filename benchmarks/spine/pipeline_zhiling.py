"""spine.1, our side: a recipe through the real runner, with the cost of each stage.

    python benchmarks/spine/pipeline_zhiling.py CORPUS FOLDER OUT [STAGE TO LEAVE OUT]

The project stands in FOLDER (made, and expected to be new: nothing may be reused); OUT gets costs and counts.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from stages import Stages

RECIPE = """\
version: 1
name: spine
seed: 7
sources:
  - {{id: read, use: tables, path: "{corpus}"}}
steps:
  - {{id: length, use: length}}
  - {{id: language, use: language}}
  - {{id: exact, use: exact_dedup}}
  - {{id: near, use: near_dedup, jaccard: 0.8}}
  - {{id: redact, use: redact}}
split: {{train: 0.8, dev: 0.1, test: 0.1}}
export:
  - {{format: messages, path: sft.jsonl}}
"""


def main(corpus: str, folder: str, out: str, without: str = "") -> None:
    """Runs the recipe; the start is what it takes to import, to read the recipe and to hash the corpus."""
    stages = Stages()
    import zhiling

    root = Path(folder)
    root.mkdir(parents=True)
    recipe = root / "recipe.yaml"
    text = RECIPE.format(corpus=Path(corpus).resolve())
    lines = [line for line in text.splitlines() if f"id: {without}," not in line]
    recipe.write_text("\n".join(lines), encoding="utf-8")

    def listen(event: dict[str, Any]) -> None:
        match event:
            case {"event": "start", "step": "read"}:
                stages.end("start")
            case {"event": "done", "step": str(step)}:
                stages.end(step)
            case {"event": "stage", "stage": str(name)} if name != "split":
                stages.end("split")
            case {"event": "exported"}:
                stages.end("export")
            case _:
                pass

    run = zhiling.Recipe.load(recipe).run(listen=listen, until="export")
    stages.end("export")
    rejected = run.counts["rejected"]
    stages.write(
        out,
        {
            "in": run.counts["in"],
            "exact": rejected.get("exact_duplicate", 0),
            "near": rejected.get("near_duplicate", 0),
            "redact": run.counts["replaced"],
            "export": run.counts["kept"],
        },
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
