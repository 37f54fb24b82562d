"""``madreg train``: train a network of MAD on folders of mono-modal scans."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from ..system import device as devices
from .options import add_options, number
from .train_files import origin_of, prepare_folder, scans_of

MOST = 10**9


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    _add_scans(parser)
    _add_network(parser)
    _add_pairs(parser)
    _add_length(parser)
    add_options(parser, "seed", "device")


def _add_scans(parser: argparse.ArgumentParser) -> None:
    """Which scans, and where the results go."""
    parser.add_argument(
        "--images",
        nargs="+",
        type=Path,
        required=True,
        metavar="DIR",
        help="folders of 3D scans of one modality; each folder is drawn from equally often",
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="checkpoint, log.csv, plots and in the end mad.pt (features: mad-features.pt) and its card; an "
        "interrupted training found there is continued",
    )
    parser.add_argument("--match", default="*", metavar="PATTERN", help="only files of this pattern, such as '*T1w*'")
    parser.add_argument(
        "--held-out",
        type=number(0, MOST),
        default=2,
        metavar="N",
        help="scans of each folder, the last by name, that serve for validation alone (2)",
    )


def _add_network(parser: argparse.ArgumentParser) -> None:
    """Which network, and what the one for features is trained on as well."""
    parser.add_argument(
        "--encoder",
        choices=["siamese", "fused", "features"],
        default="siamese",
        help="fused: the published two-channel network; features: those that --measure mad compares",
    )
    parser.add_argument(
        "--labels",
        nargs="+",
        type=Path,
        default=[],
        metavar="DIR",
        help="features: folders of label maps, whose labels get random intensities",
    )
    parser.add_argument(
        "--synthetic",
        type=number(0, MOST),
        default=80,
        metavar="N",
        help="features: synthetic bodies to train on as well (80)",
    )
    parser.add_argument(
        "--head",
        choices=["distance", "uncertainty"],
        default="distance",
        help="uncertainty: predict the expected error as well",
    )


def _add_pairs(parser: argparse.ArgumentParser) -> None:
    """How pairs of crops are drawn."""
    parser.add_argument(
        "--sampling", choices=["dense", "patches"], default="dense", help="patches: one label a patch, as published"
    )
    parser.add_argument(
        "--layers", type=number(0, 100), default=2, metavar="N", help="most random convolutions stacked (2; 0: none)"
    )
    parser.add_argument("--size", type=number(8, 512), metavar="VOXELS", help="edge of a crop (36; 24 for patches)")
    parser.add_argument(
        "--distance", type=number(0, 1000, whole=False), default=45.0, metavar="MM", help="largest translation (45)"
    )
    parser.add_argument(
        "--rotation", type=number(0, 180, whole=False), default=30.0, metavar="DEGREES", help="largest rotation (30)"
    )


def _add_length(parser: argparse.ArgumentParser) -> None:
    """How long the training is, and how many work for it."""
    parser.add_argument(
        "--steps",
        type=number(1, MOST),
        metavar="N",
        help="steps of the optimizer (20000); features: batches to sum up (300)",
    )
    parser.add_argument(
        "--minutes",
        type=number(0, MOST, whole=False),
        default=0.0,
        metavar="MIN",
        help="end the training after this time; features: train a network that looks farther around for so long (0)",
    )
    parser.add_argument("--batch", type=number(1, 10_000), metavar="N", help="pairs a step (4; features: 2)")
    parser.add_argument("--workers", type=number(0, 1000), default=1, metavar="N", help="processes that draw pairs (1)")


def run(args: argparse.Namespace) -> int:
    """Train, validate, write weights with their model card."""
    from ..learn.appearance import Appearance
    from ..learn.pair_settings import PairSettings
    from ..learn.pairs import PairSampler
    from ..learn.scans import load_scan
    from ..learn.training import train
    from ..learn.training_plots import plot
    from ..learn.training_settings import TrainingSettings
    from ..learn.validation import figures, validate
    from ..network import weights
    from ..network.settings import FusedSettings, SiameseSettings

    if args.encoder == "features":
        from .train_features import run as run_features

        return run_features(args)
    device = devices.choose(args.device)
    files, held_out_files = scans_of(args.images, args.match, args.held_out)
    say = prepare_folder(args.out)
    network = SiameseSettings(head=args.head) if args.encoder == "siamese" else FusedSettings(head=args.head)
    size = args.size or (24 if args.sampling == "patches" else 36)
    pairs = PairSettings(
        size=size, distance=args.distance, rotation=args.rotation, appearance=Appearance(layers=args.layers)
    )
    settings = TrainingSettings(
        steps=args.steps or 20_000,
        minutes=args.minutes,
        batch=args.batch or 4,
        sampling=args.sampling,
        workers=args.workers,
        seed=args.seed,
    )
    scans = [[load_scan(path) for path in found] for found in files]
    held_out = [[load_scan(path) for path in found] for found in held_out_files]
    sampler = PairSampler(held_out if args.held_out else scans, pairs, args.seed + 1_000_003)
    validation = {"held out" if args.held_out else "training scans": [sampler.pair(n) for n in range(32)]}

    trained = train(scans, args.out, network, pairs, settings, validation, str(device), say)
    results = {name: validate(trained, some, sampler.points, args.sampling) for name, some in validation.items()}
    plot(args.out, results)
    card = {
        "name": "mad",
        **origin_of(files, held_out_files, args.seed),
        "training": asdict(settings),
        "pairs": asdict(pairs),
        "validation": {name: figures(true, found) for name, (true, found, _) in results.items()},
    }
    card = weights.save(trained, args.out / "mad.pt", card)
    for name, result in card["validation"].items():
        say(f"{name}: mean absolute error {result['mae']} mm, Spearman {result['spearman']}")
    say(f"Wrote {args.out / 'mad.pt'} and its model card.")
    return 0
