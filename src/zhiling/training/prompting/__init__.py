"""Answers without any update of weights: from prompts, demonstrations and label names.

Over an encoder (what is near) or over a causal language model (what is likely, or what it writes).
"""
