"""Language models that read one word after another."""
