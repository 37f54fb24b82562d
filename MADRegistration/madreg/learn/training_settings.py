"""How a network that predicts distances is trained."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingSettings:
    """How to train.

    Attributes:
        steps: optimizer steps; ``minutes``: stop earlier, with the schedule fitted to that time (0: no limit).
        batch: pairs a step.
        rate: largest learning rate.
        matching: weight of the matching loss beside the squared error (siamese only).
        sampling: ``dense`` learns from the whole map of a crop, ``patches`` from a crop's mean alone, as published.
        growth: share of the run over which distances and rotations grow to their full range.
        average: decay of the moving average of the weights that is validated and kept.
        seed: of weights and pairs.
        workers: processes that draw pairs (0: in line).
        validate_every: steps between validations and checkpoints.
    """

    steps: int = 5000
    minutes: float = 0.0
    batch: int = 4
    rate: float = 2e-3
    matching: float = 0.6
    sampling: str = "dense"
    growth: float = 0.25
    average: float = 0.998
    seed: int = 0
    workers: int = 1
    validate_every: int = 250
