"""Generators: steps that write rows for the adversarial loop, one file each."""
