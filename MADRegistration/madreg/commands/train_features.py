"""``madreg train --encoder features``: the features that the measure ``mad`` compares."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from ..system import device as devices
from .train_files import origin_of, prepare_folder, scans_of

if TYPE_CHECKING:
    from ..learn.bodies import Body

BATCHES, BODIES = 300, 2
VALIDATION_BATCHES = 20
MORE = 32  # numbers of a feature by which points are matched


def run(args: argparse.Namespace) -> int:
    """Train, validate, write weights with their model card."""
    from ..learn.context_training import ContextSettings, train_context
    from ..learn.discriminant import discrimination, train_features
    from ..learn.synthetic_bodies import synthetic_bodies
    from ..learn.views import ViewSampler, ViewSettings
    from ..network import weights
    from ..network.settings import FeatureSettings

    device = devices.choose(args.device)
    scans, held_out_scans = scans_of(args.images, args.match, args.held_out)
    maps, held_out_maps = scans_of(args.labels, "*", args.held_out)
    say = prepare_folder(args.out)
    bodies = _kept(
        args.out / "bodies.npz", lambda: [*_read(scans, maps), *synthetic_bodies(range(args.synthetic), args.seed)]
    )
    held_out = _read(held_out_scans, held_out_maps) if args.held_out else bodies
    settings, views = FeatureSettings(more=MORE), ViewSettings()
    sampler = ViewSampler(bodies, views, args.seed, device)
    network = train_features(sampler, args.out, settings, args.steps or BATCHES, args.batch or BODIES, say)
    context = ContextSettings(args.minutes, seed=args.seed) if args.minutes else None
    if context:
        network = train_context(network, sampler, args.out, context, say)
    validation = discrimination(network, ViewSampler(held_out, views, args.seed + 1, device), VALIDATION_BATCHES)
    card = {
        "name": "mad-features",
        **origin_of([*scans, *maps], [*held_out_scans, *held_out_maps], args.seed),
        "synthetic_bodies": args.synthetic,
        "views": asdict(views),
        "batches": args.steps or BATCHES,
        "bodies_a_batch": args.batch or BODIES,
        "context": asdict(context) if context else None,
        "validation": {
            "what": "how often features of the right place are more alike than those of another one (0.5: chance), "
            "held-out bodies in random appearances, by level of the network; the other place is 1 to 3 voxels away "
            "at the finest level, anywhere at the others",
            "by_level": validation,
        },
    }
    weights.save(network, args.out / "mad-features.pt", card)
    say(f"right place more alike, by level: {', '.join(f'{one:.1%}' for one in validation)}")
    say(f"Wrote {args.out / 'mad-features.pt'} and its model card.")
    return 0


def _kept(path: Path, make: Callable[[], list[Body]]) -> list[Body]:
    """The bodies in a file, which is written if it does not exist: an interrupted training reads no scan again."""
    from ..learn.bodies import read_bodies, write_bodies

    if not path.exists():
        write_bodies(make(), path)
    return read_bodies(path)


def _read(scans: list[list[Path]], maps: list[list[Path]]) -> list[Body]:
    from ..learn.bodies import read_label_map, read_scan

    known: dict[int, int] = {}
    found = [read_scan(path, f"scans {n}") for n, files in enumerate(scans) for path in files]
    return found + [read_label_map(path, f"maps {n}", known) for n, files in enumerate(maps) for path in files]
