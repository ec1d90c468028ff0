"""Runs and timings for the chapters of ``seq2seq``."""
