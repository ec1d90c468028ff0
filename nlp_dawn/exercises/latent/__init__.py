"""Exercises of part VII, one specification per chapter."""
