"""A small classifier of Fashion-MNIST, the judge of whether generated clothes can be recognised."""

import itertools
from pathlib import Path

import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ediffuser.data import FashionMnist, batches
from ediffuser.runtime.pixels import from_uint8

EPOCHS, BATCH, SURE = 12, 128, 0.9


def trained_classifier(path: str, kept: Path | None = None) -> nn.Module:
    """A network that maps pictures in [-1, 1], shape (B, 1, 32, 32), to 10 logits; six minutes on one core.

    Args:
        path: The folder with the files of Fashion-MNIST.
        kept: File of its weights, read if it is there and written if not.
    """
    torch.manual_seed(0)
    network = nn.Sequential(
        *(nn.Conv2d(1, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(64, 128, 3, padding=1), nn.BatchNorm2d(128), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Dropout(0.3), nn.Linear(128 * 16, 10)),
    )
    if kept and kept.exists():
        safetensors.torch.load_model(network, kept)
        return network.eval().requires_grad_(False)
    pictures = FashionMnist(path=path, resolution=32).open()
    labels = torch.as_tensor(pictures.labels)
    steps = EPOCHS * len(pictures) // BATCH
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
    stream = batches(pictures, seed=0, images_seen=0, batch=BATCH, flip=False)
    for batch in itertools.islice(stream, steps):
        optimizer.zero_grad()
        F.cross_entropy(network(batch.images), labels[batch.indices]).backward()
        optimizer.step()
        schedule.step()
    if kept:
        safetensors.torch.save_model(network, kept)
    return network.eval().requires_grad_(False)


def sureness(network: nn.Module, images: Tensor) -> Tensor:
    """The greatest probability of any class, shape (B,)."""
    return network(images.cpu().float()).softmax(1).amax(1)


def accuracy(network: nn.Module, path: str, count: int = 2000) -> tuple[float, float]:
    """On the first test pictures: the part that is classified right, and the part that it is sure of."""
    pictures = FashionMnist(path=path, split="test", resolution=32).open()
    images, labels = from_uint8(pictures.batch(range(count))), torch.as_tensor(pictures.labels)[:count]
    right = (network(images).argmax(1) == labels).float().mean().item()
    return right, (sureness(network, images) > SURE).float().mean().item()
