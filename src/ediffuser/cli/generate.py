"""`ediffuser generate -o OUT --model MODEL`."""

from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from ediffuser.cli.common import UNCHOSEN, SamplerChoice, output_paths, save_tensors
from ediffuser.generate import FREE_SAMPLER, load
from ediffuser.generate import generate as generate_pictures
from ediffuser.runtime.device import PrecisionName, choose_device
from ediffuser.runtime.distributed import processes
from ediffuser.runtime.errors import BadInputError


def generate(
    out: Annotated[Path, arg(aliases=["-o"])],
    model: str,
    count: int = 16,
    seed: int = 0,
    first_index: int = 0,
    batch: int = 64,
    way: SamplerChoice = UNCHOSEN,
    device: str = "auto",
    precision: PrecisionName = "auto",
) -> None:
    """Makes pictures from nothing. Under torchrun the batches are shared out; the pictures are the same.

    Example: ediffuser generate -o out/ --model runs/cifar --count 64 --sampler "ddim steps=50"

    Args:
        out: A folder, or the name of a .png, .jpg or .webp file; several pictures are numbered from first_index + 1.
        model: An unconditional model: a checkpoint or run directory. None is shipped yet.
        count: How many pictures.
        seed: Picture k depends on the seed and first_index + k alone.
        first_index: Index of the first picture.
        batch: How many a process makes at once.
        way: From noise to the picture.
        device: auto, cpu, cuda ...
        precision: auto, float32 or bf16.
    """
    sampler = way.chosen(FREE_SAMPLER)
    if count < 1 or batch < 1:
        raise BadInputError(f"count {count} and batch {batch} must both be at least 1")
    with processes() as group:
        loaded = load(model, device=str(group.device(choose_device(device))), precision=precision)
        paths = output_paths(out, "picture", count, first_index + 1)
        # Whole batches, for in another batch a picture may differ in its last bits.
        for start in group.mine(range(0, count, batch)):
            part = paths[start : start + batch]
            first = first_index + start
            pictures = generate_pictures(
                loaded, count=len(part), sampler=sampler, seed=seed, first_index=first, batch=batch
            )
            save_tensors(pictures, part)
