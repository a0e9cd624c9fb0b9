"""Trains the CIFAR-10 classifier that judges colourings, and writes its weights as float16.

    python scripts/cifar_classifier.py cifar10-train.zip runs/cifar-classifier
    python scripts/cifar_classifier.py cifar10-train.zip runs/cifar-classifier --test cifar10-test.zip

The same command goes on where it was stopped; other `--epochs` then change how the learning rate goes on. 1,000
pictures are held out and measured after every epoch; the test pictures are looked at by the second command alone, at
the end.
"""

import copy
import hashlib
import itertools
import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
import torch.nn.functional as F
import tyro
from torch import Tensor, nn
from tyro.conf import Positional

from ediffuser.data import Cifar10, batches
from ediffuser.data.pictures import ArrayPictures, Pictures
from ediffuser.evaluation.cifar_classifier import CifarNetwork
from ediffuser.runtime.files import write_atomically
from ediffuser.runtime.noise import Noise
from ediffuser.runtime.pixels import from_uint8

HELD_OUT = 1000
WARM_UP = 0.2


@dataclass(frozen=True)
class Training:
    """What is trained on, and how.

    Attributes:
        data: CIFAR-10's training pictures.
        out: Folder of the run.
        test: CIFAR-10's test pictures, for the one measurement at the end.
        epochs: Over the pictures that are not held out.
        batch: Pictures a step.
        rate: Greatest learning rate, reached after a fifth of the run (`part_of_rate`).
        decay: Of the weights.
        shift_px: Greatest shift along each side, with reflected edges.
        cutout_px: Side of the square that is greyed.
        smoothing: Part of the target that is spread over all classes.
        average: Decay of the running mean of the weights, which is what is shipped.
        seed: Of everything.
    """

    data: Positional[Path]
    out: Positional[Path]
    test: Path | None = None
    epochs: int = 30
    batch: int = 128
    rate: float = 0.12
    decay: float = 5e-4
    shift_px: int = 3
    cutout_px: int = 10
    smoothing: float = 0.1
    average: float = 0.995
    seed: int = 0


def main(training: Training) -> None:
    """Trains to the end, then measures on the test pictures if they are given."""
    training.out.mkdir(parents=True, exist_ok=True)
    mean = train(training)
    content = safetensors.torch.save(stored(mean))
    write_atomically(training.out / "model.safetensors", content)
    print(f"model.safetensors: {len(content):,} bytes, SHA-256 {hashlib.sha256(content).hexdigest()}")
    if training.test:
        mean.load_state_dict(safetensors.torch.load(content))
        test = Cifar10(path=str(training.test)).open()
        right = accuracy(mean, test)
        print(f"test: {100 * right:.2f} % of {len(test):,} pictures")


def train(training: Training) -> nn.Module:
    """The running mean of the weights after the last epoch; saved after each."""
    kept, measured = parts(Cifar10(path=str(training.data)).open(), training.seed)
    steps = len(kept) // training.batch
    torch.manual_seed(training.seed)
    network = CifarNetwork()
    network.set_whitening(from_uint8(kept.batch(range(min(1000, len(kept))))))
    network.to(memory_format=torch.channels_last)
    mean = copy.deepcopy(network)
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    optimizer = torch.optim.SGD(weights, training.rate, momentum=0.9, nesterov=True, weight_decay=training.decay)
    saved = training.out / "state.pt"
    parts_of_state = {"network": network, "mean": mean, "optimizer": optimizer}
    done = restored(saved, parts_of_state)
    labels = torch.as_tensor(kept.labels)
    stream = batches(
        kept, seed=training.seed, images_seen=done * steps * training.batch, batch=training.batch, flip=True
    )
    for epoch in range(done, training.epochs):
        start, losses = time.monotonic(), 0.0
        network.train()
        for step, batch in enumerate(itertools.islice(stream, steps), start=epoch * steps):
            optimizer.param_groups[0]["lr"] = training.rate * part_of_rate(step / (training.epochs * steps))
            images = varied(batch.images, batch.positions, training)
            with torch.autocast("cpu", torch.bfloat16):
                logits = network(images)
            loss = F.cross_entropy(logits.float(), labels[batch.indices], label_smoothing=training.smoothing)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            average(mean, network, min(training.average, 1 - 1 / (step + 2)))
            losses += loss.item() / steps
        state = {name: part.state_dict() for name, part in parts_of_state.items()}
        temporary = saved.with_suffix(".tmp")
        torch.save(state | {"epoch": epoch + 1}, temporary)
        temporary.replace(saved)
        speed = steps * training.batch / (time.monotonic() - start)
        print(
            f"epoch {epoch + 1:2}: loss {losses:.3f}, held out {100 * accuracy(mean, measured):.1f} % "
            f"(before the mean {100 * accuracy(network, measured):.1f} %), "
            f"{speed:.0f} pictures/s",
            flush=True,
        )
    return mean


def part_of_rate(done: float) -> float:
    """The learning rate after a part of the run: half a cosine up from 1/25 to 1 over a fifth, then one down to 0."""
    if done < WARM_UP:
        return 1 - (1 - 1 / 25) * (1 + math.cos(math.pi * done / WARM_UP)) / 2
    return (1 + math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP))) / 2


def parts(pictures: Pictures, seed: int) -> tuple[ArrayPictures, ArrayPictures]:
    """What is trained on, and what is held out: `HELD_OUT` pictures at random."""
    order = torch.randperm(len(pictures), generator=torch.Generator().manual_seed(seed)).numpy()
    assert pictures.labels is not None

    def part(rows: np.ndarray) -> ArrayPictures:
        return ArrayPictures(pictures.batch(rows).numpy(), pictures.labels[rows], pictures.classes)

    return part(order[HELD_OUT:]), part(order[:HELD_OUT])


def restored(saved: Path, parts_of_state: dict) -> int:
    """The epochs that are done; loads what was saved after the last of them."""
    if not saved.exists():
        return 0
    state = torch.load(saved, weights_only=True)
    for name, part in parts_of_state.items():
        part.load_state_dict(state[name])
    return state["epoch"]


def varied(images: Tensor, positions: Tensor, training: Training) -> Tensor:
    """Each picture shifted, with a square greyed; drawn from (seed, position), so that a resumed run is the same."""
    draws = Noise.rows(training.seed, positions.tolist()).uniform((4,))
    reach, cut, side = training.shift_px, training.cutout_px, images.shape[-1]
    padded = F.pad(images, (reach,) * 4, mode="reflect")
    tops, lefts = (draws[:, :2] * (2 * reach + 1)).long().unbind(1)
    rows, columns = tops[:, None] + torch.arange(side), lefts[:, None] + torch.arange(side)
    every = torch.arange(len(images))[:, None, None]
    shifted = padded.permute(0, 2, 3, 1)[every, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
    corners = (draws[:, 2:] * (side + cut)).long() - cut  # the square may lie partly outside
    inside = [(torch.arange(side) >= at[:, None]) & (torch.arange(side) < at[:, None] + cut) for at in corners.T]
    return shifted.masked_fill((inside[0][:, :, None] & inside[1][:, None, :])[:, None], 0)


@torch.no_grad()
def average(mean: nn.Module, network: nn.Module, decay: float) -> None:
    """mean <- decay mean + (1 - decay) network, the statistics of the norms like the weights.

    Those of the network itself do not fit the mean's weights while the learning rate is high.
    """
    for target, source in zip(mean.state_dict().values(), network.state_dict().values(), strict=True):
        if target.is_floating_point():
            target.lerp_(source, 1 - decay)
        else:
            target.copy_(source)


@torch.no_grad()
def accuracy(network: nn.Module, pictures: Pictures) -> float:
    """The part of pictures that is classified right, in float32."""
    network.eval()
    labels, right = torch.as_tensor(pictures.labels), 0
    for rows in torch.arange(len(pictures)).split(250):
        images = from_uint8(pictures.batch(rows.numpy())).contiguous(memory_format=torch.channels_last)
        right += int((network(images).argmax(1) == labels[rows]).sum())
    return right / len(pictures)


def stored(network: nn.Module) -> dict[str, Tensor]:
    """The weights as they are shipped: convolutions as float16, all else, which is small, as float32."""
    state = network.state_dict()
    return {name: (value.half() if value.ndim == 4 else value).contiguous() for name, value in state.items()}


if __name__ == "__main__":
    main(tyro.cli(Training, description=__doc__))
