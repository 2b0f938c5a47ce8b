"""Writes a run's report: pages that open from disk and ask no host for anything."""

from __future__ import annotations

from pathlib import Path

from zhiling.pipeline.store import write_bytes
from zhiling.workflow.report.collect import collect
from zhiling.workflow.report.pages import render_pages


def write_report(run_path: Path) -> Path:
    """Writes the pages under the run's `report/` in both languages; returns `report/index.html`.

    Raises:
        MissingInput: no run there.
        DamagedFile: a file of the run cannot be read.
    """
    folder = run_path / "report"
    for name, page in render_pages(collect(run_path)).items():
        write_bytes(folder / name, page.encode())
    return folder / "index.html"
