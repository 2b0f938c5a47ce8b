"""Conversations: messages gathered from logs, transcripts and turn lists, and the rows that they make."""
