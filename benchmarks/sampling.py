"""25 DDIM steps of the published 32-pixel network (35.7 million parameters): ours against DDIMPipeline of diffusers.

    python benchmarks/sampling.py [--compile] [--count 8] [--steps 25] [--repetitions 3]

Ours is `ediffuser.generate`. diffusers runs as it comes, in float32, and once more in bf16 and channels-last by hand.
All take turns in one process; medians. Figures, machine and date: benchmarks/README.md.
"""

from collections.abc import Callable

import torch
import tyro
from diffusers import DDIMPipeline, DDIMScheduler
from machine import CPU, PRECISION, Contestant, compare, network_flops, report
from training_step import SIDE, published, published_by_diffusers

from ediffuser import Ddim, Model, generate
from ediffuser.runtime.device import autocast

TARGET = 1.6


def our_run(count: int, steps: int, *, compiled: bool) -> Callable[[], object]:
    """Our facade."""
    config = published()
    network = config.network.build().eval().requires_grad_(False)
    model = Model(config, torch.compile(network) if compiled else network, CPU, PRECISION)
    return lambda: generate(model, count=count, sampler=Ddim(steps=steps))


def diffusers_run(count: int, steps: int, precision: torch.dtype, layout: torch.memory_format) -> Callable[[], object]:
    """Their facade."""
    network = published_by_diffusers().eval().to(memory_format=layout)
    pipeline = DDIMPipeline(unet=network, scheduler=DDIMScheduler(num_train_timesteps=1000))
    pipeline.set_progress_bar_config(disable=True)

    def run() -> None:
        with autocast(CPU, precision):
            pipeline(batch_size=count, num_inference_steps=steps, output_type="pt")

    return run


def main(count: int = 8, steps: int = 25, repetitions: int = 3, compile: bool = False) -> None:
    """Measures and reports.

    Args:
        count: Pictures a run.
        steps: DDIM steps.
        repetitions: Runs of each contestant that are timed, after one that is not.
        compile: Also ours through torch.compile.
    """
    contestants = [
        Contestant("diffusers", torch.float32, diffusers_run(count, steps, torch.float32, torch.contiguous_format)),
        Contestant("diffusers, by hand", PRECISION, diffusers_run(count, steps, PRECISION, torch.channels_last)),
        Contestant("ediffuser", PRECISION, our_run(count, steps, compiled=False)),
    ]
    if compile:
        contestants.append(Contestant("ediffuser --compile", PRECISION, our_run(count, steps, compiled=True)))
    operations = count * steps * network_flops(published().network.build, SIDE, training=False)
    rows = compare(contestants, repetitions, images=count, operations=operations)
    report(f"{count} pictures in {steps} DDIM steps of the published 32-pixel network", rows, target=TARGET)


if __name__ == "__main__":
    tyro.cli(main)
