"""Formats: rows written the way that trainers and people read them, and read back, one file each."""

FORMATS: dict[str, str] = {
    "alpaca": "zhiling.rows.formats.alpaca:Alpaca",
    "conll": "zhiling.rows.formats.conll:Conll",
    "csv": "zhiling.rows.formats.csv:Csv",
    "kto": "zhiling.rows.formats.kto:Kto",
    "messages": "zhiling.rows.formats.messages:Messages",
    "parquet": "zhiling.rows.formats.parquet:Parquet",
    "preference": "zhiling.rows.formats.preference:Preference",
    "prompt_completion": "zhiling.rows.formats.prompt_completion:PromptCompletion",
    "sharegpt": "zhiling.rows.formats.sharegpt:ShareGPT",
    "squad": "zhiling.rows.formats.squad:Squad",
    "text": "zhiling.rows.formats.text:Text",
}
