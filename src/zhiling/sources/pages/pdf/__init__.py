"""PDF files into sections, by PDFium: paragraphs and headings by their looks, tables by their rules."""
