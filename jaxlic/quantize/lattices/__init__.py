"""Lattices: their points, the glue of cosets, and a quantizer of latents."""
