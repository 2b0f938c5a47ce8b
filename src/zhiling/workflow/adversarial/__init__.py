"""The honest comparison: an adversarial block beside simpler ways to rows, at equal budget, on real rows."""
