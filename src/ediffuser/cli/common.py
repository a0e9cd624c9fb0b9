"""What several commands share."""

from pathlib import Path

import torch
from PIL import Image

from ediffuser.cli.options import override, parse_component
from ediffuser.editing import Photo, encode_photo
from ediffuser.runtime.errors import BadInputError
from ediffuser.runtime.files import write_atomically
from ediffuser.runtime.pixels import to_uint8
from ediffuser.samplers import AnySampler, Sampler

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


def chosen_sampler(text: str | None, steps: int | None, default: Sampler) -> Sampler:
    """The sampler named on the command line, or the default, with its number of steps replaced if given."""
    sampler = parse_component(text, AnySampler, "sampler") if text else default
    return sampler if steps is None else override(sampler, [f"steps={steps}"], f"sampler '{type(sampler).__name__}'")


def output_paths(out: Path, stem: str, count: int) -> list[Path]:
    """Where `count` pictures go: OUT itself if it is named as one picture, OUT-1 ... if there are more, else in OUT/.

    Raises:
        BadInputError: If OUT cannot be made or written to.
    """
    single = out.suffix.lower() in PICTURE_SUFFIXES
    folder, stem, suffix = (out.parent, out.stem, out.suffix) if single else (out, stem, ".png")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInputError(f"cannot make the folder {folder}: {error.strerror}; choose another -o") from error
    if single and count == 1:
        return [out]
    width = len(str(count))
    return [folder / f"{stem}-{k:0{width}d}{suffix}" for k in range(1, count + 1)]


def save_photos(images: list[Image.Image], paths: list[Path]) -> None:
    """Writes edited photos, each whole or not at all, and says where they lie."""
    for image, path in zip(images, paths, strict=True):
        write_atomically(path, encode_photo(image, path))
        print(path)


def save_tensors(images: torch.Tensor, paths: list[Path]) -> None:
    """Writes generated pictures, float (B, C, H, W) in [-1, 1]."""
    pixels = to_uint8(images.cpu()).expand(-1, 3, -1, -1).permute(0, 2, 3, 1).numpy()
    for picture, path in zip(pixels, paths, strict=True):
        write_atomically(path, encode_photo(Photo(picture.copy(), None), path))
        print(path)
