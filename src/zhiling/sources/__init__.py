"""Sources: raw material of one kind into rows, one file each."""

SOURCES: dict[str, str] = {
    "conversations": "zhiling.sources.conversations:Conversations",
    "documents": "zhiling.sources.documents:Documents",
    "labelled": "zhiling.sources.labelled:Labelled",
    "tables": "zhiling.sources.tables:Tables",
}
