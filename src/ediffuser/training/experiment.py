"""Everything that determines a training run; written as JSON beside the weights."""

from typing import Self

from pydantic import Field, model_validator

from ediffuser.data import DataSet
from ediffuser.diffusion.losses import AnyWeighting, OwnTarget
from ediffuser.model import ModelConfig
from ediffuser.runtime.component import component
from ediffuser.runtime.device import PrecisionName
from ediffuser.training.ema import AnyEma, ConstantEma
from ediffuser.training.optimizer import Optimizer
from ediffuser.training.times import AnyTimes, UniformTimes


@component
class Experiment:
    """A training run.

    Attributes:
        name: The recipe it comes from.
        model: What is trained.
        data: On what.
        images: Length of the run: images seen, over all processes.
        batch: Images per optimizer step, over all processes.
        accumulation: Parts that a process divides its share of a batch into, to save memory.
        optimizer: How weights are moved.
        ema: How they are averaged.
        weighting: How much each noise level counts.
        times: Which times are drawn.
        precision: "auto" is bf16 where the hardware has it.
        checkpoint_every: Images between two checkpoints.
        seed: The run is a function of the experiment, this seed and the images seen.
    """

    name: str
    model: ModelConfig
    data: DataSet
    images: int = Field(ge=1)
    batch: int = Field(ge=1)
    accumulation: int = Field(default=1, ge=1)
    optimizer: Optimizer = Optimizer()
    ema: AnyEma = ConstantEma()
    weighting: AnyWeighting = OwnTarget()
    times: AnyTimes = UniformTimes()
    precision: PrecisionName = "auto"
    checkpoint_every: int = Field(default=50_000, ge=1)
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.batch % self.accumulation:
            raise ValueError(f"batch {self.batch} must be a multiple of accumulation {self.accumulation}")
        if self.data.resolution != self.model.network.resolution:
            raise ValueError(
                f"data of {self.data.resolution} pixels do not fit a network of {self.model.network.resolution}"
            )
        return self
