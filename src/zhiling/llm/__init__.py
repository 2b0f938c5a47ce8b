"""Language models: local ones read from a folder, and any behind the OpenAI protocol.

`engine.Engine` asks a role of a recipe's `models` and stores what it replies; `causal.load_causal_lm` scores
texts with a model in this process.
"""
