"""`ediffuser colorize IMAGE -o OUT`."""

from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from ediffuser.cli.common import UNCHOSEN, SamplerChoice, chosen_conditioning, opened_photo, output_paths, save_photos
from ediffuser.editing import colorize_photo
from ediffuser.generate import DEFAULT_SAMPLER, load
from ediffuser.runtime.device import PrecisionName


def colorize(
    image: Positional[Path],
    out: Annotated[Path, arg(aliases=["-o"])],
    model: str,
    variations: int = 1,
    seed: int = 0,
    way: SamplerChoice = UNCHOSEN,
    conditioning: str | None = None,
    device: str = "auto",
    precision: PrecisionName = "auto",
) -> None:
    """Gives a photo new colours and keeps its luma.

    Example: ediffuser colorize old.jpg -o out/ --model runs/colour --variations 4

    Args:
        image: The photo: JPEG, PNG or WebP of any size; only its luma is looked at.
        out: A folder, or the name of a .png, .jpg or .webp file.
        model: A model trained to colorize, or an unconditional one with a conditioning: a checkpoint or run directory.
            None is shipped yet.
        variations: How many different results to make.
        seed: Other seeds give other results.
        way: From noise to the picture.
        conditioning: How a model that was not trained for this is made to respect what is known, such as repaint,
            "repaint jump_length=5" or null-space: an approximation.
        device: auto, cpu, cuda ...
        precision: auto, float32 or bf16.
    """
    sampler, respect = way.chosen(DEFAULT_SAMPLER), chosen_conditioning(conditioning)
    photo = opened_photo(image, out).to_image()
    loaded = load(model, device=device, precision=precision)
    paths = output_paths(out, image.stem, variations)
    results = colorize_photo(loaded, photo, variations=variations, seed=seed, sampler=sampler, conditioning=respect)
    save_photos(results, paths)
