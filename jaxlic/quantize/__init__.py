"""Latents to symbols and back, and what stands for that in training."""
