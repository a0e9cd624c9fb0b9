"""The term of the loss by which x_0 shall look right."""

import dataclasses

import pytest
import torch
from pydantic import ValidationError

from ediffuser.evaluation.efficientnet import PACKAGE
from ediffuser.training import train
from ediffuser.training.perceptual import Eye, PerceptualTerm

pytest.importorskip(PACKAGE.replace("-", "_"), reason="the weights of EfficientNet-Lite0 are not installed")


@pytest.fixture(scope="module")
def eye() -> Eye:
    return Eye()


def pictures(count: int, side: int = 32) -> torch.Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_equal_pictures_are_at_no_distance_and_others_at_one_of_their_own(eye):
    x = pictures(3)
    assert torch.equal(eye(x, x), torch.zeros(3))
    other = x.clone()
    other[1] += 0.1
    apart = eye(other, x)
    assert apart[1] > 0
    assert apart[0] == apart[2] == 0


def test_blur_costs_more_than_an_even_shift_of_the_same_squared_error(eye):
    """What it is for."""
    x = torch.nn.functional.interpolate(pictures(4, 16), scale_factor=4, mode="bicubic").clamp(-1, 1)
    blurred = torch.nn.functional.avg_pool2d(x, 5, stride=1, padding=2)
    error = (blurred - x).square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
    assert (eye(blurred, x) > eye(x + error, x)).all()


def test_a_floor_judges_guesses_at_high_noise_too(eye):
    x, guess = pictures(2), pictures(2).flip(0)
    seen = (*eye.both(guess, x), torch.tensor([0.9, 0.1]).reshape(2, 1, 1, 1), None)
    plain, floored = PerceptualTerm().part(*seen), PerceptualTerm(floor=0.25).part(*seen)
    assert torch.allclose(plain, torch.tensor([0.81, 0.01]) * eye(guess, x))
    assert torch.allclose(floored, torch.tensor([0.81, 0.25]) * eye(guess, x))


def test_the_gradient_reaches_the_guess_and_no_weight_of_the_eye(eye):
    guess = pictures(2).requires_grad_()
    eye(guess, pictures(2).flip(0)).sum().backward()
    assert guess.grad.abs().sum() > 0
    assert all(weights.grad is None for weights in eye.parameters())


def test_a_run_with_it_logs_it_adds_it_and_can_be_resumed(experiment, tmp_path):
    plain = experiment(images=24)
    term = dataclasses.replace(plain, perceptual=PerceptualTerm(weight=0.5))
    without = list(train(plain, tmp_path / "without"))
    steps = list(train(term, tmp_path / "with"))
    first = steps[0]
    assert first.parts["perceptual"] > 0
    assert first.parts["simple"] == pytest.approx(without[0].parts["simple"])
    assert first.loss == pytest.approx(first.parts["simple"] + 0.5 * first.parts["perceptual"], rel=1e-5)
    assert steps[-1].parts["simple"] != without[-1].parts["simple"]
    resumed = list(train(dataclasses.replace(term, images=32), tmp_path / "with", resume=True))
    assert resumed[-1].images_seen == 32


def test_it_looks_at_rgb_only(experiment):
    plain = experiment()
    with pytest.raises(ValidationError, match="looks at RGB pictures"):
        dataclasses.replace(plain, perceptual=PerceptualTerm(), data=dataclasses.replace(plain.data, channels=1))
