"""Synthesis: steps that write new rows, one file each."""

STEPS: dict[str, str] = {
    "passage_qa": "zhiling.synthesis.passage_qa:PassageQa",
    "qa_pairs": "zhiling.synthesis.qa_pairs:QaPairs",
    "resolution": "zhiling.synthesis.resolution:Resolution",
    "template": "zhiling.synthesis.template:Template",
}
