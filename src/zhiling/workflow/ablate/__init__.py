"""What each step or source does to a model: with it, without it, with as many rows left out at random."""
