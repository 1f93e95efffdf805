"""Densities: bits for the loss, rows and integer tables for the coder."""
