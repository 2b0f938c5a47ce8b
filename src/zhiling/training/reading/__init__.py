"""Texts to vectors: encoders, n-grams, words in windows, and what makes them quick."""
