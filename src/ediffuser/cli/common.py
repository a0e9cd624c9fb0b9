"""What several commands share."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
from PIL import Image
from tyro.conf import arg

from ediffuser.cli.options import override, parse_component
from ediffuser.conditioning import AnyConditioning, Conditioning
from ediffuser.editing import Photo, encode_photo
from ediffuser.editing.decode import decode_photo
from ediffuser.editing.encode import GENERATED, check_format
from ediffuser.runtime.errors import BadInputError
from ediffuser.runtime.files import make_folder, write_atomically
from ediffuser.runtime.pixels import to_uint8
from ediffuser.samplers import AnySampler, ProbabilityFlow, Sampler
from ediffuser.samplers.probability_flow import FIXED

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


@dataclass(frozen=True)
class SamplerOptions:
    """The way from noise to a picture, as the commands that make pictures take it."""

    sampler: str | None = None
    """Such as "ddim steps=10 eta=0.5", dpm-solver++ or probability-flow; docs/choosing-a-sampler.md has them all."""
    steps: int | None = None
    """Shorthand for the sampler's number of steps."""
    solver: str | None = None
    """Shorthand for the solver of probability-flow: rk23, rk45, dop853, heun or euler."""
    tolerance: float | None = None
    """Shorthand for the tolerance of a sampler that chooses its steps itself."""

    def chosen(self, default: Sampler) -> Sampler:
        """The sampler that was named, or the default, with what the shorthands say.

        Raises:
            BadInputError: If the sampler, one of its settings or a value is not known, or a tolerance would be ignored.
        """
        shorthands = {"solver": self.solver, "steps": self.steps, "tolerance": self.tolerance}
        settings = [f"{name}={value}" for name, value in shorthands.items() if value is not None]
        if self.sampler:
            sampler = parse_component(" ".join([self.sampler, *settings]), AnySampler, "sampler")
        else:
            sampler = override(default, settings, f"sampler '{type(default).__name__}'")
        if self.tolerance is not None and isinstance(sampler, ProbabilityFlow) and sampler.solver in FIXED:
            raise BadInputError(
                f"{sampler.solver} takes a fixed number of steps: set steps, or take rk23, rk45 or dop853"
            )
        return sampler


SamplerChoice = Annotated[SamplerOptions, arg(name="")]
"""Its options among the command's own, without a prefix."""

UNCHOSEN = SamplerOptions()
"""The command's default sampler."""


def chosen_conditioning(text: str | None) -> Conditioning | None:
    """The conditioning named on the command line, if any.

    Raises:
        BadInputError: If the conditioning, one of its settings or a value is not known.
    """
    return parse_component(text, AnyConditioning, "conditioning") if text else None


def output_paths(out: Path, stem: str, count: int, first: int = 1) -> list[Path]:
    """Where `count` pictures go: OUT itself if it is named as one picture, OUT-1 ... if there are more, else in OUT/.

    Numbers begin at `first`.

    Raises:
        BadInputError: If OUT cannot be made or written to.
    """
    single = out.suffix.lower() in PICTURE_SUFFIXES
    folder, stem, suffix = (out.parent, out.stem, out.suffix) if single else (out, stem, ".png")
    make_folder(folder, "-o")
    if single and count == 1:
        return [out]
    numbers = range(first, first + count)
    width = len(str(numbers[-1])) if count > 0 else 1
    return [folder / f"{stem}-{k:0{width}d}{suffix}" for k in numbers]


def opened_photo(image: Path, out: Path) -> Photo:
    """The photo that is to be edited, if what becomes of it can be saved in OUT.

    Raises:
        BadInputError: If it cannot be read, or OUT is a picture of a format that cannot hold its transparency or size.
    """
    photo = decode_photo(image)
    if out.suffix.lower() in PICTURE_SUFFIXES:
        check_format(photo, out)
    return photo


def save_photos(images: list[Image.Image], paths: list[Path]) -> None:
    """Writes edited photos, each whole or not at all, and says where they lie."""
    for image, path in zip(images, paths, strict=True):
        write_atomically(path, encode_photo(image, path))
        print(path)


def save_tensors(images: torch.Tensor, paths: list[Path]) -> None:
    """Writes generated pictures, float (B, C, H, W) in [-1, 1]."""
    pixels = to_uint8(images.cpu()).expand(-1, 3, -1, -1).permute(0, 2, 3, 1).numpy()
    for picture, path in zip(pixels, paths, strict=True):
        write_atomically(path, encode_photo(Photo(picture.copy(), None), path, source_type=GENERATED))
        print(path)
