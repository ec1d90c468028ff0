"""Exercises of part III, one specification per chapter."""
