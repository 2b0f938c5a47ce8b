"""The notebook of the Python API runs, and shows what is stored in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

NOTEBOOK = Path(__file__).resolve().parents[2] / "examples" / "notebook" / "first_steps.ipynb"


def shown(notebook: Any) -> list[list[str]]:
    """What each code cell printed or returned, as text."""
    return [
        [output.get("text") or output["data"]["text/plain"] for output in cell.outputs]
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def test_the_notebook_runs_and_its_outputs_are_up_to_date(tmp_path: Path) -> None:
    stored = nbformat.read(NOTEBOOK, as_version=4)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    place = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3", resources=place).execute()
    assert shown(notebook) == shown(stored)
    assert any("empty_reply" in text for texts in shown(stored) for text in texts)
    written = {path.name for path in tmp_path.iterdir()} - {"__pycache__"}
    assert written >= {"faq.jsonl", "own_steps.py", "recipe.yaml", "runs"}
    assert not list(NOTEBOOK.parent.glob("runs")), "it writes into the current folder only"
