"""Discriminators: each an ensemble of two views, fitted without the rows that it scores, and calibrated."""
