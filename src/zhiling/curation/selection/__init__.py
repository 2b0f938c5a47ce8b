"""How `select` chooses: one method a file, over vectors in neighbourhoods instead of all pairs."""
