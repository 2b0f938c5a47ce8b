"""Rows of curation; see `benchmarks.rows`.

1 (near-duplicates of 130,000 rows), 2 (of 1,000,000), 3 (short Chinese texts), 4 (decontamination), 5
(pairings), 6 (label errors), 7 (selection; 7s: of 1,000,000 rows), 8 (personal data), 9 (injection) or 10
(engines). By name: `heavy` (row 1 beside slow peers), `rules`, `edits`, `standing`, `grounding`, `poisoning`,
`quality` and `toxicity`.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.rows import CORPUS, main

SCRIPTS: dict[str, tuple[str, ...]] = {
    "1": ("near_dedup.py", "--folder", CORPUS),
    "2": ("near_dedup.py", "--large", "--folder", CORPUS),
    "heavy": ("near_dedup.py", "--heavy", "--folder", CORPUS),
    "3": ("near_dedup_chinese.py",),
    "4": ("decontaminate.py", "--folder", CORPUS),
    "5": ("pairs.py",),
    "6": ("labels.py",),
    "7": ("selection.py",),
    "7s": ("selection_large.py", "--folder", CORPUS),
    "8": ("privacy.py",),
    "9": ("injection.py",),
    "10": ("engine.py",),
    "rules": ("rules.py",),
    "edits": ("edits.py",),
    "standing": ("standing_index.py",),
    "grounding": ("grounding.py",),
    "poisoning": ("poisoning.py",),
    "quality": ("quality.py",),
    "toxicity": ("toxicity.py",),
}

if __name__ == "__main__":
    main(Path(__file__).parent, SCRIPTS)
