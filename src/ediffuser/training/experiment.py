"""Everything that determines a training run; written as JSON beside the weights."""

import json
from collections.abc import Iterator
from typing import Any, Self

from pydantic import Field, model_validator

from ediffuser.data import AnyOrder, DataSet, Epochs
from ediffuser.diffusion.losses import AnyObjective, AnyWeighting, OwnTarget, Simple, Vlb
from ediffuser.model import ModelConfig
from ediffuser.runtime.component import component, to_json
from ediffuser.runtime.device import PrecisionName
from ediffuser.training.critic import AdversarialTerm
from ediffuser.training.ema import AnyEma, ConstantEma
from ediffuser.training.optimizer import Optimizer
from ediffuser.training.perceptual import PerceptualTerm
from ediffuser.training.times import AnyTimes, LossAwareTimes, UniformTimes


@component
class Experiment:
    """A training run.

    Attributes:
        name: The recipe it comes from.
        model: What is trained.
        data: On what.
        order: Which picture comes when; groups of them can be given other shares than they have.
        images: Length of the run: images seen, over all processes.
        batch: Images per optimizer step, over all processes.
        accumulation: Parts that a process divides its share of a batch into, to save memory.
        gradient_checkpointing: Saves memory by computing activations twice; the run stays the same.
        optimizer: How weights are moved.
        ema: How they are averaged.
        objective: What is made small.
        weighting: How much each noise level counts in the simple loss.
        perceptual: A further term, by which x_0 shall look right; see `perceptual`.
        adversarial: A further term, by which x_0 shall be taken for real; see `critic`.
        times: Which times are drawn.
        precision: "auto" is bf16 where the hardware has it.
        checkpoint_every: Images between two checkpoints; the last two are kept.
        sample_every: Images between two grids of samples; 0 makes none.
        sample_size: Pictures on a grid.
        evaluate_every: Images between two measurements of what the run is worth; 0 makes none.
        evaluate_count: Pictures that are made for one; fewer where there are not as many to compare with.
        held_out: Pictures that are not trained on, for both.
        backup_every: Epochs between two checkpoints that are kept for good.
        seed: The run is a function of the experiment, this seed and the images seen.
        start_from: A model whose weights are trained further: a name in the zoo, a run directory or a checkpoint. Empty
            draws them from the seed.
    """

    name: str
    model: ModelConfig
    data: DataSet
    images: int = Field(ge=1)
    batch: int = Field(ge=1)
    accumulation: int = Field(default=1, ge=1)
    gradient_checkpointing: bool = False
    optimizer: Optimizer = Optimizer()
    ema: AnyEma = ConstantEma()
    objective: AnyObjective = Simple()
    weighting: AnyWeighting = OwnTarget()
    perceptual: PerceptualTerm | None = None
    adversarial: AdversarialTerm | None = None
    times: AnyTimes = UniformTimes()
    precision: PrecisionName = "auto"
    checkpoint_every: int = Field(default=50_000, ge=1)
    sample_every: int = Field(default=0, ge=0)
    sample_size: int = Field(default=16, ge=1, le=64)
    evaluate_every: int = Field(default=0, ge=0)
    evaluate_count: int = Field(default=500, ge=1)
    held_out: DataSet | None = None
    backup_every: int = Field(default=250, ge=1)
    order: AnyOrder = Epochs()
    seed: int = Field(default=0, ge=0)
    start_from: str = ""

    def passes(self, images_seen: int, every: int) -> bool:
        """Whether the step that ended at `images_seen` passed a multiple of `every`, or is the run's last."""
        return images_seen // every > (images_seen - self.batch) // every or images_seen >= self.images

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.batch % self.accumulation:
            raise ValueError(f"batch {self.batch} must be a multiple of accumulation {self.accumulation}")
        if isinstance(self.times, LossAwareTimes) and not hasattr(self.model.schedule, "steps"):
            raise ValueError(
                "times 'loss_aware' remember losses for each index of a discrete schedule, and "
                f"'{self.model.schedule.kind}' is continuous"
            )
        for term in ("perceptual", "adversarial"):
            if getattr(self, term) is not None and self.data.channels != 3:
                raise ValueError(f"the {term} term looks at RGB pictures, and these data are grey")
        self._check_pictures(self.data, "data")
        if self.held_out is not None:
            self._check_pictures(self.held_out, "held_out pictures")
        self._check_objective()
        return self

    def _check_pictures(self, data: DataSet, words: str) -> None:
        side, channels = self.model.network.resolution, self.model.picture_channels
        if data.resolution != side:
            raise ValueError(f"{words} of {data.resolution} pixels do not fit a network of {side}")
        if data.channels != channels:
            raise ValueError(f"{words} with channels {data.channels} do not fit a model of pictures with {channels}")

    def _check_objective(self) -> None:
        objective, learned = self.objective, self.model.learned_variance
        if objective.learns_variance and not learned:
            raise ValueError(
                f"objective '{objective.kind}' trains the reverse variance, which this model does not learn; set "
                "learned_variance and twice the output channels, or take objective 'simple'"
            )
        if learned and not objective.learns_variance:
            raise ValueError(
                f"objective '{objective.kind}' never trains the variance that this model learns; take 'hybrid' or 'vlb'"
            )
        if objective.learns_variance and not hasattr(self.model.schedule, "steps"):
            raise ValueError(
                f"objective '{objective.kind}' sums over the steps of a discrete schedule, and "
                f"'{self.model.schedule.kind}' is continuous"
            )
        if isinstance(objective, Vlb) and self.weighting != OwnTarget():
            raise ValueError("objective 'vlb' has no weighting but the bound's own; leave weighting at 'own'")


def changed_settings(before: bytes, experiment: Experiment) -> list[str]:
    """The settings of an experiment that are others than in its JSON of an earlier day, such as "batch: 16, now 32".

    A setting that the earlier text does not name, since there was none of that name then, is not among them.
    """
    return list(_changes(json.loads(before), json.loads(to_json(experiment, Experiment))))


def _changes(old: Any, new: Any, name: str = "") -> Iterator[str]:  # noqa: ANN401 - what JSON holds
    """What differs in two trees of settings, by its name with dots, as --set takes it."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in new:
            if key in old:
                yield from _changes(old[key], new[key], f"{name}.{key}" if name else key)
    elif old != new:
        yield f"{name}: {json.dumps(old)}, now {json.dumps(new)}"
