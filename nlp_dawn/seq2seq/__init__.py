"""From one sequence to another: encoders, decoders, search, evaluation."""
