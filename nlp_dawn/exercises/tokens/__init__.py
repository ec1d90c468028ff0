"""Exercises of part IV, one specification per chapter."""
