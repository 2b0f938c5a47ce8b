"""The training loop and what moves in it: optimisers, precision, processes, resuming, distilling."""
