"""Events of a service: the lines of a feedback file, and what becomes of them."""
