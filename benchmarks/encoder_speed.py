"""How fast are networks run, and what does that change of their vectors? A Markdown table each.

Run ``python -m benchmarks.encoder_speed``, on a machine with a GPU with ``--device cuda``. Networks
of the registry are built at full size with random weights and run as the settings offer it, and in
ways that they do not offer, for comparison; ONNX Runtime and OpenVINO where they are installed.
Times are from images in memory, prepared, to vectors in memory. All ways take turns in each round:
the ratio to the first is that of one round, and medians of all rounds are shown, for machines that
are not quiet.

"moved" says what a way changes of a vector: its cosine distance to torch's in fp32, the largest of
some synthetic radiographs, as a share of the mean distance between two of those.
"""

import argparse
import copy
import statistics
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from benchmarks.encoder_ways import Place, ways
from benchmarks.machine import as_list, provenance
from encoders import registry
from encoders.devices import devices_of
from encoders.encoder import EncoderError, EncoderOptions, Prepared
from encoders.lane import Runner, Vectors
from encoders.torch_encoder import build
from encoders.torch_process import settle
from encoders.transforms import transforms_of
from evaluation.synthetic.anatomy import draw_anatomy
from evaluation.synthetic.chest_radiograph import draw_exposure, render_frontal
from evaluation.synthetic.findings import Findings

NETWORKS = ("monai-densenet121", "monai-vit-b32-256")
MORE = ("vit-base-16-in21k", "resnet-50", "dinov2-base")
BATCHES = (1, 8, 32)
_DIFFERENT = 8
_SECONDS_ON_GPU = 0.5


@dataclass(frozen=True)
class Way:
    """A way to run a network, measured.

    Attributes:
        name: as the table has it.
        speeds: images a second, by batch, one for each round.
        cosine: the least to torch in fp32.
        moved: that distance as a share of the mean distance between two images.
    """

    name: str
    speeds: dict[int, list[float]]
    cosine: float
    moved: float


def radiographs(count: int) -> list[np.ndarray]:
    """Return synthetic chests, float32 in [0, 1]."""
    made = []
    for seed in range(count):
        rng = np.random.default_rng(seed)
        anatomy = draw_anatomy(rng)
        exposure = draw_exposure(rng, "PA", anatomy.lung_height + 12)
        made.append(render_frontal(anatomy, Findings(), exposure, rng))
    return made


def network_of(name: str, prepared: Sequence[Prepared]) -> nn.Module:
    """Return the declared network at full size, in eval mode.

    Weights are random, and larger than those that training begins with, or all images would have
    nearly one vector; batch norms have the statistics of the images.
    """
    torch.manual_seed(0)
    network = build(registry.find(name))
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Linear):
                module.weight.normal_(0, module.in_features**-0.5)
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = None
        network.train()
        if any(isinstance(module, nn.BatchNorm2d) for module in network.modules()):
            network(torch.from_numpy(np.stack(prepared)))
    return network.eval()


def measure(name: str, options: argparse.Namespace) -> Iterator[Way]:
    """Yield what each way makes of a network."""
    (device,) = devices_of(options.device)
    asked = registry.find(name).preprocessing
    assert asked is not None
    transform = transforms_of(asked)
    prepared = [transform(image).numpy() for image in radiographs(_DIFFERENT)]
    network = network_of(name, prepared)
    place = Place(device, torch.get_num_threads(), prepared[0].shape)
    runners = {}
    for way, make in ways(device, compile_too=options.compile):
        if options.way and not any(part in way for part in (*options.way, "torch fp32")):
            continue
        try:
            runners[way] = make(copy.deepcopy(network), place)
        except EncoderError as error:
            print(f"{name}: left out: {way}: {error}")
    expected = runners["torch fp32"](prepared)
    speeds = take_rounds(runners, prepared, options)
    for way, run in runners.items():
        least, moved = distances(expected, run(prepared))
        yield Way(way, speeds[way], least, moved)


def take_rounds(
    runners: dict[str, Runner], prepared: list[Prepared], options: argparse.Namespace
) -> dict[str, dict[int, list[float]]]:
    """Return images a second, by way and batch, one for each round; ways take turns."""
    speeds: dict[str, dict[int, list[float]]] = {way: {} for way in runners}
    for batch in options.batch or BATCHES:
        images = [prepared[at % len(prepared)] for at in range(batch)]
        for _ in range(options.rounds):
            for way, run in runners.items():
                speeds[way].setdefault(batch, []).append(speed(run, images, options))
    return speeds


def speed(run: Runner, images: list[Prepared], options: argparse.Namespace) -> float:
    """Return images a second, after one pass that is not counted."""
    clock = time.process_time if options.cpu_time else time.perf_counter
    start = clock()
    run(images)
    first = clock() - start
    passes = max(1, 16 // len(images))
    if options.device != "cpu":
        passes = max(passes, round(_SECONDS_ON_GPU / first))
    start = clock()
    for _ in range(passes):
        run(images)
    return passes * len(images) / (clock() - start)


def distances(expected: Vectors, found: Vectors) -> tuple[float, float]:
    """Return the least cosine of pairs, and their largest distance as a share of that of others."""
    wanted, given = expected.astype(np.float64), found.astype(np.float64)
    cosine = float((wanted * given).sum(axis=1).min())
    others = 1 - (wanted @ wanted.T)[~np.eye(len(wanted), dtype=bool)]
    return cosine, max(0.0, 1 - cosine) / float(others.mean())


def table(name: str, measured: Sequence[Way]) -> Iterator[str]:
    """Yield the lines of one network's Markdown table."""
    first = measured[0]
    yield f"### {name}"
    yield ""
    heads = " | ".join(f"batch {batch}" for batch in first.speeds)
    yield f"| images/s (times the first) | {heads} | least cosine | moved |"
    yield "|---" * (len(first.speeds) + 3) + "|"
    for way in measured:
        cells = " | ".join(_cell(way.speeds[batch], first.speeds[batch]) for batch in first.speeds)
        yield f"| {way.name} | {cells} | {way.cosine:.6f} | {way.moved:.2%} |"
    yield ""


def _cell(speeds: list[float], first: list[float]) -> str:
    ratios = [one / other for one, other in zip(speeds, first, strict=True)]
    return f"{statistics.median(speeds):.1f} ({statistics.median(ratios):.2f})"


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = made.add_argument
    add("--network", action="append", help="only this one of the registry; may be repeated")
    add("--all", action="store_true", help=f"these as well: {', '.join(MORE)}")
    add("--device", default="cpu", help="one, as in the settings (cpu)")
    add("--threads", type=int, default=2, help="of a CPU's forward pass (2)")
    add("--batch", type=int, action="append", help="images in a pass; may be repeated (1, 8, 32)")
    add("--rounds", type=int, default=5, help="turns of each way (5)")
    add("--compile", action="store_true", help="with torch.compile, too: takes minutes")
    add("--cpu-time", action="store_true", help="with --threads 1: not the wall's, for busy cores")
    add("--way", action="append", help="only ways with this in their name; may be repeated")
    return made


def main() -> None:
    options = parser().parse_args()
    if options.cpu_time and (options.threads != 1 or options.device != "cpu"):
        raise SystemExit("--cpu-time is for --threads 1 on the CPU")
    told = provenance("benchmarks.encoder_speed")
    settle(EncoderOptions(threads=options.threads), devices_of(options.device))
    warnings.simplefilter("ignore")  # of exporters and tracers
    for name in options.network or (*NETWORKS, *(MORE if options.all else ())):
        print("\n".join(table(name, list(measure(name, options)))), flush=True)
    print("\n".join(as_list(told)))


if __name__ == "__main__":
    main()
