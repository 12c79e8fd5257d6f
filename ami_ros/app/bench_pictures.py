"""`ami bench pictures`: what a model makes of real pictures whose poses are known."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def main(
    folders: Annotated[list[Path], typer.Argument(help="Sequences of one place each, in 7-Scenes' or TUM's layout.")],
    model: Annotated[Path, typer.Option(help="Model folder.")] = Path("models/general"),
    frames: Annotated[int, typer.Option(help="Pictures of a sequence at most.", min=2, max=2000)] = 125,
    rival: Annotated[str, typer.Option(help="Compare with feature matchers: none, sift, or aliked as well.")] = "sift",
    rival_pairs: Annotated[int, typer.Option(help="Pairs of each distance that they get at most.", min=1)] = 150,
    across_pairs: Annotated[int, typer.Option(help="Pairs of two places at most.", min=1)] = 3000,
    seed: Annotated[int, typer.Option(help="Of what is drawn at random.", min=0)] = 0,
    json: Annotated[Path | None, typer.Option(help="File for the figures.")] = None,
) -> None:
    """Compare real pictures with known poses.

    It gives accepted pairs by distance, pose errors, their calibration, recall@1, and false accepts across places.
    Baselines are "nothing moved" and feature matchers."""
    from itertools import combinations

    from rich.console import Console

    from ami_ros.errors import AmiError
    from ami_ros.evaluation.picture_bench import across, look, measure
    from ami_ros.evaluation.picture_rivals import Aliked, Sift
    from ami_ros.evaluation.picture_rivals import rival as by
    from ami_ros.evaluation.picture_sequences import read_sequence
    from ami_ros.evaluation.report import hardware, write_json
    from ami_ros.world_model.inference_loading import load_inference

    known = {"none": (), "sift": (Sift,), "aliked": (Sift, Aliked)}
    if rival not in known:
        raise AmiError(f"--rival {rival} is not one of {', '.join(known)}")
    loaded = load_inference(model)
    pairs = loaded.model.pairs
    if pairs is None:
        raise AmiError(f"{model} compares no pictures; choose another --model")
    console = Console(emoji=False, highlight=False)
    sequences = [read_sequence(folder).every(frames) for folder in folders]
    seen = [look(sequence, pairs, loaded.model.spec.inputs) for sequence in sequences]
    rivals = {make.__name__.lower(): by(make) for make in known[rival]}
    places = [measure(each, pairs, rivals, rival_pairs, seed) for each in seen]
    between = [across(one, other, pairs, across_pairs, seed) for one, other in combinations(seen, 2)]
    for place in places:
        _show(place, list(rivals), console)
    for pair in between:
        console.print(
            f"{' and '.join(pair['places'])}: {pair['accepted']} of {pair['pairs']} pairs accepted "
            f"(at most {100 * pair['wilson_high']:.2f} %)"
        )
    if json is not None:
        settings = {"model": loaded.encoder_id, "threshold": pairs.threshold, "frames_at_most": frames, "seed": seed}
        write_json(json, settings | {"places": places, "across": between} | hardware())


def _show(place: dict[str, Any], rivals: list[str], console: Any) -> None:
    """Tables of one sequence."""
    from rich.table import Table

    console.print(
        f"{place['name']}: {place['frames']} pictures, tilted {place['tilt_rad']:.2f} rad; "
        f"{place['code_ms']:.1f} ms to encode one, {place['compare_ms']:.1f} ms to compare two"
    )
    names = "", "pairs", "accepted", "position", "nothing moved", "heading", "nothing turned", "expected"
    table = Table(*names, box=None, padding=(0, 2, 0, 0))
    for who in ("distances", *rivals):
        for f in place[who]:
            numbers = (f[k] for k in ("position_m", "still_m", "heading_rad", "unturned_rad", "said_m"))
            label = f["distance"] if who == "distances" else f"{who}, {f['distance']}"
            table.add_row(label, str(f["pairs"]), *map(_text, (f["accepted_share"], *numbers)))
    console.print(table)
    said = (f"from {s['from_m']:.1f} m: {_text(s['off_m'])} m (n {s['pairs']})" for s in place["said"])
    console.print(f"errors where it expects them {'; '.join(said)}")
    for name, found in place["recall"].items():
        console.print(f"recall@1, {name.replace('_', ' ')} in memory: {found['right']} of {found['asked']}")


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
