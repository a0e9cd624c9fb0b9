"""`ediffuser inpaint IMAGE MASK -o OUT`."""

from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from ediffuser.cli.common import UNCHOSEN, SamplerChoice, chosen_conditioning, opened_photo, output_paths, save_photos
from ediffuser.editing import Photo, inpaint_photo
from ediffuser.editing.choice import inpainters, suited
from ediffuser.editing.compose import grow as grow_hole
from ediffuser.editing.mask import decode_mask
from ediffuser.generate import DEFAULT_SAMPLER, load
from ediffuser.runtime.device import PrecisionName
from ediffuser.zoo import AUTO


def inpaint(
    image: Positional[Path],
    mask: Positional[Path],
    out: Annotated[Path, arg(aliases=["-o"])],
    model: str = AUTO,
    variations: int = 1,
    seed: int = 0,
    way: SamplerChoice = UNCHOSEN,
    conditioning: str | None = None,
    invert_mask: bool = False,
    grow: int = 0,
    feather: int = 0,
    context: float | None = None,
    detail: bool = True,
    device: str = "auto",
    precision: PrecisionName = "auto",
) -> None:
    """Paints the white part of a mask anew; every other pixel keeps its value.

    Example: ediffuser inpaint face.jpg mask.png -o out/ --variations 4

    Args:
        image: The photo: JPEG, PNG or WebP of any size.
        mask: White where to paint; the size of the upright photo.
        out: A folder, or the name of a .png, .jpg or .webp file.
        model: A shipped model (`ediffuser models list`), or a checkpoint or run directory; auto takes the shipped one
            of faces if the hole touches a face, otherwise the one of anything.
        variations: How many different results to make.
        seed: Other seeds give other results.
        way: From noise to the picture.
        conditioning: How a model that was not trained for this is made to respect what is known, such as repaint,
            "repaint jump_length=5" or null-space: an approximation.
        invert_mask: Paint the black part instead.
        grow: By how many pixels to make the hole larger all around; negative to shrink it.
        feather: Width in pixels of a soft edge inside the hole.
        context: Side of the square the model sees, over the hole's longer side. Without it 2.2, or the square around
            the face that the hole touches if the model was trained on aligned faces.
        detail: Whether the photo lends the hole grain and texture where it has what looks alike; without it the fill
            is the model's alone.
        device: auto, cpu, cuda ...
        precision: auto, float32 or bf16.
    """
    sampler, respect = way.chosen(DEFAULT_SAMPLER), chosen_conditioning(conditioning)
    photo = opened_photo(image, out)
    name = _suited(photo, mask, invert_mask, grow) if model == AUTO else model
    loaded = load(name, device=device, precision=precision)
    paths = output_paths(out, image.stem, variations)
    results = inpaint_photo(
        loaded,
        photo.to_image(),
        mask,
        variations=variations,
        seed=seed,
        sampler=sampler,
        conditioning=respect,
        invert_mask=invert_mask,
        grow=grow,
        feather=feather,
        context=context,
        detail=detail,
    )
    save_photos(results, paths)


def _suited(photo: Photo, mask: Path, invert_mask: bool, grow: int) -> str:
    """The shipped model that suits the photo and its hole."""
    models = inpainters()
    if len(models) == 1:
        return next(iter(models))
    return suited(models, photo.pixels, grow_hole(decode_mask(mask, photo.size, invert_mask), grow))
