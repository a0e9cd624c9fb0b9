"""The facade: load a model, bind what is known, iterate to a picture.

Row k of a call is drawn from (seed, first_index + k): it does not depend on how many rows there are, nor on how they
are batched. `*_steps` are the same as iterators, for progress, previews and cancelling.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from ediffuser import zoo
from ediffuser.conditioning import UNTRAINED_KINDS, Concat, Conditioning
from ediffuser.diffusion.denoiser import Denoiser
from ediffuser.diffusion.schedules import alpha_sigma
from ediffuser.model import Model, load_checkpoint
from ediffuser.runtime.device import PrecisionName
from ediffuser.runtime.errors import BadInputError
from ediffuser.runtime.noise import Noise
from ediffuser.samplers import Ddim, Sampler, Step
from ediffuser.tasks import AnyTask, Colorization, Inpainting, Observation, Unconditional
from ediffuser.tasks.sharpening import Sharpening

DEFAULT_SAMPLER = Ddim(steps=10, eta=1)
"""What paints where something is known and no sampler is named.

The noise of each step lets the next ones mend what the first got wrong; chosen by figures (docs/choosing-a-sampler.md).
"""

FREE_SAMPLER = Ddim(steps=25)
"""What makes pictures from nothing where no sampler is named: there few steps are best without noise (Song et al.)."""


def load(model: str | Path, *, device: str = "auto", precision: PrecisionName = "auto") -> Model:
    """A model, ready to generate.

    Args:
        model: A name in the zoo, or the path of a checkpoint or run directory.
        device: "auto" (CUDA where there is one, else CPU), "cpu", "cuda", ...
        precision: "auto" (bf16 where the hardware has it), "float32" or "bf16".

    Raises:
        BadInputError: If there is no such model, or the checkpoint is damaged; names the file and the reason.
    """
    return load_checkpoint(zoo.find(model), device, precision)


def generate(
    model: Model,
    *,
    count: int = 1,
    sampler: Sampler | None = None,
    seed: int = 0,
    first_index: int = 0,
    batch: int = 64,
) -> Tensor:
    """Pictures from nothing.

    Args:
        model: An unconditional model.
        count: How many.
        sampler: The way from noise to a picture; None is `FREE_SAMPLER`.
        seed: Picture k is drawn from (seed, first_index + k).
        first_index: Index of the first picture.
        batch: How many are made at once.

    Returns:
        float32 in [-1, 1], shape (count, C, H, W), on the model's device.

    Raises:
        BadInputError: If the model was trained on another task, or the sampler does not suit it.
    """
    if count < 1 or batch < 1:
        raise BadInputError(f"count {count} and batch {batch} must both be at least 1")
    parts = []
    for start in range(0, count, batch):
        keys = [(seed, first_index + row) for row in range(start, min(start + batch, count))]
        parts.append(_final(generate_rows(model, keys, sampler)))
    return torch.cat(parts)


def generate_rows(model: Model, keys: Sequence[tuple[int, int]], sampler: Sampler | None = None) -> Iterator[Step]:
    """The steps of `generate` for rows that need not belong together: row k is drawn from `keys[k]`, (seed, index)."""
    if not isinstance(model.config.task, Unconditional):
        raise BadInputError(
            f"this model was trained for {model.config.task.kind}; unconditional needs a model trained for it"
        )
    return _steps(model, model.denoiser, sampler or FREE_SAMPLER, Noise(keys, model.device))


def inpaint(
    model: Model,
    images: Tensor,
    holes: Tensor,
    *,
    sampler: Sampler | None = None,
    conditioning: Conditioning | None = None,
    seed: int = 0,
    first_index: int = 0,
) -> Tensor:
    """Pictures whose holes are painted anew.

    Args:
        model: A model trained to inpaint, or an unconditional one with a conditioning.
        images: In [-1, 1], shape (B, C, H, W) of the model's resolution; what lies in the hole does not matter.
        holes: 1 where to paint, else 0; shape (B, 1, H, W).
        sampler: The way from noise to a picture; None is `DEFAULT_SAMPLER`.
        conditioning: How an unconditional model is made to respect the known pixels, an approximation; for a model
            trained to inpaint None, which is `Concat()`.
        seed: Row k is drawn from (seed, first_index + k).
        first_index: Index of the first row.

    Returns:
        float32 in [-1, 1], shape (B, C, H, W), on the model's device; outside the hole the numbers of `images`.

    Raises:
        BadInputError: If shapes do not fit, the model was trained on another task, or an unconditional one has no
            conditioning.
        UnfitPairError: If the conditioning cannot work with the sampler; a BadInputError and a TypeError.
    """
    return _final(inpaint_steps(model, images, holes, sampler, conditioning, seed, first_index))


def inpaint_steps(
    model: Model,
    images: Tensor,
    holes: Tensor,
    sampler: Sampler | None = None,
    conditioning: Conditioning | None = None,
    seed: int = 0,
    first_index: int = 0,
) -> Iterator[Step]:
    """The steps of `inpaint`; same arguments. The last step's x is the result."""
    keys = [(seed, first_index + row) for row in range(len(images))]
    return inpaint_rows(model, images, holes, keys, sampler, conditioning)


def inpaint_rows(
    model: Model,
    images: Tensor,
    holes: Tensor,
    keys: Sequence[tuple[int, int]],
    sampler: Sampler | None = None,
    conditioning: Conditioning | None = None,
) -> Iterator[Step]:
    """The steps of `inpaint` for rows that need not belong together: row k is drawn from `keys[k]`, (seed, index)."""
    task, conditioning = _posed(model, Inpainting, conditioning)
    images = _checked(model, images)
    if holes.shape != (len(images), 1, *images.shape[2:]) or not ((holes == 0) | (holes == 1)).all():
        raise BadInputError(
            f"holes must be 0 or 1 with shape {(len(images), 1, *images.shape[2:])}, got {tuple(holes.shape)}"
        )
    return _observed_steps(model, task, images, holes.to(images), sampler, conditioning, keys)


def colorize(
    model: Model,
    images: Tensor,
    *,
    sampler: Sampler | None = None,
    conditioning: Conditioning | None = None,
    seed: int = 0,
    first_index: int = 0,
) -> Tensor:
    """Pictures in colour, with the luma of the given ones as far as RGB permits (`colorize_photo` keeps it all).

    Args:
        model: A model trained to colorize, or an unconditional one of RGB pictures with a conditioning.
        images: In [-1, 1], shape (B, 3, H, W) of the model's resolution; only their luma is looked at.
        sampler: The way from noise to a picture; None is `DEFAULT_SAMPLER`.
        conditioning: How an unconditional model is made to respect the luma, an approximation; for a model trained to
            colorize None, which is `Concat()`.
        seed: Row k is drawn from (seed, first_index + k).
        first_index: Index of the first row.

    Returns:
        float32 in [-1, 1], shape (B, 3, H, W), on the model's device.

    Raises:
        BadInputError: If shapes do not fit, the model was trained on another task or makes no RGB pictures, or an
            unconditional one has no conditioning.
        UnfitPairError: If the conditioning cannot work with the sampler; a BadInputError and a TypeError.
    """
    keys = [(seed, first_index + row) for row in range(len(images))]
    return _final(colorize_rows(model, images, keys, sampler, conditioning))


def painted_rows(
    model: Model,
    keys: Sequence[tuple[int, int]],
    images: Tensor | None = None,
    holes: Tensor | None = None,
    sampler: Sampler | None = None,
    conditioning: Conditioning | None = None,
) -> Iterator[Step]:
    """The steps of `generate` without images, of `colorize` without holes, else of `inpaint`; row k from `keys[k]`."""
    if images is None:
        return generate_rows(model, keys, sampler)
    if holes is None:
        return colorize_rows(model, images, keys, sampler, conditioning)
    return inpaint_rows(model, images, holes, keys, sampler, conditioning)


def colorize_rows(
    model: Model,
    images: Tensor,
    keys: Sequence[tuple[int, int]],
    sampler: Sampler | None = None,
    conditioning: Conditioning | None = None,
) -> Iterator[Step]:
    """The steps of `colorize` for rows that need not belong together: row k is drawn from `keys[k]`, (seed, index)."""
    task, conditioning = _posed(model, Colorization, conditioning)
    if model.shape[0] != 3:
        raise BadInputError(f"colorization needs a model of RGB pictures, 3 channels; this one's have {model.shape[0]}")
    return _observed_steps(model, task, _checked(model, images), None, sampler, conditioning, keys)


def _posed(
    model: Model, task: type[Inpainting | Colorization], conditioning: Conditioning | None
) -> tuple[AnyTask, Conditioning]:
    """The task as the model knows it, and the conditioning that suits the model."""
    trained, wanted = model.config.task, task().kind
    if isinstance(trained, task):
        if conditioning is None or isinstance(conditioning, Concat):
            return trained, Concat()
        kind = getattr(conditioning, "kind", type(conditioning).__name__)
        raise BadInputError(
            f"this model was trained for {wanted} and is told itself what is known: leave the conditioning out; {kind} "
            "is for models trained for unconditional"
        )
    if not isinstance(trained, Unconditional):
        raise BadInputError(f"this model was trained for {trained.kind}; {wanted} needs a model trained for it")
    if conditioning is None or isinstance(conditioning, Concat):
        raise BadInputError(
            f"this model was trained for {trained.kind}; {wanted} needs a model trained for it, or one of the "
            f"conditionings {', '.join(UNTRAINED_KINDS)}"
        )
    return task(), conditioning


def _observed_steps(
    model: Model,
    task: AnyTask,
    images: Tensor,
    holes: Tensor | None,
    sampler: Sampler | None,
    conditioning: Conditioning,
    keys: Sequence[tuple[int, int]],
) -> Iterator[Step]:
    noise = Noise(keys, model.device)
    observation = task.observe(images, noise, holes)
    bound, sampler = conditioning.bind(model.denoiser, sampler or DEFAULT_SAMPLER, observation)
    return _steps(model, bound, sampler, noise, observation)


@torch.no_grad()
def _steps(
    model: Model, denoiser: Denoiser, sampler: Sampler, noise: Noise, observation: Observation | None = None
) -> Iterator[Step]:
    """The trajectory from pure noise, sharpened at its end; previews carry what is known, and the end exactly."""
    start = noise.normal(model.shape).contiguous(memory_format=torch.channels_last)
    _, sigma = alpha_sigma(denoiser.schedule, torch.ones(()), like=start)
    for step in sampler.trajectory(denoiser, sigma * start, noise):
        x, x0 = step.x, step.x0
        if observation is not None:
            x0 = observation.keep(x0)
        if step.progress == 1:
            x = _finished(x, model.config.sharpening, observation)
        yield Step(step.t, x, x0, step.calls, step.progress)


def _finished(x: Tensor, sharpening: Sharpening | None, observation: Observation | None) -> Tensor:
    """The end of a trajectory as it is handed out."""
    if observation is None:
        return x if sharpening is None else sharpening(x.clamp(-1, 1))
    x = observation.keep(x)
    if sharpening is None:
        return x
    x, hole = x.clamp(-1, 1), observation.weight
    return observation.keep(sharpening(x) if hole is None else sharpening.within(x, hole))


def _final(steps: Iterator[Step]) -> Tensor:
    return _last(steps).x.clamp(-1, 1)


def _last(steps: Iterator[Step]) -> Step:
    return deque(steps, maxlen=1).pop()


def _checked(model: Model, images: Tensor) -> Tensor:
    if images.ndim != 4 or tuple(images.shape[1:]) != model.shape:
        raise BadInputError(
            f"images must have the model's shape (B, {', '.join(map(str, model.shape))}), got {tuple(images.shape)}"
        )
    if not images.isfinite().all() or images.abs().max() > 1:
        raise BadInputError("images must be finite numbers in [-1, 1]")
    return images.to(model.device, torch.float32)
