"""The demo: a help desk's export with planted defects, and what a run made of them."""

from __future__ import annotations

from pathlib import Path

from zhiling.errors import MissingInput

_MARK = "recipe.yaml"


def locate(example: str = "support") -> Path:
    """The folder of hand-written material, `support` or `adversarial`: in the package, or in the repository.

    Raises:
        MissingInput: it is in neither (exit code 3).
    """
    package = Path(__file__).resolve().parents[2]
    candidates = (package / "examples" / example, package.parents[1] / "examples" / example)
    for folder in candidates:
        if (folder / _MARK).is_file():
            return folder
    raise MissingInput(
        f"the demo's data are in neither of {[str(folder) for folder in candidates]!r}",
        hint="install zhiling again: pip install --force-reinstall zhiling",
    )
