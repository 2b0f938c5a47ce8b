"""Documents: text, Markdown, HTML, Word, PowerPoint, Excel and PDF into sections and passages."""
