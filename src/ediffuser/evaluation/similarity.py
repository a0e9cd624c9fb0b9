"""How much two pictures are alike: PSNR and SSIM of pixels, and perceptual distances of features.

All take 8-bit pictures, as a user gets them. Over a hole, PSNR is that of its pixels; SSIM is the mean of the map of
similarities at its pixels, whose windows of 11 x 11 reach a little beyond it.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from ediffuser.evaluation.lpips import Lpips
from ediffuser.evaluation.perceptual import StLpips
from ediffuser.runtime.errors import BadInputError, unknown_name
from ediffuser.runtime.pixels import from_uint8

PSNR_CAP_DB = 100.0
"""Stands for no difference at all; one grey level in 100,000 values stays below it."""

WINDOW_PX = 11
SSIM_C = ((0.01 * 255) ** 2, (0.03 * 255) ** 2)
"""What keeps luminance and contrast finite where a picture is black or flat."""


def psnr_db(results: Tensor, originals: Tensor, holes: Tensor | None = None) -> Tensor:
    """Peak signal-to-noise ratio in decibels, at most `PSNR_CAP_DB`.

    Args:
        results: uint8, shape (B, C, H, W).
        originals: uint8, the same shape.
        holes: 1 where pixels count, shape (B, 1, H, W); None for all of them.

    Returns:
        float64 on the CPU, shape (B,).

    Raises:
        BadInputError: If the pictures are not 8-bit or differ in shape, or a hole is empty.
    """
    _check(results, originals, holes)
    squares = (results.cpu().double() - originals.cpu().double()).square()
    return (10 * torch.log10(255**2 / _mean(squares, holes))).clamp(max=PSNR_CAP_DB)


def ssim(results: Tensor, originals: Tensor, holes: Tensor | None = None) -> Tensor:
    """Structural similarity (Wang et al. 2004): Gaussian windows of deviation 1.5, 1 for equal pictures.

    In float64, for its variances are differences of squares. Borders are mirrored, so every pixel has a value;
    implementations that leave out a margin differ in the third digit.

    Args:
        results: uint8, shape (B, C, H, W), sides of 6 pixels or more.
        originals: uint8, the same shape.
        holes: 1 where pixels count, shape (B, 1, H, W); None for all of them.

    Returns:
        float64 on the CPU, shape (B,), at most 1.

    Raises:
        BadInputError: As of `psnr_db`; or if the pictures are smaller than a window.
    """
    _check(results, originals, holes)
    if min(results.shape[2:]) <= WINDOW_PX // 2:
        raise BadInputError(f"SSIM needs pictures of 6 x 6 pixels or more, got {tuple(results.shape)}")
    down, across = (_windows(size) for size in results.shape[2:])
    x, y = results.cpu().double(), originals.cpu().double()
    # A product with a matrix of windows for each axis: twenty times as fast as a convolution in float64.
    mean_x, mean_y, xx, yy, xy = (down @ z @ across.T for z in (x, y, x * x, y * y, x * y))
    means, variances = mean_x.square() + mean_y.square(), (xx - mean_x.square()) + (yy - mean_y.square())
    product = mean_x * mean_y
    luminance = (2 * product + SSIM_C[0]) / (means + SSIM_C[0])
    return _mean(luminance * (2 * (xy - product) + SSIM_C[1]) / (variances + SSIM_C[1]), holes)


def _windows(size: int) -> Tensor:
    """The Gaussian window around each of `size` places, mirrored at the ends; float64, shape (size, size)."""
    offsets = torch.arange(WINDOW_PX) - WINDOW_PX // 2
    weights = torch.exp(-0.5 * (offsets.double() / 1.5).square())
    places = (torch.arange(size)[:, None] + offsets).abs()
    places = torch.where(places < size, places, 2 * (size - 1) - places)
    return torch.zeros(size, size).double().scatter_add_(1, places, (weights / weights.sum()).expand(size, -1))


def _mean(values: Tensor, holes: Tensor | None) -> Tensor:
    """The mean of each picture over channels and pixels, or over the pixels of its hole."""
    pixels = values.mean(dim=1, keepdim=True)
    if holes is None:
        return pixels.mean(dim=(1, 2, 3))
    inside = (holes.cpu() > 0).double()
    return (pixels * inside).sum(dim=(1, 2, 3)) / inside.sum(dim=(1, 2, 3))


def _check(results: Tensor, originals: Tensor, holes: Tensor | None) -> None:
    if results.dtype != torch.uint8 or originals.dtype != torch.uint8 or results.shape != originals.shape:
        raise BadInputError(
            "pictures are compared as 8-bit ones of one shape (B, C, H, W): round them first; got "
            f"{results.dtype} {tuple(results.shape)} and {originals.dtype} {tuple(originals.shape)}"
        )
    if holes is not None and not (holes > 0).flatten(1).any(dim=1).all():
        raise BadInputError("a picture without a hole has no figure over the hole; leave it out")


@runtime_checkable
class Distance(Protocol):
    """A perceptual distance of 8-bit RGB pictures.

    Attributes:
        figure_name: "LPIPS" with LPIPS' own weights, "ST-LPIPS" with those of the shift-tolerant one.
        name: What to print next to a figure.
        sha256: Of the weights.
    """

    figure_name: str
    name: str
    sha256: str

    def features(self, pictures: Tensor) -> list[Tensor]:
        """What is compared, of uint8 pictures (B, 3, H, W): several distances from one cost its network once."""
        ...

    def between(self, features: list[Tensor], others: list[Tensor]) -> Tensor:
        """The distances of two batches of `features`, float32, shape (B,)."""
        ...

    def __call__(self, pictures: Tensor, others: Tensor) -> Tensor:
        """The distances of two batches of uint8 pictures, float32, shape (B,), at least 0."""
        ...


class PixelDistance:
    """A perceptual network that takes numbers in [-1, 1], as a `Distance` of 8-bit pictures."""

    def __init__(self, figure_name: str, network: StLpips | Lpips, device: torch.device | str) -> None:
        self.figure_name, self.name, self.sha256 = figure_name, network.name, network.sha256
        self._network, self._device = network.to(device), torch.device(device)

    @torch.no_grad()
    def features(self, pictures: Tensor) -> list[Tensor]:
        """As of `Distance`.

        Raises:
            BadInputError: If the pictures are not 8-bit RGB, or too small for the network.
        """
        if pictures.dtype != torch.uint8:
            raise BadInputError(f"pictures are compared as 8-bit ones: round them first; got {pictures.dtype}")
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            return self._network.features(from_uint8(pictures.to(self._device)))

    @torch.no_grad()
    def between(self, features: list[Tensor], others: list[Tensor]) -> Tensor:
        """As of `Distance`."""
        return self._network.between(features, others)

    def __call__(self, pictures: Tensor, others: Tensor) -> Tensor:
        """As of `Distance`."""
        return self.between(self.features(pictures), self.features(others))


DISTANCES: Mapping[str, Callable[[Path | None], StLpips | Lpips]] = {
    "lpips-alex": lambda weights: Lpips("alex", weights),
    "lpips-vgg": lambda weights: Lpips("vgg", weights),
    "st-lpips-alex": lambda _: StLpips("alex"),
    "st-lpips-vgg": lambda _: StLpips("vgg"),
}
"""The perceptual distances by name; a path is that of LPIPS' trunk."""


def open_distance(name: str = "auto", device: torch.device | str = "cpu", weights: Path | None = None) -> Distance:
    """A perceptual distance by name.

    Args:
        name: One of `DISTANCES`; or "auto": LPIPS with AlexNet where its weights are given or downloaded already,
            otherwise ST-LPIPS with AlexNet.
        device: Where it computes.
        weights: The file of the trunk of LPIPS, where it lies elsewhere than PyTorch's downloads do.

    Raises:
        BadInputError: If the name is not known, its weights are not at hand, or `weights` go with another network.
    """
    if name == "auto":
        name = "lpips-alex" if weights is not None or Lpips.at_hand("alex") else "st-lpips-alex"
    if name not in DISTANCES:
        raise unknown_name("distance", name, ("auto", *DISTANCES))
    if weights is not None and not name.startswith("lpips"):
        raise BadInputError(f"the weights of '{name}' are fixed; leave out the path {weights}, or choose 'lpips-alex'")
    return PixelDistance("LPIPS" if name.startswith("lpips") else "ST-LPIPS", DISTANCES[name](weights), device)
