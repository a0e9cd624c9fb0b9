"""Holes to train on and to evaluate with: (B, 1, H, W), 1 where the picture is to be painted.

Each row is drawn from its own stream, so a hole depends on (seed, index) alone. Lengths are fractions of the shorter
side, areas fractions of the picture.
"""

import math
from collections.abc import Callable
from typing import Annotated, Literal, Protocol, Self, Union

import numpy as np
import torch
from PIL import Image, ImageDraw
from pydantic import Field, model_validator
from torch import Tensor

from ediffuser.runtime.component import component
from ediffuser.runtime.noise import Noise

Size = tuple[int, int]
Hole = np.ndarray
_Draw = Callable[[np.random.Generator, Size], Hole]


class Holes(Protocol):
    """A way to draw holes."""

    def draw(self, noise: Noise, size: Size) -> Tensor:
        """One hole per row of `noise`, for pictures of size (H, W); float32, shape (B, 1, H, W)."""
        ...


@component
class Brush:
    """Free-form strokes of a round brush, as a hand would paint them."""

    kind: Literal["brush"] = "brush"
    area_min: float = Field(default=0.15, gt=0, lt=1)
    area_max: float = Field(default=0.5, gt=0, lt=1)
    radius_min: float = Field(default=0.03, gt=0)
    radius_max: float = Field(default=0.1, gt=0)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        _check_areas(self.area_min, self.area_max)
        return self

    def draw(self, noise: Noise, size: Size) -> Tensor:
        """One hole per row, shape (B, 1, H, W)."""
        return _rows(noise, size, self._one)

    def _one(self, rng: np.random.Generator, size: Size) -> Hole:
        goal = rng.uniform(self.area_min, self.area_max)
        hole, thinner = np.zeros(size, bool), 1.0
        while hole.mean() < self.area_min or (hole.mean() < goal and rng.random() < 0.9):
            stroked = hole | _stroke(rng, size, thinner * rng.uniform(self.radius_min, self.radius_max))
            if stroked.mean() <= self.area_max:
                hole = stroked
            else:
                thinner *= 0.95  # a brush too thick for the area would never end
        return hole


@component
class Rectangle:
    """One rectangle of any proportion, anywhere."""

    kind: Literal["rectangle"] = "rectangle"
    area_min: float = Field(default=0.15, gt=0, lt=1)
    area_max: float = Field(default=0.5, gt=0, lt=1)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        _check_areas(self.area_min, self.area_max)
        return self

    def draw(self, noise: Noise, size: Size) -> Tensor:
        """One hole per row, shape (B, 1, H, W)."""
        return _rows(noise, size, self._one)

    def _one(self, rng: np.random.Generator, size: Size) -> Hole:
        area = rng.uniform(self.area_min, self.area_max) * size[0] * size[1]
        # Neither side under a quarter of the picture's, so that proportions stay below about 3 to 1.
        fraction = math.exp(rng.uniform(math.log(max(0.25, area / (size[0] * size[1]))), 0.0))
        width = max(1, round(fraction * size[1]))
        # Rounding must not leave the range of areas.
        low, high = (bound * size[0] * size[1] / width for bound in (self.area_min, self.area_max))
        height = int(np.clip(round(area / width), math.ceil(low), min(math.floor(high), size[0])))
        top, left = rng.integers(size[0] - height + 1), rng.integers(size[1] - width + 1)
        hole = np.zeros(size, bool)
        hole[top : top + height, left : left + width] = True
        return hole


@component
class Mixed:
    """Brush strokes, rectangles and strips along a side: the holes to train on, 15 to 50 % of the picture.

    Attributes:
        thin: How often it is thin strokes instead, of a few percent of the picture.
        small: How often it is one ellipse instead, of 1 to 15 % of the picture.
        half: How often it is half of the picture instead.
    """

    kind: Literal["mixed"] = "mixed"
    thin: float = Field(default=0.0, ge=0, le=1)
    small: float = Field(default=0.0, ge=0, le=1)
    half: float = Field(default=0.0, ge=0, le=1)

    @model_validator(mode="after")
    def _shares(self) -> Self:
        if self.thin + self.small + self.half > 1 + 1e-9:
            raise ValueError(f"thin {self.thin}, small {self.small} and half {self.half} must not exceed 1 together")
        return self

    def draw(self, noise: Noise, size: Size) -> Tensor:
        """One hole per row, shape (B, 1, H, W)."""
        return _rows(noise, size, self._one)

    def _one(self, rng: np.random.Generator, size: Size) -> Hole:
        instead = self.thin + self.small + self.half
        choice = rng.random() if instead else 1.0
        if choice < self.thin:
            return ThinStrokes()._one(rng, size)
        if choice < self.thin + self.small:
            return _ellipse(rng, size, math.exp(rng.uniform(math.log(0.01), math.log(0.15))))
        if choice < instead:
            return _strip(int(rng.integers(4)), 0.5, size)
        choice = rng.random()
        if choice < 0.5:
            return Brush()._one(rng, size)
        if choice < 0.85:
            return Rectangle()._one(rng, size)
        return _strip(int(rng.integers(4)), rng.uniform(0.2, 0.5), size)


@component
class CentreBox:
    """A box in the centre whose sides are half the picture's: a quarter of its area."""

    kind: Literal["box"] = "box"
    side: float = Field(default=0.5, gt=0, le=1)

    def draw(self, noise: Noise, size: Size) -> Tensor:
        """The same hole for each row, shape (B, 1, H, W)."""
        return _rows(noise, size, self._one)

    def _one(self, rng: np.random.Generator, size: Size) -> Hole:
        # At least one pixel is left, two where the centre lies between them.
        margins = [min(round(length * (1 - self.side) / 2), (length - 1) // 2) for length in size]
        hole = np.zeros(size, bool)
        hole[margins[0] : size[0] - margins[0], margins[1] : size[1] - margins[1]] = True
        return hole


@component
class Half:
    """The left, right, upper or lower half of the picture."""

    kind: Literal["half"] = "half"

    def draw(self, noise: Noise, size: Size) -> Tensor:
        """One hole per row, shape (B, 1, H, W)."""
        return _rows(noise, size, lambda rng, size: _strip(int(rng.integers(4)), 0.5, size))


@component
class ThinStrokes:
    """Thin strokes, as scratches and wires are."""

    kind: Literal["thin"] = "thin"
    strokes: int = Field(default=4, ge=1)
    radius: float = Field(default=0.012, gt=0)

    def draw(self, noise: Noise, size: Size) -> Tensor:
        """One hole per row, shape (B, 1, H, W)."""
        return _rows(noise, size, self._one)

    def _one(self, rng: np.random.Generator, size: Size) -> Hole:
        return np.logical_or.reduce([_stroke(rng, size, self.radius) for _ in range(self.strokes)])


@component
class Scattered:
    """Small squares scattered over the picture."""

    kind: Literal["scattered"] = "scattered"
    area: float = Field(default=0.3, gt=0, lt=1)
    cell: float = Field(default=0.03, gt=0, le=0.5)

    def draw(self, noise: Noise, size: Size) -> Tensor:
        """One hole per row, shape (B, 1, H, W)."""
        return _rows(noise, size, self._one)

    def _one(self, rng: np.random.Generator, size: Size) -> Hole:
        cell = max(1, round(self.cell * min(size)))
        grid = rng.random((math.ceil(size[0] / cell), math.ceil(size[1] / cell))) < self.area
        grid.flat[rng.integers(grid.size)] = True  # never an empty hole
        return np.kron(grid, np.ones((cell, cell), bool))[: size[0], : size[1]].astype(bool)


AnyHoles = Annotated[
    Union[Brush, CentreBox, Half, Mixed, Rectangle, Scattered, ThinStrokes],  # noqa: UP007
    Field(discriminator="kind"),
]


def _check_areas(area_min: float, area_max: float) -> None:
    if area_min >= area_max:
        raise ValueError(f"area_min {area_min} must be less than area_max {area_max}")


def _rows(noise: Noise, size: Size, draw: _Draw) -> Tensor:
    holes = np.stack([draw(np.random.default_rng(seed), size) for seed in noise.seeds()])
    return torch.from_numpy(holes[:, None].astype(np.float32)).to(noise.device)


def _strip(side: int, depth: float, size: Size) -> Hole:
    """A strip of that depth along the left (0), right (1), upper (2) or lower (3) side."""
    hole = np.zeros(size, bool)
    rows, columns = round(depth * size[0]), round(depth * size[1])
    if side < 2:
        hole[:, slice(0, columns) if side == 0 else slice(size[1] - columns, None)] = True
    else:
        hole[slice(0, rows) if side == 2 else slice(size[0] - rows, None)] = True
    return hole


def _ellipse(rng: np.random.Generator, size: Size, area: float) -> Hole:
    """One ellipse of about that area, up to twice as long as wide, in any direction, its centre in the picture."""
    longer = math.sqrt(rng.uniform(1, 2))
    radius = math.sqrt(area * size[0] * size[1] / math.pi)
    angle, (y, x) = rng.uniform(0, math.pi), rng.uniform(0, 1, 2) * size
    down, right = np.mgrid[: size[0], : size[1]] + 0.5
    down, right = down - y, right - x
    along = (right * math.cos(angle) + down * math.sin(angle)) / longer
    across = (down * math.cos(angle) - right * math.sin(angle)) * longer
    return along**2 + across**2 <= max(radius, 1.0) ** 2  # never an empty hole


def _stroke(rng: np.random.Generator, size: Size, radius: float) -> Hole:
    """A wandering stroke with round ends."""
    side = min(size)
    radius_px = max(0.5, radius * side)
    point = rng.uniform(0, 1, 2) * (size[1], size[0])
    angle, points = rng.uniform(0, 2 * math.pi), [tuple(point)]
    for _ in range(rng.integers(3, 9)):
        angle += rng.uniform(-1.2, 1.2)
        length = rng.uniform(0.08, 0.25) * side
        point = np.clip(point + length * np.array([math.cos(angle), math.sin(angle)]), 0, (size[1] - 1, size[0] - 1))
        points.append(tuple(point))
    canvas = Image.new("L", (size[1], size[0]))
    pen = ImageDraw.Draw(canvas)
    pen.line(points, fill=1, width=max(1, round(2 * radius_px)), joint="curve")
    for x, y in points:
        pen.ellipse((x - radius_px, y - radius_px, x + radius_px, y + radius_px), fill=1)
    return np.asarray(canvas, bool)
