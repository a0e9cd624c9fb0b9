"""The order of every method that has one, measured: within 0.2 of the declared one, in float64.

The grids are uniform in log-SNR, from where hardly any of the picture is left to where noise is as large as the
narrowest part of the data. Nearer to 0 the flow is nearly at rest, and errors cancel by chance. The orders of
DPM-Solver are measured in its own tests.
"""

from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from ediffuser.samplers import (
    Ancestral,
    Ddim,
    EulerMaruyama,
    PredictorCorrector,
    ProbabilityFlow,
    ReverseDiffusion,
)
from ediffuser.samplers.exponential import DataForm, NoiseForm
from ediffuser.samplers.multistep import walk_back
from ediffuser.samplers.thresholding import Threshold
from ediffuser.samplers.unipc import PredictorCorrectorRule
from flows import SCHEDULES, carried, every_schedule, measured_order
from oracles import GaussianDenoiser, GaussianMixtureDenoiser, GivenNoise, correlated_gaussian, distance, propagated

ENDS = torch.tensor([-7.5, 3.5], dtype=torch.float64)
"""log-SNR."""
QUIET = GivenNoise(torch.zeros(1))


def overlapping_humps(schedule):
    """Two humps of pictures of one number; their flow has a closed form too, and is far from affine."""

    def hump(mean, deviation):
        one_number = torch.tensor(mean, dtype=torch.float64).reshape(1, 1, 1)
        return GaussianDenoiser(one_number, torch.tensor([[deviation**2]], dtype=torch.float64), schedule)

    return GaussianMixtureDenoiser([0.3, 0.7], [hump(-0.6, 0.3), hump(0.5, 0.4)])


TARGETS = {
    **{f"gaussian-{name}": correlated_gaussian(schedule) for name, schedule in SCHEDULES.items()},
    **{f"mixture-{name}": overlapping_humps(SCHEDULES[name]) for name in ("vp", "ve")},
}
every_target = pytest.mark.parametrize("denoiser", TARGETS.values(), ids=TARGETS.keys())


def grid(schedule, steps):
    """Times uniform in log-SNR."""
    return schedule.time(torch.linspace(*ENDS.tolist(), steps + 1, dtype=torch.float64))


def starts(denoiser, rows=8):
    shape = (1, 1, 1) if isinstance(denoiser, GaussianMixtureDenoiser) else (3, 1, 1)
    x = torch.randn(rows, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return denoiser.schedule.sigma(denoiser.schedule.time(ENDS[0])) * x


def order_of(denoiser, solve, steps, start=None):
    """The measured order of `solve`, which takes the start and a number of steps, by the error's root mean square."""
    x, ends = starts(denoiser), denoiser.schedule.time(ENDS).tolist()
    wanted = carried(denoiser, x, start or ends[0], ends[1])
    return measured_order(lambda count: (solve(x, count) - wanted).square().mean().sqrt().item(), steps)


# --------------------------------------------------------------------------------------- solvers of the flow


@pytest.mark.parametrize(("solver", "order"), [("euler", 1), ("heun", 2)])
@every_target
def test_the_fixed_grids_of_the_probability_flow(denoiser, solver, order):
    """The sampler itself, from t = 1."""
    end = denoiser.schedule.time(ENDS[1]).item()
    sampler = ProbabilityFlow(solver=solver, spacing="log_snr", t_end=end, denoise=False, clip=False)

    def solve(x, steps):
        *_, last = replace(sampler, steps=steps).trajectory(denoiser, x, QUIET)
        return last.x

    assert abs(order_of(denoiser, solve, 60, start=1.0) - order) < 0.2


@every_target
def test_ddim_is_of_order_one_also_where_variance_is_not_preserved(denoiser):
    def solve(x, steps):
        for t, s in pairwise(grid(denoiser.schedule, steps)):
            x, _ = Ddim(clip=False).step(denoiser, x, t, s, QUIET)
        return x

    assert abs(order_of(denoiser, solve, 60) - 1) < 0.2


class StartedExactly:
    """A rule of multistep methods whose first states, for which it has too little past, are the exact ones."""

    def __init__(self, rule, denoiser, x, order):
        self.rule, self.form = rule, rule.form
        self.denoiser, self.x, self.start, self.missing = denoiser, x, denoiser.schedule.time(ENDS[0]).item(), order - 1

    def predicted(self, schedule, past, s):
        self.missing -= 1
        if self.missing >= 0:
            return carried(self.denoiser, self.x, self.start, s.item())
        return self.rule.predicted(schedule, past, s)

    def corrected(self, schedule, past):
        return past[-1].x if self.missing >= 0 else self.rule.corrected(schedule, past)


FORMS = {"data": DataForm(Threshold()), "noise": NoiseForm()}
UNIPC_TARGETS = ["gaussian-cosine", "gaussian-sub_vp", "gaussian-ve", "mixture-vp", "mixture-ve"]
with_and_without_corrector = pytest.mark.parametrize("corrector", [False, True], ids=["UniP", "UniPC"])
every_order = pytest.mark.parametrize("order", [1, 2, 3])


def unipc_order(denoiser, rule, order, started_exactly=True):
    def solve(x, steps):
        given = StartedExactly(rule, denoiser, x, order) if started_exactly else rule
        *_, last = walk_back(given, denoiser, x, grid(denoiser.schedule, steps), order, lower_order_final=False)
        return last.x

    return order_of(denoiser, solve, 100 if order == 3 else 60)


@with_and_without_corrector
@every_order
@pytest.mark.parametrize("target", UNIPC_TARGETS)
def test_unip_p_is_of_order_p_and_unipc_p_of_one_more(target, order, corrector):
    """Its first p - 1 states are exact: by lower orders they would be right to order 2 or 3, too little for p = 3."""
    rule = PredictorCorrectorRule(FORMS["data"], "bh2", corrector)
    assert abs(unipc_order(TARGETS[target], rule, order) - (order + corrector)) < 0.2


@with_and_without_corrector
@every_order
@pytest.mark.parametrize(("form", "variant"), [("data", "bh1"), ("noise", "bh1"), ("noise", "bh2")])
def test_either_form_of_unipc_has_its_order_with_either_b_of_h(form, variant, order, corrector):
    rule = PredictorCorrectorRule(FORMS[form], variant, corrector)
    assert abs(unipc_order(TARGETS["mixture-vp"], rule, order) - (order + corrector)) < 0.2


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("target", ["gaussian-linear", "mixture-ve"])
def test_unipc_starts_by_itself_up_to_the_third_order(target, order):
    """UniPC-1's first step is wrong by O(h^3), which is the order of UniPC-2 as a whole."""
    rule = PredictorCorrectorRule(FORMS["data"])
    assert abs(unipc_order(TARGETS[target], rule, order, started_exactly=False) - (order + 1)) < 0.2


# --------------------------------------------------------------------------------- solvers of the reverse SDE


class OnGrid:
    """A step sampler on another grid than its own."""

    def __init__(self, sampler, times):
        self._times, self.step = times, sampler.step

    def times(self, schedule):
        return self._times


# The ancestral predictor is the ancestral sampler, as its own test shows.
STOCHASTIC = [
    Ancestral(variance="fixed_small", clip=False),
    Ancestral(variance="fixed_large", clip=False),
    Ddim(eta=0.5, clip=False),
    Ddim(eta=1, clip=False),
    PredictorCorrector(predictor=EulerMaruyama(), clip=False),
    PredictorCorrector(predictor=ReverseDiffusion(), clip=False),
]


@pytest.mark.parametrize("sampler", STOCHASTIC, ids=repr)
@every_schedule
def test_the_weak_order_is_one(schedule, sampler):
    """By exact propagation of mean and covariance."""
    gaussian = correlated_gaussian(schedule)
    start, wanted = (gaussian.marginal(t) for t in schedule.time(ENDS))

    def error(steps):
        found = propagated(OnGrid(sampler, grid(schedule, steps)), gaussian, start, (3, 1, 1))
        return distance(found, wanted)

    assert abs(measured_order(error, 100) - 1) < 0.2
