"""A step's threshold from labelled rows."""
