"""From text to the tokens that a model reads, and back."""
