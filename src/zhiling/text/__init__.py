"""Text as sets of hashed shingles: what deduplication, decontamination and leak-safe splits share."""
