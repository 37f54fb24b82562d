"""Pages to keep: what a registration or an assessment found, for people."""
