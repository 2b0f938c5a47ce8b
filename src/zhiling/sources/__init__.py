"""Sources: raw material of one kind into rows, one file each."""

SOURCES: dict[str, str] = {
    "conversations": "zhiling.sources.conversations:Conversations",
    "documents": "zhiling.sources.documents:Documents",
    "feedback": "zhiling.sources.feedback:Feedback",
    "images": "zhiling.sources.images:Images",
    "instructions": "zhiling.sources.instructions:Instructions",
    "labelled": "zhiling.sources.labelled:Labelled",
    "tables": "zhiling.sources.tables:Tables",
}
