"""Exercises of part I, one specification per chapter."""
