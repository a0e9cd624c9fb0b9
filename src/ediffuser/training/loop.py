"""The training loop, a generator of steps: logging, progress and early stop live in the caller."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ediffuser.conditioning import bound
from ediffuser.data import Batch, batches
from ediffuser.diffusion.denoiser import NetworkDenoiser
from ediffuser.runtime.checkpoint import newest_checkpoint
from ediffuser.runtime.component import to_json
from ediffuser.runtime.device import choose_device, choose_precision
from ediffuser.runtime.errors import BadInputError
from ediffuser.runtime.files import write_atomically
from ediffuser.runtime.noise import Noise, derived_seed
from ediffuser.training.ema import update_ema
from ediffuser.training.experiment import Experiment
from ediffuser.training.state import EXPERIMENT, TrainingState


@dataclass(frozen=True)
class TrainingStep:
    """One optimizer step.

    Attributes:
        images_seen: After the step.
        loss: Mean over the batch.
        gradient_norm: Before clipping.
        learning_rate: Of this step.
        seconds: Training time of the run so far, without the time it was stopped.
        checkpoint: The checkpoint published after the step, if one was.
    """

    images_seen: int
    loss: float
    gradient_norm: float
    learning_rate: float
    seconds: float
    checkpoint: Path | None = None


class DivergedError(RuntimeError):
    """The loss or the gradient is no longer finite."""


def open_run(experiment: Experiment, directory: Path, *, resume: bool, device: torch.device) -> TrainingState:
    """The state a run starts from: its newest checkpoint if `resume`, else a new one.

    Raises:
        BadInputError: If there is nothing to resume, or a run that would be overwritten.
        CheckpointError: If the checkpoint is damaged or belongs to another network.
    """
    newest = newest_checkpoint(directory)
    if resume and newest is None:
        raise BadInputError(f"nothing to resume in {directory}: it holds no finished checkpoint")
    if not resume and newest is not None:
        raise BadInputError(f"{directory} already holds a run; add --resume to go on with it, or choose another --out")
    state = TrainingState.start(experiment, device)
    if newest is not None:
        state.load(newest)
    directory.mkdir(parents=True, exist_ok=True)
    write_atomically(directory / EXPERIMENT, to_json(experiment, Experiment).encode())
    return state


def train(
    experiment: Experiment,
    directory: Path,
    *,
    resume: bool = False,
    device: str = "auto",
    compiled: bool = False,
) -> Iterator[TrainingStep]:
    """Trains until the experiment's images have been seen, and publishes checkpoints on the way.

    Args:
        experiment: What to do.
        directory: The run directory: experiment.json and checkpoints/.
        resume: Goes on from the newest checkpoint; without one that is an error.
        device: "auto", "cpu", "cuda", ...
        compiled: Runs the network through torch.compile: a minute or two at the start, faster steps after it.

    Yields:
        Each optimizer step.

    Raises:
        BadInputError: If the data or the run directory cannot be used.
        DivergedError: If loss or gradient are not finite; nothing is published of that step.
    """
    place = choose_device(device)
    pictures = experiment.data.open()
    state = open_run(experiment, directory, resume=resume, device=place)
    network = torch.compile(state.network) if compiled else state.network
    state.network.train()
    denoiser = experiment.model.denoiser(network, choose_precision(experiment.precision, place))
    stream = batches(
        pictures,
        seed=experiment.seed,
        images_seen=state.images_seen,
        batch=experiment.batch,
        flip=experiment.data.flip,
    )
    for batch in stream:
        if state.images_seen >= experiment.images:
            return
        started = time.perf_counter()
        rate = experiment.optimizer.rate(state.images_seen, experiment.images)
        loss, norm = _optimizer_step(experiment, state, denoiser, batch, rate)
        state.seconds += time.perf_counter() - started
        checkpoint = None
        if _crosses(state.images_seen, experiment.batch, experiment.checkpoint_every, experiment.images):
            checkpoint = state.save(experiment, directory)
        yield TrainingStep(state.images_seen, loss, norm, rate, state.seconds, checkpoint)


def _crosses(images_seen: int, batch: int, every: int, images: int) -> bool:
    return images_seen // every > (images_seen - batch) // every or images_seen >= images


def _optimizer_step(
    experiment: Experiment,
    state: TrainingState,
    denoiser: NetworkDenoiser,
    batch: Batch,
    rate: float,
) -> tuple[float, float]:
    """Moves the weights once; returns the loss and the gradient's norm."""
    # Dropout is the one user of the global random state: it follows from the seed and the images seen.
    torch.manual_seed(derived_seed("dropout", experiment.seed, state.images_seen))
    total, times, losses = _backward(experiment, state, denoiser, batch)
    norm = torch.nn.utils.clip_grad_norm_(state.network.parameters(), experiment.optimizer.clip_norm)
    if not (total.isfinite() and norm.isfinite()):
        raise DivergedError(
            f"training diverged after {state.images_seen} images: loss {total.item()}, gradient norm {norm.item()}; "
            "resume from the last checkpoint with a lower learning rate"
        )
    for group in state.optimizer.param_groups:
        group["lr"] = rate
    state.optimizer.step()
    state.optimizer.zero_grad(set_to_none=True)
    if state.history is not None:
        state.history.remember(times, losses)
    state.steps += 1
    state.images_seen += experiment.batch
    update_ema(state.average, state.network, experiment.ema.decay_at(state.steps))
    return total.item(), norm.item()


def _backward(
    experiment: Experiment, state: TrainingState, denoiser: NetworkDenoiser, batch: Batch
) -> tuple[Tensor, Tensor, Tensor]:
    """The batch's loss, whose gradient is left in the weights, and of each picture its time and its loss."""
    place, parts = next(state.network.parameters()).device, experiment.accumulation
    total, found = torch.zeros(()), []
    for images, positions in zip(batch.images.chunk(parts), batch.positions.chunk(parts), strict=True):
        times, losses = _losses(experiment, state, denoiser, images.to(place), positions)
        weighted = losses if state.history is None else losses * state.history.weights(times).to(losses)
        loss = weighted.mean() / parts
        loss.backward()
        total = total + loss.detach().cpu()
        found.append((times, losses.detach()))
    times, losses = (torch.cat(pieces) for pieces in zip(*found, strict=True))
    return total, times, losses


def _losses(
    experiment: Experiment, state: TrainingState, denoiser: NetworkDenoiser, x0: Tensor, positions: Tensor
) -> tuple[Tensor, Tensor]:
    """A time and a loss per picture; all that is random is a function of the seed and the picture's position."""
    noise = Noise.rows(experiment.seed, positions.tolist(), x0.device)
    eps, uniform = noise.normal(x0.shape[1:]), noise.uniform()
    known = state.history
    times = experiment.times.times(uniform, denoiser.schedule) if known is None else known.times(uniform)
    observation = experiment.model.task.observe(x0, noise)
    trained = bound(denoiser, observation)
    return times, experiment.objective.losses(trained, x0, eps, times, observation.weight, experiment.weighting)
