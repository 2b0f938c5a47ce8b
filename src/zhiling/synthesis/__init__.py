"""Synthesis: steps that write new rows, one file each."""

STEPS: dict[str, str] = {
    "template": "zhiling.synthesis.template:Template",
}
