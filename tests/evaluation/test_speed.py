import itertools
import statistics

import pytest
import torch

import ediffuser
from ediffuser.diffusion.schedules import CosineBetas
from ediffuser.evaluation import speed
from ediffuser.generate import generate_rows
from ediffuser.model import Model, ModelConfig
from ediffuser.networks import UNetConfig
from ediffuser.runtime.errors import BadInputError
from ediffuser.samplers import ProbabilityFlow
from ediffuser.tasks import Colorization, Inpainting, Unconditional

CPU = torch.device("cpu")


def model_of(task=None):
    task = task or Unconditional()
    network = UNetConfig(
        resolution=8,
        in_channels=3 + task.condition_channels,
        widths=(8,),
        blocks=(1,),
        attention=(),
        norm_groups=4,
    )
    config = ModelConfig(network=network, schedule=CosineBetas(), task=task)
    return Model(config, network.build().eval().requires_grad_(False), CPU, torch.float32)


def seconds_of(*arguments, **options):
    return torch.tensor([each.seconds for each in speed.timed_batches(*arguments, **options)], dtype=torch.float64)


@pytest.fixture
def clock(monkeypatch):
    """A clock that shows, at the end of each batch, 1, 2, 3, ... seconds more than at its start."""
    ends = itertools.count(1)
    times = itertools.chain.from_iterable((100.0, 100.0 + end) for end in ends)
    monkeypatch.setattr(speed.time, "perf_counter", lambda: next(times))


def test_the_protocol_is_ten_batches_of_64_or_of_36_from_256_pixels_on():
    assert [speed.batch_size(side) for side in (32, 128, 256, 512)] == [64, 64, 36, 36]
    assert speed.BATCHES == 10


def test_seconds_are_mean_and_sample_deviation_over_the_batches(clock):
    found = speed.speed_figure(seconds_of(model_of(), ediffuser.Ddim(steps=3), batches=4, size=2))
    assert found.value == pytest.approx(2.5)
    assert found.deviation == pytest.approx(statistics.stdev([1, 2, 3, 4]))
    assert (found.low, found.high) == (None, None)  # ten batches are no interval
    assert found.count == 4
    assert speed.machine_name(CPU).startswith("cpu")


def test_trap_20_calls_are_those_the_sampler_counts(monkeypatch):
    """Trap 20; an adaptive solver's differ between pictures, and the mean is reported."""
    assert {each.nfe for each in speed.timed_batches(model_of(), ediffuser.Ddim(steps=3), batches=2, size=2)} == {3}
    adaptive = ProbabilityFlow(tolerance=1e-1)
    timings = list(speed.timed_batches(model_of(), adaptive, batches=2, size=3, seed=5))
    for batch, timing in enumerate(timings):
        keys = [(5, 3 * batch + row) for row in range(3)]
        *_, last = generate_rows(model_of(), keys, adaptive)
        assert timing.nfe == pytest.approx(last.calls.double().mean().item())


def test_one_step_is_made_before_the_clock_starts(monkeypatch):
    """What a device prepares only once belongs to no batch."""
    events = []
    made = speed.painted_rows

    def watched(*arguments):
        for step in made(*arguments):
            events.append("step")
            yield step

    monkeypatch.setattr(speed, "painted_rows", watched)
    monkeypatch.setattr(speed.time, "perf_counter", lambda: events.append("clock") or float(len(events)))
    list(speed.timed_batches(model_of(), ediffuser.Ddim(steps=3), batches=1, size=1))
    assert events == ["step", "clock", "step", "step", "step", "clock"]


@pytest.mark.parametrize("task", [Inpainting(), Colorization()], ids=lambda task: task.kind)
def test_conditional_models_are_timed_on_given_pictures(task):
    images = torch.zeros(2, 3, 8, 8)
    holes = torch.ones(2, 1, 8, 8) if isinstance(task, Inpainting) else None
    one, other = speed.timed_batches(model_of(task), ediffuser.Ddim(steps=2), images=images, holes=holes, batches=2)
    assert one.nfe == other.nfe == 2
    assert min(one.seconds, other.seconds) > 0


def test_what_cannot_be_timed_is_refused():
    with pytest.raises(BadInputError, match="at least 2 batches"):
        speed.speed_figure(seconds_of(model_of(), ediffuser.Ddim(steps=1), batches=1, size=1))
    with pytest.raises(BadInputError, match="as many images"):
        seconds_of(model_of(Colorization()), images=torch.zeros(3, 3, 8, 8), size=2)
    with pytest.raises(BadInputError, match="trained for inpainting"):
        seconds_of(model_of(Inpainting()), size=2)
