"""Runs and timings for the chapters of ``latent``."""
