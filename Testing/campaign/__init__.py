"""Faults tried on the command and the worker: damaged inputs, failing writes, interrupts, bad lines, cancels.

``cd Testing && python -m campaign --help``; a small run is one of the slow tests.  Everything is drawn from a seed, and
every trial ends in one outcome; those in :data:`campaign.outcomes.BAD` must not occur.
"""
