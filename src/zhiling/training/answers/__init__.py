"""Questions, candidate answers and rankings: what the task `matching` stands on."""
