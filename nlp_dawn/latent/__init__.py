"""Latent variables, and gradients through randomness."""
