"""How well registration works: seeded trials with known truth, methods, figures."""
