"""Synthesis: steps that write new rows, one file each."""

STEPS: dict[str, str] = {
    "passage_qa": "zhiling.synthesis.passage_qa:PassageQa",
    "template": "zhiling.synthesis.template:Template",
}
