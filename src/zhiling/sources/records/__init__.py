"""Records of files: JSON, CSV, Parquet, read one by one or as whole columns; and columns out of them."""
