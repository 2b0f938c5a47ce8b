"""Guards of adversarial construction: figures of each round, and rules that stop it or drop a generator."""
