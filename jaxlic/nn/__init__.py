"""Flax modules that know nothing of rates.

A module's `dtype` is that of its convolutions, but for a network's last one:
that takes float32 parameters as they are, and so gives float32. In bfloat16
latents of 64 and more would lie on a grid of halves.
"""
