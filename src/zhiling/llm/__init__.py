"""Language models: local ones read from a folder, to score texts with."""
