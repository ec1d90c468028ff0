"""Real runs on real text, and our time beside a peer's. See README.md."""
