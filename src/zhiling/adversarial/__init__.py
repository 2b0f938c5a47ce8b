"""Adversarial construction: generators write rows, discriminators judge them, guards say when to stop."""
