"""Synthesis: steps that write new rows, one file each."""

STEPS: dict[str, str] = {
    "answer_templates": "zhiling.synthesis.answer_templates:AnswerTemplates",
    "augment": "zhiling.synthesis.augment:Augment",
    "backtranslate": "zhiling.synthesis.backtranslate:Backtranslate",
    "code_rows": "zhiling.synthesis.code_rows:CodeRows",
    "constrain": "zhiling.synthesis.constrain:Constrain",
    "dialogue": "zhiling.synthesis.dialogue:Dialogue",
    "document_qa": "zhiling.synthesis.document_qa:DocumentQA",
    "intents": "zhiling.synthesis.intents:Intents",
    "label_propagation": "zhiling.synthesis.label_propagation:LabelPropagation",
    "labelled_texts": "zhiling.synthesis.labelled_texts:LabelledTexts",
    "passage_qa": "zhiling.synthesis.passage_qa:PassageQa",
    "qa_pairs": "zhiling.synthesis.qa_pairs:QaPairs",
    "recombine": "zhiling.synthesis.recombine:Recombine",
    "resolution": "zhiling.synthesis.resolution:Resolution",
    "self_instruct": "zhiling.synthesis.self_instruct:SelfInstruct",
    "sequences": "zhiling.synthesis.sequences:Sequences",
    "template": "zhiling.synthesis.template:Template",
}
