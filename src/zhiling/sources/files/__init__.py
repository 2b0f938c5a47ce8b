"""The bytes of files: packed, encoded and cut into lines."""
