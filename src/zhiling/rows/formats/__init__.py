"""Formats: rows written the way that trainers and people read them, one file each."""

FORMATS: dict[str, str] = {
    "alpaca": "zhiling.rows.formats.alpaca:Alpaca",
    "csv": "zhiling.rows.formats.csv:Csv",
    "messages": "zhiling.rows.formats.messages:Messages",
}
