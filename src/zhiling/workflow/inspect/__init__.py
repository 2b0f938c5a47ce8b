"""A finished run looked at from outside: rows, one row's life, what changed between two runs."""
