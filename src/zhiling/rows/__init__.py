"""zhiling."""
