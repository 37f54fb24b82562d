"""Measures how well registration works, beside other tools, on pairs of scans with known alignment.

Packages, each of which imports only those before it: ``cases`` (pairs and displacements), ``methods`` (what is
compared), ``running`` (methods over trials), ``report`` (tables, plots, provenance), ``studies`` (single questions).
``python -m madreg_benchmark --help`` lists the commands.
"""
