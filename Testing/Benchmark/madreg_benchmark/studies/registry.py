"""The studies by name.

A study is a module of this folder with a :class:`Study` named ``STUDY``, and a line in :data:`STUDIES`.
"""

from __future__ import annotations

from importlib import import_module

from madreg_benchmark.studies.study import Study

STUDIES = {
    "predictions": "the distance that the network predicts against the true one, cases misaligned by 0 to 60 mm",
    "distances": "the distance that blocks of MAD's features show, and the one that the network predicts, against the "
    "true one, cases misaligned by 0 to 60 mm, as they are and with cut fields of view",
    "estimates": "the estimated error, its verdict and its map against the truth, cases misaligned by 0 to 40 mm and "
    "flipped by 180 degrees",
    "ablations": "what training needs: the network trained anew (--data) in variants that differ in one thing, "
    "75 minutes on one core",
    "anatomy": "whether the network is tied to heads: trained anew (--data) on heads, on synthetic bodies and on both, "
    "35 minutes on one core",
    "feature_ablations": "which parts of the features matter: trained anew (--data) in variants that differ in one "
    "thing, and registered with, 60 minutes on one core",
    "alone": "how exactly each measure alone registers displaced pairs, and what that costs",
    "published": "the comparison of the MAD paper: which part of it is the measure, and which the descent",
    "edges": "how far random convolutions shift an edge",
    "costs": "processor time for one value of each measure, with and without its gradient",
    "landscapes": "each measure along and about every axis around the true pose",
    "bodies": "synthetic bodies of blobs and tubes instead of heads: registration from any pose, and MAD's predictions",
    "sizes": "time and memory of a registration against the number of voxels, the first case at 64^3 to 512^3",
    "designs": "how often designs of the pose search find the right pose, and in which order its candidates stand best",
    "bounds": "whether the bound of the error holds in 95 % of cases, on pairs that are misaligned in many ways",
    "verdicts": "how often a pose that is far off is called aligned, 40 poses of each case",
    "other_tools": "what is said of the transforms that other tools find",
    "capture": "from how far gradient descent on each measure alone converges, in mm and degrees",
}


def find_study(name: str) -> Study:
    """The study of a name in :data:`STUDIES`."""
    return import_module(f".{name}", __package__).STUDY
