"""The training loop, a generator of steps: logging, progress and early stop live in the caller."""

import dataclasses
import logging
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from ediffuser.conditioning import bound
from ediffuser.data import Batch, batches, found
from ediffuser.diffusion.denoiser import NetworkDenoiser
from ediffuser.runtime.checkpoint import checkpoints, remove_leftovers
from ediffuser.runtime.component import to_json
from ediffuser.runtime.device import choose_device, choose_precision, missing_compiler, tune
from ediffuser.runtime.distributed import ALONE, PeerError, Processes
from ediffuser.runtime.errors import BadInputError, DivergedError
from ediffuser.runtime.files import make_folder, write_atomically
from ediffuser.runtime.lock import only_one
from ediffuser.runtime.memory import peak_memory_bytes
from ediffuser.runtime.noise import Noise, derived_seed
from ediffuser.runtime.signals import Stop
from ediffuser.training.checkpoints import newest_sound, set_aside
from ediffuser.training.ema import update_ema
from ediffuser.training.experiment import Experiment, changed_settings
from ediffuser.training.fingerprint import DataFingerprint
from ediffuser.training.perceptual import Remembering
from ediffuser.training.saver import Saver
from ediffuser.training.state import EXPERIMENT, TrainingState

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingStep:
    """One optimizer step.

    Attributes:
        images_seen: After the step.
        loss: Mean over the batch, of all processes.
        gradient_norm: Of that mean, before clipping.
        learning_rate: Of this step.
        seconds: Training time of the run so far, without the time it was stopped.
        checkpoint: The checkpoint published after the step, if this process published one.
        parts: The means of what the loss is made of, such as "simple" and "vlb", before they are added.
        step_seconds: What this step took, waiting for data included.
        data_wait: How much of it, in seconds, this process waited for data.
        peak_memory_bytes: The most memory that this process has taken so far, on the GPU if it trains there.
        average: The running mean of the weights as it is now, in evaluation mode; the next step changes it.
    """

    images_seen: int
    loss: float
    gradient_norm: float
    learning_rate: float
    seconds: float
    checkpoint: Path | None = None
    parts: dict[str, float] = field(default_factory=dict)
    # Measurements of the machine: two runs that are the same differ in them.
    step_seconds: float = field(default=0.0, compare=False)
    data_wait: float = field(default=0.0, compare=False)
    peak_memory_bytes: int = field(default=0, compare=False)
    average: nn.Module | None = field(default=None, compare=False, repr=False)


def open_run(
    experiment: Experiment,
    directory: Path,
    data: DataFingerprint,
    *,
    resume: bool,
    device: torch.device,
    group: Processes = ALONE,
) -> TrainingState:
    """The state a run starts from: its newest sound checkpoint if `resume`, else a new one.

    Of several processes all read, and the first one writes. Damaged checkpoints are said, set aside and passed over.

    Raises:
        BadInputError: If there is nothing to resume, or a run that would be overwritten.
        CheckpointError: If no checkpoint is sound, or it belongs to another network.
    """
    if not resume and checkpoints(directory):
        raise BadInputError(f"{directory} already holds a run; add --resume to go on with it, or choose another --out")
    state = TrainingState.start(dataclasses.replace(experiment, start_from="") if resume else experiment, device)
    if resume:
        newest, content, faults = newest_sound(directory)
        state.load(newest, content)
        if group.first:
            for path, fault in faults.items():
                logger.warning("%s; it is set aside as %s", fault, set_aside(path).name)
            logger.info("going on from checkpoint %s", newest)
            changed = changed_settings(content[EXPERIMENT], experiment) if EXPERIMENT in content else []
            for change in changed + data.changed_since(state.data):
                logger.info("changed since then: %s", change)
    state.data = data
    if group.first:
        remove_leftovers(directory)
        write_atomically(directory / EXPERIMENT, to_json(experiment, Experiment).encode())
    return state


def train(
    experiment: Experiment,
    directory: Path,
    *,
    resume: bool = False,
    device: str = "auto",
    compiled: bool = False,
    group: Processes = ALONE,
    stop: Stop | None = None,
) -> Iterator[TrainingStep]:
    """Trains until the experiment's images have been seen, and publishes checkpoints on the way.

    Several processes call it together, each in the same way; the batch is divided among them, and the run is the same
    but for rounding and dropout, whatever their number. They can go on with what another number of them began.

    Args:
        experiment: What to do.
        directory: The run directory: experiment.json and checkpoints/.
        resume: Goes on from the newest checkpoint; without one that is an error.
        device: "auto", "cpu", "cuda", ...
        compiled: Runs the network through torch.compile: a minute or two at the start, faster steps after it. Without a
            compiler on the machine that is said, and left.
        group: The processes that train together, as `ediffuser.runtime.distributed.processes` gives them.
        stop: Once it is true for one of the processes, the next step is the last one, and a checkpoint of it published.

    Yields:
        Each optimizer step.

    Raises:
        BadInputError: If the data or the run directory cannot be used, another process trains in it, the batch cannot
            be shared equally, or the last checkpoint cannot be saved. If a picture cannot be read, what is trained
            until then is saved first.
        PeerError: If another process could not start, read its pictures or save.
        DivergedError: If loss, gradient or weights are not finite; nothing is published of that step.
    """
    with ExitStack() as claim:
        with group.together():
            share = group.share(experiment.batch, experiment.accumulation)
            place = group.device(choose_device(device))
            pictures = experiment.data.open()
            if group.first:
                logger.info("%s", found(pictures, experiment.data.path))
            order = experiment.order.open(pictures)
            pictures.prepare()  # once, before the clock of the steps runs
            if group.first:
                claim.enter_context(_claimed(directory, resume=resume))
            data = DataFingerprint.of(pictures)
            state = open_run(experiment, directory, data, resume=resume, device=place, group=group)
        group.assert_alike({"images seen": torch.tensor(state.images_seen)} | state.tensors())
        if compiled and (missing := missing_compiler(place)):
            logger.warning("%s: the network is not compiled, and training goes on without that", missing)
            compiled = False
        network = torch.compile(state.network) if compiled else state.network
        state.network.train()
        tune(place)
        denoiser = experiment.model.denoiser(network, choose_precision(experiment.precision, place))
        stream = batches(
            pictures,
            seed=experiment.seed,
            images_seen=state.images_seen,
            batch=share,
            flip=experiment.data.flip,
            order=order,
            rank=group.rank,
            world=group.world,
        )
        saver, figures = Saver(experiment, directory, state, group, epoch=len(pictures)), {}
        while state.images_seen < experiment.images:
            started = time.perf_counter()
            try:
                with group.together():
                    batch = next(stream)
                    waited = time.perf_counter() - started
            except (BadInputError, PeerError):
                saver.rescue(figures)
                raise
            rate = experiment.optimizer.rate(state.images_seen, experiment.images)
            parts, norm = _optimizer_step(experiment, state, denoiser, batch, rate, group)
            took = time.perf_counter() - started
            state.seconds += took
            last = group.any(bool(stop)) or state.images_seen >= experiment.images
            figures = {**parts, "gradient_norm": norm, "learning_rate": rate, "seconds": state.seconds}
            checkpoint = None
            if last or _crosses(state.images_seen, experiment.batch, experiment.checkpoint_every):
                checkpoint = saver.publish(figures, last=last)
            yield TrainingStep(
                state.images_seen,
                parts.pop("loss"),
                norm,
                rate,
                state.seconds,
                checkpoint,
                parts,
                step_seconds=took,
                data_wait=waited,
                peak_memory_bytes=peak_memory_bytes(place),
                average=state.average,
            )
            if last:
                return


def _claimed(directory: Path, *, resume: bool) -> AbstractContextManager[None]:
    """The run directory, made if there is none, for this process alone."""
    if resume and not checkpoints(directory):
        raise BadInputError(f"nothing to resume in {directory}: it holds no finished checkpoint")
    make_folder(directory)
    return only_one(directory)


def _crosses(images_seen: int, batch: int, every: int) -> bool:
    return images_seen // every > (images_seen - batch) // every


def _optimizer_step(
    experiment: Experiment,
    state: TrainingState,
    denoiser: NetworkDenoiser,
    batch: Batch,
    rate: float,
    group: Processes,
) -> tuple[dict[str, float], float]:
    """Moves the weights once, alike on all processes; the loss with its parts and the gradient's norm, those of all."""
    # Dropout is the one user of the global random state: it follows from the seed, the images seen and the rank.
    torch.manual_seed(derived_seed("dropout", experiment.seed, state.images_seen, group.rank))
    means, times, losses = _backward(experiment, state, denoiser, batch)
    means = dict(zip(means, group.mean(torch.stack(list(means.values()))), strict=True))
    group.average_gradients(state.network.parameters())
    norm = torch.nn.utils.clip_grad_norm_(state.network.parameters(), experiment.optimizer.clip_norm)
    loss = means["loss"]
    if not (loss.isfinite() and norm.isfinite()):
        raise DivergedError(
            f"training diverged after {state.images_seen} images: loss {loss.item()}, gradient norm {norm.item()}; "
            "resume from the last checkpoint with a lower learning rate"
        )
    for moved in state.optimizer.param_groups:
        moved["lr"] = rate
    state.optimizer.step()
    state.optimizer.zero_grad(set_to_none=True)
    if state.adversary is not None:
        state.adversary.step(group, experiment.batch)
    if state.history is not None:
        state.history.remember(group.gather(times.cpu()), group.gather(losses.cpu()))
    state.steps += 1
    state.images_seen += experiment.batch
    update_ema(state.average, state.network, experiment.ema.decay_at(state.steps))
    return {name: mean.item() for name, mean in means.items()}, norm.item()


def _backward(
    experiment: Experiment, state: TrainingState, denoiser: NetworkDenoiser, batch: Batch
) -> tuple[dict[str, Tensor], Tensor, Tensor]:
    """The batch's "loss", whose gradient is left in the weights, and its parts; of each picture its time and loss."""
    place, count = next(state.network.parameters()).device, experiment.accumulation
    means, found = {}, []
    for images, positions in zip(batch.images.chunk(count), batch.positions.chunk(count), strict=True):
        times, parts = _parts(experiment, state, denoiser, images.to(place), positions)
        losses = experiment.objective.total(parts)
        if experiment.perceptual:
            losses = losses + experiment.perceptual.weight * parts["perceptual"]
        if state.adversary is not None:
            losses = losses + state.adversary.weight * parts["adversarial"]
        weights = torch.ones_like(losses) if state.history is None else state.history.weights(times).to(losses)
        some = {name: (values * weights).mean() / count for name, values in {"loss": losses, **parts}.items()}
        (some["loss"] + some["critic"] if "critic" in some else some["loss"]).backward()
        means = {name: means.get(name, 0) + mean.detach().cpu() for name, mean in some.items()}
        found.append((times, losses.detach()))
    times, losses = (torch.cat(pieces) for pieces in zip(*found, strict=True))
    return means, times, losses


def _parts(
    experiment: Experiment, state: TrainingState, denoiser: NetworkDenoiser, x0: Tensor, positions: Tensor
) -> tuple[Tensor, dict[str, Tensor]]:
    """Of each picture a time and the parts of its loss; what is random is a function of the seed and its position."""
    noise = Noise.rows(experiment.seed, positions.tolist(), x0.device)
    eps, uniform = noise.normal(x0.shape[1:]), noise.uniform()
    known = state.history
    times = experiment.times.times(uniform, denoiser.schedule) if known is None else known.times(uniform)
    observation = experiment.model.task.observe(x0, noise)
    trained = Remembering(bound(denoiser, observation))
    parts = experiment.objective.parts(trained, x0, eps, times, observation.weight, experiment.weighting)
    if state.eye is not None:
        belief = trained.last
        seen = (*state.eye.both(belief.x0, x0), belief.alpha, observation.weight)
        if experiment.perceptual:
            parts["perceptual"] = experiment.perceptual.part(*seen)
        if state.adversary is not None:
            parts |= state.adversary.parts(*seen)
    return times, parts
