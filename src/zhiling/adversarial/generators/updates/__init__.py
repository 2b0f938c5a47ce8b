"""How a generator learns from what was judged: one file a rule (see `rule.UpdateRule`)."""

UPDATES: dict[str, str] = {
    "raft": "zhiling.adversarial.generators.updates.raft:Raft",
}
