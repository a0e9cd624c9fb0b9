"""On Gaussian pictures, whose best network is linear algebra, every likelihood has a closed form."""

import math

import pytest
import torch
from torch import nn

from ediffuser.conditioning.concat import bound
from ediffuser.diffusion.schedules import LinearBetas, VariancePreserving, alpha_sigma
from ediffuser.evaluation.likelihoods import COUNTED, FreeDenoiser, bits_per_dim, natural_way
from ediffuser.likelihood import ExactTrace, Hutchinson, dequantised
from ediffuser.model import Model, ModelConfig
from ediffuser.networks import UNetConfig
from ediffuser.runtime.errors import BadInputError
from ediffuser.runtime.noise import Noise
from ediffuser.runtime.pixels import from_uint8, to_uint8
from ediffuser.tasks import Colorization, Inpainting, Unconditional
from ediffuser.tasks.colorization import LUMA_WEIGHTS, luma

SIDE = 4
SIZE = 3 * SIDE**2
ROWS = 3
KEYS = [(7, index) for index in range(ROWS)]
TASKS = (Unconditional(), Inpainting(), Colorization())
every_task = pytest.mark.parametrize("task", TASKS, ids=lambda task: task.kind)


def gaussian():
    """Mean and covariance of correlated pictures, standard deviations of about 0.2."""
    generator = torch.Generator().manual_seed(0)
    factor = torch.randn(SIZE, SIZE, dtype=torch.float64, generator=generator) / SIZE**0.5
    mean = 0.2 * torch.randn(SIZE, dtype=torch.float64, generator=generator)
    return mean, 0.02 * factor @ factor.T + 0.02 * torch.eye(SIZE, dtype=torch.float64)


MEAN, COVARIANCE = gaussian()
LUMA = torch.kron(torch.tensor(LUMA_WEIGHTS, dtype=torch.float64), torch.eye(SIDE**2, dtype=torch.float64))


class BestNetwork(nn.Module):
    """E[x_0 | all that the network is shown]: noisy numbers, and those that it is given without noise."""

    def __init__(self, task, schedule):
        super().__init__()
        self.task, self.schedule = task, schedule

    def forward(self, shown, times):
        steps = getattr(self.schedule, "steps", None)
        t = times.double() / 999 if steps is None else (times.double() + 1) / steps
        alpha, sigma = (value.reshape(-1, 1) for value in alpha_sigma(self.schedule, t, like=shown.double()))
        x_t, condition = shown.double()[:, :3].flatten(1), shown.double()[:, 3:]
        scale, variance = alpha.expand_as(x_t), (sigma**2).expand_as(x_t)
        if isinstance(self.task, Inpainting):  # outside the hole x_t is x_0
            hole = condition[:, 3:].expand(-1, 3, -1, -1).flatten(1) > 0
            scale, variance = scale.where(hole, 1.0), variance.where(hole, 0.0)
        looks, seen = torch.diag_embed(scale), x_t
        if isinstance(self.task, Colorization):
            looks = torch.cat([looks, LUMA.expand(len(x_t), -1, -1)], dim=1)
            seen = torch.cat([x_t, condition[:, 0].flatten(1)], dim=1)
            variance = torch.cat([variance, torch.zeros(len(x_t), SIDE**2)], dim=1)
        cross = COVARIANCE @ looks.mT
        residual = (seen - looks @ MEAN)[:, :, None]
        gain = torch.linalg.solve(looks @ cross + torch.diag_embed(variance), residual)
        return (MEAN + (cross @ gain)[:, :, 0]).reshape(-1, 3, SIDE, SIDE).float()


def best_model(task, schedule):
    network = UNetConfig(
        resolution=SIDE, in_channels=3 + task.condition_channels, widths=(8,), blocks=(1,), attention=(), norm_groups=4
    )
    inputs = "index" if hasattr(schedule, "steps") else "continuous"
    config = ModelConfig(network=network, schedule=schedule, task=task, parametrisation="x0", time_input=inputs)
    return Model(config, BestNetwork(task, schedule), torch.device("cpu"), torch.bfloat16)


def drawn_levels(rows):
    noise = torch.randn(rows, SIZE, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return to_uint8(MEAN + noise @ torch.linalg.cholesky(COVARIANCE).T).reshape(rows, 3, SIDE, SIDE)


def holes_of(rows):
    holes = torch.zeros(rows, 1, SIDE, SIDE)
    holes[:, :, 1:3, :2] = 1
    holes[0, :, :, 0] = 1
    return holes


def log_density(x, rows=None):
    """log N of pictures, or of what the matrix `rows` takes from them; nats, shape (B,)."""
    rows = torch.eye(SIZE, dtype=torch.float64) if rows is None else rows
    normal = torch.distributions.MultivariateNormal(rows @ MEAN, rows @ COVARIANCE @ rows.T)
    return normal.log_prob(x.double().flatten(1) @ rows.T)


def in_hole_log_density(x, holes):
    """log p(the hole | the rest), row by row."""
    outside = [torch.eye(SIZE, dtype=torch.float64)[hole.expand(3, -1, -1).flatten() == 0] for hole in holes]
    return torch.stack([log_density(x[k, None]) - log_density(x[k, None], rows) for k, rows in enumerate(outside)])[
        :, 0
    ]


# ------------------------------------------------------------------------------------------------ The flow


def test_traps_15_and_18_the_flow_of_a_gaussian_model_has_its_closed_form():
    """Traps 15 and 18, through the whole model: 7 bits for the bins, all numbers of the picture counted."""
    levels = drawn_levels(ROWS)
    x = dequantised(levels, Noise(KEYS))
    model = best_model(Unconditional(), VariancePreserving())
    found = bits_per_dim(model, levels, KEYS, trace=ExactTrace(), tolerance=1e-4)
    exact = 7 - log_density(x) / (SIZE * math.log(2))
    assert (found.way, found.counted) == ("ode", "every number of a picture")
    assert (found.value - exact).abs().max() < 2e-3
    assert found.dimensions.tolist() == [SIZE] * ROWS


def test_the_flow_of_an_inpainting_model_counts_the_hole_given_the_rest():
    levels, holes = drawn_levels(ROWS), holes_of(ROWS)
    x = torch.where(holes > 0, dequantised(levels, Noise(KEYS)), from_uint8(levels))
    model = best_model(Inpainting(), VariancePreserving())
    found = bits_per_dim(model, levels, KEYS, holes, trace=ExactTrace(), tolerance=1e-4)
    numbers = 3 * holes.flatten(1).sum(1)
    exact = 7 - in_hole_log_density(x, holes) / (numbers * math.log(2))
    assert (found.value - exact).abs().max() < 5e-3
    assert found.dimensions.tolist() == numbers.tolist()


def test_the_flow_of_a_colorizer_obeys_the_chain_rule():
    """-log p(chroma | luma) = -log p(picture) + log p(luma), over 2 of 3 numbers of a pixel."""
    levels = drawn_levels(ROWS)
    x = dequantised(levels, Noise(KEYS))
    model = best_model(Colorization(), VariancePreserving())
    found = bits_per_dim(model, levels, KEYS, trace=ExactTrace(), tolerance=1e-4)
    along_luma = LUMA / LUMA.norm(dim=1, keepdim=True)  # a coordinate of unit scale, as the other two are
    exact = 7 - (log_density(x) - log_density(x, along_luma)) / (2 * SIDE**2 * math.log(2))
    assert (found.value - exact).abs().max() < 5e-3
    assert found.dimensions.tolist() == [2 * SIDE**2] * ROWS


def test_hutchinsons_probes_see_the_free_numbers_alone():
    """One probe of a conditional model estimates what the exact trace finds, without a bias from what is known."""
    levels = drawn_levels(1).expand(ROWS, -1, -1, -1)
    holes = holes_of(2)[1:].expand(ROWS, -1, -1, -1)
    model = best_model(Inpainting(), VariancePreserving())
    same = [KEYS[0]] * ROWS
    exact = bits_per_dim(model, levels, same, holes, trace=ExactTrace(), tolerance=1e-3).value
    guess = bits_per_dim(model, levels, same, holes, trace=Hutchinson(probes=64), tolerance=1e-3).value
    assert (exact - guess).abs().max() < 0.05


def test_trap_28_a_colorizer_is_shown_the_luma_at_the_noise_level_of_its_state():
    """Trap 28; a perfect network would not notice, a trained one would."""
    schedule, t, shown = VariancePreserving(), torch.tensor(0.4), []

    class Watched(BestNetwork):
        def forward(self, pictures, times):
            shown.append(pictures[:, :3])
            return super().forward(pictures, times)

    x0, eps, x = torch.randn(3, 2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(2)).unbind()
    task = Colorization()
    observation = task.observe(x0, Noise(KEYS[:2]))
    denoiser = best_model(task, schedule).config.denoiser(Watched(task, schedule))
    believed = FreeDenoiser(bound(denoiser, observation), observation, eps)(x, t)
    alpha, sigma = alpha_sigma(schedule, t, like=x)
    assert torch.allclose(luma(shown[0]), alpha * luma(x0) + sigma * luma(eps), atol=1e-5)
    assert torch.allclose(shown[0] - observation.project(shown[0]), x - observation.project(x), atol=1e-5)
    assert luma(believed.x0).abs().max() < 1e-5


# ------------------------------------------------------------------------------------------------ The bound


def test_the_bound_of_an_inpainting_model_lies_just_above_the_likelihood_of_the_hole():
    rows = 16
    levels, holes = drawn_levels(rows), holes_of(rows)
    model = best_model(Inpainting(), LinearBetas())
    found = bits_per_dim(model, levels, [(3, k) for k in range(rows)], holes, steps=300, variance="fixed_large")
    # A level's probability is its density times the width of its bin, for deviations of 20 levels or more.
    numbers = 3 * holes.flatten(1).sum(1)
    exact = math.log2(127.5) - in_hole_log_density(from_uint8(levels), holes) / (numbers * math.log(2))
    gap = found.value - exact
    error = gap.std() / rows**0.5
    assert (found.way, found.counted) == ("vlb", "the numbers in the hole, given the pixels outside it")
    assert error < 0.15
    assert -2 * error < gap.mean() < 0.06 + 2 * error


def test_what_is_known_costs_the_bound_nothing_but_the_decoder():
    """Given the luma the bound on the same numbers falls; all three of each pixel are counted still."""
    rows = 8
    levels, keys = drawn_levels(rows), [(3, k) for k in range(rows)]
    arguments = {"steps": 50, "variance": "fixed_small"}
    alone = bits_per_dim(best_model(Unconditional(), LinearBetas()), levels, keys, **arguments)
    given = bits_per_dim(best_model(Colorization(), LinearBetas()), levels, keys, **arguments)
    assert (given.value < alone.value - 0.2).all()
    assert given.dimensions.tolist() == alone.dimensions.tolist() == [SIZE] * rows
    assert given.counted == "all three numbers of each pixel, given its luma"


# ------------------------------------------------------------------------------------------------ Contract


@pytest.mark.parametrize("schedule", [LinearBetas(steps=20), VariancePreserving()], ids=lambda schedule: schedule.kind)
@every_task
def test_a_picture_does_not_depend_on_its_batch(task, schedule):
    model, levels = best_model(task, schedule), drawn_levels(ROWS)
    holes = holes_of(ROWS) if isinstance(task, Inpainting) else None
    together = bits_per_dim(model, levels, KEYS, holes, tolerance=1e-3)
    with torch.no_grad():  # as evaluation calls it: the flow's gradients are its own affair
        alone = bits_per_dim(model, levels[1:2], KEYS[1:2], None if holes is None else holes[1:2], tolerance=1e-3)
    assert together.way == natural_way(model)
    assert together.value[1] == pytest.approx(alone.value[0].item(), abs=1e-4)
    assert together.calls[1] == alone.calls[0]
    assert together.counted == COUNTED[task.kind, together.way]


@pytest.mark.parametrize(
    ("task", "holes", "said"),
    [
        (Inpainting(), None, "give `holes`"),
        (Unconditional(), holes_of(ROWS), "leave holes out"),
        (Inpainting(), torch.zeros(ROWS, 1, SIDE, SIDE), "no empty hole"),
        (Inpainting(), holes_of(ROWS) / 2, "0 or 1"),
    ],
)
def test_holes_that_do_not_fit_the_model_are_refused(task, holes, said):
    with pytest.raises(BadInputError, match=said):
        bits_per_dim(best_model(task, VariancePreserving()), drawn_levels(ROWS), KEYS, holes)


def test_levels_of_another_size_and_pictures_that_are_not_levels_are_refused():
    model = best_model(Unconditional(), VariancePreserving())
    with pytest.raises(BadInputError, match="model's shape"):
        bits_per_dim(model, torch.zeros(ROWS, 3, 8, 8, dtype=torch.uint8), KEYS)
    with pytest.raises(BadInputError, match="whole numbers"):
        bits_per_dim(model, torch.zeros(ROWS, 3, SIDE, SIDE), KEYS)
