"""DPM-Solver and DPM-Solver++ against Hugging Face diffusers, whole trajectories on one grid.

diffusers works on the integer times of its tables; to compare the methods it is given our grid. What is ours by choice:
the multistep third order takes its polynomial's whole curvature, where diffusers takes half and is of order 2; the look
at two thirds of a singlestep of order 3 is the paper's; a singlestep of order 2 with an even number of calls does not
end in two steps of order 1.
"""

from itertools import pairwise

import pytest
import torch
from diffusers import DPMSolverMultistepScheduler, DPMSolverSinglestepScheduler
from torch import Tensor

from ediffuser.diffusion.denoiser import NetworkDenoiser
from ediffuser.diffusion.schedules import CosineBetas, LinearBetas
from ediffuser.samplers import DpmSolver, DpmSolverPlusPlus
from ediffuser.samplers.base import trailing_times
from ediffuser.samplers.exponential import DataForm
from ediffuser.samplers.grids import half_log_snr, solver_times
from ediffuser.samplers.multistep import DpmMultistep, walk_back
from ediffuser.samplers.singlestep import orders_of
from ediffuser.samplers.thresholding import Threshold
from flows import carried, measured_order
from oracles import GivenNoise, correlated_gaussian

pytestmark = [
    pytest.mark.reference,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # their way to NumPy
    pytest.mark.filterwarnings("ignore:.*dpmsolver:FutureWarning"),  # "dpmsolver", a form they would like to drop
]

QUIET = GivenNoise(torch.zeros(1))
SCHEDULES = {"linear": LinearBetas(), "squaredcos_cap_v2": CosineBetas()}
FORMS = {"dpmsolver": DpmSolver, "dpmsolver++": DpmSolverPlusPlus}
every_form = pytest.mark.parametrize("form", FORMS)
every_order = pytest.mark.parametrize("order", [1, 2, 3])
every_schedule = pytest.mark.parametrize("schedule", SCHEDULES)
every_precision = pytest.mark.parametrize(("dtype", "within"), [(torch.float64, 1e-6), (torch.float32, 1e-3)])


class Multistep(DPMSolverMultistepScheduler):
    """diffusers' scheduler, but in float64 where its input is (by itself it goes on in float32)."""

    whole = True

    def convert_model_output(self, model_output, *, sample):
        self.given = sample
        return super().convert_model_output(model_output, sample=sample)

    def dpm_solver_first_order_update(self, output, *, sample, noise):
        return super().dpm_solver_first_order_update(output, sample=self.given)

    def multistep_dpm_solver_second_order_update(self, outputs, *, sample, noise):
        return super().multistep_dpm_solver_second_order_update(outputs, sample=self.given)

    def multistep_dpm_solver_third_order_update(self, outputs, *, sample, noise):
        outputs = self._bent(*outputs) if self.whole else outputs
        return super().multistep_dpm_solver_third_order_update(outputs, sample=self.given)

    def _bent(self, m2: Tensor, m1: Tensor, m0: Tensor) -> list[Tensor]:
        """Outputs with the same value and slope at the last of them, and twice the curvature."""
        later, now, before, earlier = (-self.sigmas[self.step_index + 1 - k].log() for k in range(4))
        r0, r1 = (now - before) / (later - now), (before - earlier) / (later - now)
        first, second = (m0 - m1) / r0, (m1 - m2) / r1
        bend = (first - second) / (r0 + r1)
        slope = first + r0 * bend
        first = slope - r0 * 2 * bend
        second = first - 2 * bend * (r0 + r1)
        m1 = m0 - r0 * first
        return [m1 - r1 * second, m1, m0]


def network(x: Tensor, time: Tensor) -> Tensor:
    """A velocity that is smooth in x and in time, and mixes channels and neighbours."""
    turned = x.roll(1, dims=1) - 0.5 * x.roll((1, 2), dims=(2, 3)) + (time / 1000).to(x).reshape(-1, 1, 1, 1)
    return 0.5 * torch.tanh(turned) - 0.2 * x


def velocity(schedule: str) -> NetworkDenoiser:
    return NetworkDenoiser(network, SCHEDULES[schedule], "v")


def start(dtype: torch.dtype) -> Tensor:
    return torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(3), dtype=torch.float64).to(dtype)


def theirs(kind, schedule, form, order, times, dtype=torch.float64, **choice):
    """Their scheduler on our grid, with our exact table."""
    scheduler = kind(
        beta_schedule=schedule,
        prediction_type="v_prediction",
        algorithm_type=form,
        solver_order=order,
        final_sigmas_type="zero" if times[-1] == 0 else "sigma_min",
        **choice,
    )
    scheduler.set_timesteps(len(times) - 1)
    scheduler.timesteps = times[:-1] * 1000 - 1
    scheduler.sigmas = torch.exp(-half_log_snr(SCHEDULES[schedule], times)).to(dtype)
    return scheduler


def walked(scheduler, x: Tensor, network=network) -> list[Tensor]:
    """Their states after each call."""
    states = []
    for index in scheduler.timesteps:
        x = scheduler.step(network(x, index.float().expand(len(x))), index, x).prev_sample
        states.append(x)
    return states


def ours(sampler, schedule: str, x: Tensor) -> list[Tensor]:
    return [step.x for step in sampler.trajectory(velocity(schedule), x, QUIET)]


def plain(form: str, **choice):
    """Our sampler without what they do not do; the noise form ends at t_end, for their last step to 0 is refused."""
    more = {"thresholding": "none"} if form == "dpmsolver++" else {"denoise": False}
    return FORMS[form](**more, **choice)


@pytest.mark.parametrize("steps", [10, 20])
@every_precision
@every_order
@every_form
@every_schedule
def test_multistep_trajectories_agree(schedule, form, order, dtype, within, steps):
    sampler = plain(form, steps=steps, order=order, method="multistep")
    times = solver_times(SCHEDULES[schedule], steps, denoise=sampler.denoise)
    expected = walked(theirs(Multistep, schedule, form, order, times, dtype), start(dtype))
    found = ours(sampler, schedule, start(dtype))
    for x, wanted in zip(found, expected, strict=True):
        assert x.dtype == wanted.dtype == dtype
        torch.testing.assert_close(x, wanted, atol=within, rtol=0)


def stretched(schedule: str, times: Tensor, orders: list[int]) -> tuple[Tensor, list[int]]:
    """The times of all calls, and the order of their scheduler at each: it counts up to that of our step."""
    table, calls = SCHEDULES[schedule], []
    for (t, s), order in zip(pairwise(times), orders, strict=True):
        parts = torch.arange(order, dtype=torch.float64) / order
        ends = half_log_snr(table, torch.stack([t, s]))
        calls += [t[None]] if order == 1 else [table.time(2 * torch.lerp(ends[0], ends[1], parts))]
    return torch.cat([*calls, times[-1:]]), [part for order in orders for part in range(1, order + 1)]


@pytest.mark.parametrize("calls", [10, 18, 20])
@every_precision
@every_order
@every_form
@every_schedule
def test_singlestep_trajectories_agree(schedule, form, order, dtype, within, calls):
    sampler = plain(form, steps=calls, order=order, method="singlestep")
    orders = orders_of(calls, order, sampler.denoise, lower_order_final=True)
    times, order_list = stretched(
        schedule, solver_times(SCHEDULES[schedule], len(orders), denoise=sampler.denoise), orders
    )
    assert len(order_list) == calls
    scheduler = theirs(DPMSolverSinglestepScheduler, schedule, form, order, times, dtype)
    scheduler.order_list = order_list
    looks = [now == 2 and then == 3 for now, then in pairwise([*order_list, 1])]
    x, expected = start(dtype), []
    for position, index in enumerate(scheduler.timesteps):
        # "heun" is the paper's phi_2 in the look at two thirds; "midpoint", where they would use phi_1 / 2 there too.
        scheduler.register_to_config(solver_type="heun" if looks[position] else "midpoint")
        x = scheduler.step(network(x, index.float().expand(2)), index, x).prev_sample
        if position + 1 == calls or order_list[position + 1] == 1:
            expected.append(x)
    found = ours(sampler, schedule, start(dtype))
    for x, wanted in zip(found, expected, strict=True):
        assert x.dtype == wanted.dtype == dtype
        torch.testing.assert_close(x, wanted, atol=within, rtol=0)


@every_form
def test_the_look_at_two_thirds_is_the_papers_and_the_difference_to_theirs_vanishes_with_the_steps(form):
    differences = []
    for calls in (18, 72):
        sampler = plain(form, steps=calls, order=3, method="singlestep", t_end=1e-3)
        orders = orders_of(calls, 3, sampler.denoise, lower_order_final=True)
        grid = solver_times(LinearBetas(), len(orders), t_end=1e-3, denoise=sampler.denoise)
        times, order_list = stretched("linear", grid, orders)
        scheduler = theirs(DPMSolverSinglestepScheduler, "linear", form, 3, times)
        scheduler.order_list = order_list
        x = start(torch.float64)
        differences.append((ours(sampler, "linear", x)[-1] - walked(scheduler, x)[-1]).abs().max())
    assert 1e-3 < differences[0] < 0.1
    assert differences[1] < differences[0] / 10


@pytest.mark.parametrize("steps", [5, 10, 20, 25, 50])
@every_schedule
def test_the_grid_in_time_is_their_trailing_grid_where_steps_divide_the_table(schedule, steps):
    scheduler = DPMSolverMultistepScheduler(beta_schedule=schedule, timestep_spacing="trailing")
    scheduler.set_timesteps(steps)
    assert (trailing_times(SCHEDULES[schedule], steps)[:-1] * 1000 - 1).round().tolist() == scheduler.timesteps.tolist()
    if schedule == "linear":  # cosine is clipped
        times = solver_times(LinearBetas(), steps, "time")
        torch.testing.assert_close(times[:-1] * 1000 - 1, scheduler.timesteps.double(), atol=1e-9, rtol=0)
        assert scheduler.sigmas[-1] == times[-1] == 0


def test_trap_9_the_first_time_of_a_cosine_table_is_theirs_with_clipping():
    scheduler = DPMSolverMultistepScheduler(beta_schedule="squaredcos_cap_v2", lambda_min_clipped=-5.1)
    scheduler.set_timesteps(10)
    first = solver_times(CosineBetas(), 10)[0].item() * 1000 - 1
    assert scheduler.timesteps[0] <= first < scheduler.timesteps[0] + 1  # theirs is the index below


@pytest.mark.parametrize("final", ["zero", "sigma_min"])
@pytest.mark.parametrize("calls", range(1, 40))
def test_trap_26_singlestep_orders_are_theirs(calls, final):
    for order in (1, 2, 3):
        scheduler = DPMSolverSinglestepScheduler(solver_order=order, lower_order_final=True, final_sigmas_type=final)
        wanted = scheduler.get_order_list(calls)
        found = [part for now in orders_of(calls, order, final == "zero", True) for part in range(1, now + 1)]
        if order == 2 and final == "sigma_min" and calls % 2 == 0:
            assert wanted[-2:] == [1, 1]
            assert found[-2:] == [1, 2]
            wanted[-1] = 2
        assert found == wanted


@pytest.mark.parametrize(("whole", "order"), [(False, 2), (True, 3)])
def test_half_the_curvature_is_of_order_two_and_the_whole_of_three(whole, order):
    """Their multistep solver of order 3 as it comes, and with the curvature that ours has."""
    gaussian = correlated_gaussian(LinearBetas())
    end = gaussian.schedule.time(torch.tensor(1.0, dtype=torch.float64)).item()
    x = torch.randn(4, 3, 1, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    wanted = carried(gaussian, x, 1.0, end)

    def v(x, index):
        return gaussian(x, (index.double() + 1) / 1000).v

    def error(steps):
        times = solver_times(gaussian.schedule, steps, t_end=end, denoise=False)
        scheduler = theirs(Multistep, "linear", "dpmsolver++", 3, times)
        scheduler.whole = whole
        # The network is fed float32 times elsewhere; here their rounding would be the error that is measured.
        scheduler.timesteps = times[:-1] * 1000 - 1
        state = x
        for index in scheduler.timesteps:
            state = scheduler.step(v(state, index), index, state).prev_sample
        return (state - wanted).square().mean().sqrt().item()

    assert abs(measured_order(error, 160) - order) < 0.2


@every_precision
def test_dynamic_thresholding_agrees(dtype, within):
    """Of diffusers with a limit of 3; its default of 1 is a plain clip."""
    times = solver_times(LinearBetas(), 10)
    scheduler = theirs(Multistep, "linear", "dpmsolver++", 2, times, dtype, thresholding=True, sample_max_value=3.0)
    x = 3 * start(dtype)
    expected = walked(scheduler, x)
    rule = DpmMultistep(DataForm(Threshold("dynamic", 0.995, 3.0)))
    found = [step.x for step in walk_back(rule, velocity("linear"), x, times, 2, lower_order_final=True)]
    for state, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(state, wanted, atol=within, rtol=0)
    assert expected[-1].abs().max() == 1
