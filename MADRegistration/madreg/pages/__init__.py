"""Pages to keep: what a registration, an assessment or a commissioning found, for people."""
