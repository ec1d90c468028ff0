"""Runs and timings of part IV."""
