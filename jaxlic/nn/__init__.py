"""Flax modules that know nothing of rates."""
