"""Exercises of part II, one specification per chapter."""
