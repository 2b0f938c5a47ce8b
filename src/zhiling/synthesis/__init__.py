"""Synthesis: steps that write new rows, one file each."""

STEPS: dict[str, str] = {
    "document_qa": "zhiling.synthesis.document_qa:DocumentQA",
    "passage_qa": "zhiling.synthesis.passage_qa:PassageQa",
    "qa_pairs": "zhiling.synthesis.qa_pairs:QaPairs",
    "resolution": "zhiling.synthesis.resolution:Resolution",
    "recombine": "zhiling.synthesis.recombine:Recombine",
    "sequences": "zhiling.synthesis.sequences:Sequences",
    "template": "zhiling.synthesis.template:Template",
}
