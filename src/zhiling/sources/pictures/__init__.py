"""Pictures and other media: found, hashed, decoded, and the rows about them."""
