import math

import pytest
import torch
from pydantic import ValidationError

from ediffuser.tasks.sharpening import Sharpening


def wave(frequency: float, side: int = 64) -> torch.Tensor:
    """A cosine across, `frequency` waves per pixel, whole multiples of half a wave, so reflection continues it."""
    return torch.cos(2 * math.pi * frequency * torch.arange(side).double()).expand(1, 3, side, side)


def transfer(frequency: float, sigma_px: float) -> float:
    """The Fourier transform of a Gaussian sampled at pixels: that of the Gaussian, repeated (Poisson's formula)."""
    return sum(math.exp(-((2 * math.pi * (frequency + k) * sigma_px) ** 2) / 2) for k in range(-3, 4))


@pytest.mark.parametrize("sigma_px", [0.7, 1.0, 2.0])
@pytest.mark.parametrize("waves", [1 / 63, 4 / 63, 15.5 / 63, 31 / 63])
def test_a_wave_grows_by_what_a_gaussian_takes_from_it(waves, sigma_px):
    found = Sharpening(amount=0.9, sigma_px=sigma_px)(wave(waves))
    gain = 1 + 0.9 * (1 - transfer(waves, sigma_px) / transfer(0, sigma_px))
    torch.testing.assert_close(found, gain * wave(waves), rtol=0, atol=1e-3)


@pytest.mark.parametrize("size", [(1, 1), (2, 5), (16, 16)])
def test_flat_pictures_stay_as_they_are_however_small(size):
    plain = torch.full((2, 3, *size), 0.3)
    torch.testing.assert_close(Sharpening(amount=2.0, sigma_px=3.0)(plain), plain)


def test_the_mean_of_what_repeats_stays_and_a_row_depends_on_itself_alone():
    x = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    sharp = Sharpening()(x)
    assert torch.equal(Sharpening()(x[2:3]), sharp[2:3])
    assert sharp.std() > 1.3 * x.std()
    assert sharp.mean().item() == pytest.approx(x.mean().item(), abs=2e-3)


def test_a_hole_is_sharpened_from_its_border_inwards():
    x = torch.rand(2, 3, 24, 24, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    hole = torch.zeros(2, 1, 24, 24, dtype=torch.float64)
    hole[:, :, 6:20, 10:] = 1  # open to the right, where the picture ends
    by = Sharpening()
    change, whole = by.within(x, hole) - x, by(x) - x
    share = torch.zeros_like(hole)
    share[:, :, 8:18, 12:] = 0.5
    share[:, :, 9:17, 13:] = 1
    torch.testing.assert_close(change, share * whole)
    torch.testing.assert_close(by.within(x, torch.ones_like(hole)), by(x))


@pytest.mark.parametrize("change", [{"amount": 0.0}, {"amount": -1.0}, {"sigma_px": 0.0}, {"sigma_px": 9.0}])
def test_amounts_without_sense_are_refused(change):
    with pytest.raises(ValidationError):
        Sharpening(**change)
