"""Scores, probabilities, gradients: what every later part stands on."""
