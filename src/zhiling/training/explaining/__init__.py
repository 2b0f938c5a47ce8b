"""What an answer rests on: words, n-grams, training rows."""
