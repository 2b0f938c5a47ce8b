"""A run as static pages, in English and in Chinese."""
