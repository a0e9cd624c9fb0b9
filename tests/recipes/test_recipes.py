"""Recipes are complete: they build, they fit their data, and they survive their JSON."""

import dataclasses

import pytest
import torch

from ediffuser.diffusion.denoiser import network_time
from ediffuser.diffusion.losses import Hybrid, Simple
from ediffuser.diffusion.schedules import CosineBetas, LinearBetas, VariancePreserving
from ediffuser.recipes import RECIPES
from ediffuser.runtime.component import from_json, to_json
from ediffuser.training import Experiment


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_named_documented_and_survives_its_json(name):
    experiment = RECIPES[name]()
    assert experiment.name == name
    assert f"ediffuser train {name} --data" in RECIPES[name].__doc__
    assert from_json(to_json(experiment, Experiment), Experiment) == experiment


@pytest.mark.parametrize(
    ("name", "channels", "batch", "rate", "dropout"),
    [
        ("ddpm32", 3, 128, 2e-4, 0.1),
        ("ddpm32-color", 6, 128, 2e-4, 0.1),
        ("ddpm256", 3, 64, 2e-5, 0.0),
        ("ddpm256-inpaint", 6, 64, 2e-5, 0.0),
    ],
)
def test_table_3_1_and_the_hyperparameters_of_ho_et_al(name, channels, batch, rate, dropout):
    experiment = RECIPES[name]()
    network, schedule = experiment.model.network, experiment.model.schedule
    assert (network.in_channels, network.out_channels) == (channels, 3)
    assert (network.attention, network.dropout, network.convolutional_resampling) == ((16,), dropout, False)
    assert (schedule.steps, schedule.beta_first, schedule.beta_last) == (1000, 1e-4, 0.02)
    assert (experiment.batch, experiment.optimizer.learning_rate, experiment.ema.decay) == (batch, rate, 0.9999)


@pytest.mark.parametrize(
    ("name", "side", "channels", "blocks", "parameters"),
    [
        ("vpsde32", 32, 3, 8, 104_570_627),
        ("vpsde32-color-trained", 32, 6, 8, 104_574_083),
        ("vpsde128-inpaint-trained", 128, 6, 2, 71_440_259),
        ("vpsde256", 256, 3, 2, 113_673_219),  # as many as the published DDPM of CelebA-HQ has
        ("vpsde256-inpaint-trained", 256, 6, 2, 113_676_675),
    ],
)
def test_table_3_1_of_continuous_time(name, side, channels, blocks, parameters):
    experiment = RECIPES[name]()
    network = experiment.model.network
    assert (network.resolution, network.in_channels, network.out_channels) == (side, channels, 3)
    assert set(network.blocks) == {blocks}
    assert (network.attention, network.convolutional_resampling) == ((16,), True)
    assert (experiment.model.schedule, experiment.model.time_input) == (VariancePreserving(), "continuous")
    assert experiment.times.times(torch.tensor([0.0, 0.5]), experiment.model.schedule).tolist() == [1e-5, 0.500005]
    with torch.device("meta"):
        assert sum(weights.numel() for weights in network.build().parameters()) == parameters


@pytest.mark.parametrize(
    ("name", "kind", "steps", "learned", "channels", "dropout", "parameters"),
    [
        ("lvddpm32-linear-simple", "linear", 4000, False, 3, 0.1, 52_542_979),
        ("lvddpm32-simple", "cosine", 4000, False, 3, 0.3, 52_542_979),
        ("lvddpm32-1k", "cosine", 1000, True, 3, 0.3, 52_546_438),
        ("lvddpm32", "cosine", 4000, True, 3, 0.3, 52_546_438),  # the "50M" of the published checkpoint's name
        ("lvddpm32-linear-simple-color", "linear", 4000, False, 6, 0.1, 52_546_435),
        ("lvddpm32-simple-color", "cosine", 4000, False, 6, 0.3, 52_546_435),
        ("lvddpm32-1k-color", "cosine", 1000, True, 6, 0.3, 52_549_894),
        ("lvddpm32-color", "cosine", 4000, True, 6, 0.3, 52_549_894),
        ("lvddpm256", "cosine", 1000, True, 3, 0.0, 156_947_846),
        ("lvddpm256-inpaint", "cosine", 1000, True, 6, 0.0, 156_951_302),
    ],
)
def test_tables_3_1_and_4_3_and_4_14_of_learned_variances(name, kind, steps, learned, channels, dropout, parameters):
    experiment = RECIPES[name]()
    model, network = experiment.model, experiment.model.network
    assert (model.schedule.kind, model.schedule.steps, model.learned_variance) == (kind, steps, learned)
    assert experiment.objective.kind == ("hybrid" if learned else "simple")
    assert (network.in_channels, network.out_channels) == (channels, 6 if learned else 3)
    assert (network.scale_shift, network.convolutional_resampling) == (True, True)
    assert set(network.blocks) == {3}
    assert (network.attention, network.heads) == (((16, 8), 4) if network.resolution == 32 else ((16,), 1))
    assert network.dropout == dropout
    with torch.device("meta"):
        assert sum(weights.numel() for weights in network.build().parameters()) == parameters


@pytest.mark.parametrize("name", ["lvddpm32-linear-simple", "lvddpm32", "lvddpm32-1k", "lvddpm256"])
def test_networks_of_t_4000_are_fed_times_on_the_scale_of_1000(name):
    """Trap 8: t 1000 / T as a float, never rounded to an index."""
    model = RECIPES[name]().model
    steps = model.schedule.steps
    t = torch.tensor([1.0, 2, 3, steps], dtype=torch.float64) / steps
    fed = network_time(model.time_input, model.schedule, t)
    assert fed.tolist() == pytest.approx([0, 1000 / steps, 2000 / steps, 1000 - 1000 / steps], abs=1e-4)


def test_small_recipes_differ_in_their_method_alone():
    """The models of Fashion-MNIST are there to be compared."""
    fixed, learned = (RECIPES[name]() for name in ("fashion32-ddpm", "fashion32-lvddpm"))
    assert learned.objective == Hybrid()
    assert learned.model.network == dataclasses.replace(fixed.model.network, out_channels=2)
    as_fixed = dataclasses.replace(learned, name=fixed.name, model=fixed.model, objective=fixed.objective)
    assert as_fixed == fixed


@pytest.mark.parametrize(
    ("family", "parameters"),
    [
        ("cifar32-small", 1_084_335),
        ("cifar32-small-color", 1_088_007),
        ("faces64-small", 1_108_275),
        ("faces64-small-inpaint", 1_126_995),
    ],
)
def test_models_of_a_small_study_have_one_network_and_see_the_same_pictures_as_often(family, parameters):
    """Linear betas, then cosine ones, then a learned variance, or continuous time: one thing at a time."""
    fixed, learned, continuous = (RECIPES[f"{family}-{method}"]() for method in ("ddpm", "lvddpm", "vpsde"))
    assert (fixed.model.schedule, learned.model.schedule) == (LinearBetas(), CosineBetas())
    assert (continuous.model.schedule, continuous.model.time_input) == (VariancePreserving(), "continuous")
    assert learned.model.network == dataclasses.replace(fixed.model.network, out_channels=6)
    assert learned.objective == Hybrid()
    for other in (learned, continuous):
        assert other.model.parametrisation == fixed.model.parametrisation
        assert dataclasses.replace(other, name=fixed.name, model=fixed.model, objective=fixed.objective) == fixed
    with torch.device("meta"):
        assert sum(weights.numel() for weights in fixed.model.network.build().parameters()) == parameters


@pytest.mark.parametrize("family", ["cifar32-small", "cifar32-small-color"])
def test_the_small_models_of_the_simple_and_the_hybrid_loss_differ_in_that_alone(family):
    learned, simple = (RECIPES[f"{family}-{method}"]() for method in ("lvddpm", "lvddpm-simple"))
    network = dataclasses.replace(learned.model.network, out_channels=3)
    model = dataclasses.replace(learned.model, network=network, learned_variance=False)
    assert dataclasses.replace(learned, name=simple.name, model=model, objective=Simple()) == simple


@pytest.mark.parametrize("name", ["inpaint-faces128", "inpaint-photos128"])
def test_the_inpainters_that_a_cpu_can_train_have_the_size_that_the_readme_says(name):
    with torch.device("meta"):
        assert sum(weights.numel() for weights in RECIPES[name]().model.network.build().parameters()) == 18_596_691


def test_the_average_of_the_cpu_recipe_forgets_the_beginning():
    ema = RECIPES["inpaint-faces128"]().ema
    remembered = 1.0
    for step in range(1, 3_001):
        remembered *= ema.decay_at(step)
    assert remembered == 0.0
    assert ema.width <= 0.1
