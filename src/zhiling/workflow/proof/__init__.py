"""Training, the three arms on the same test rows, and why the tuned one answers so."""
