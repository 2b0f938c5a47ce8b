"""PDF files into sections, by PDFium: lines, paragraphs and headings by their looks, tables by their rules."""
