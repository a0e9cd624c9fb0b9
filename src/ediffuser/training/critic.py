"""A critic that learns to tell what was painted from what is real, and a term of the loss: to be taken for real by it.

The squared error is least at the mean of all pictures that fit, and features of it (`perceptual`) still have a mean. A
critic that learns along finds any softness that all guesses share. It looks at frozen features of a classifier, so its
few layers learn within hundreds of steps (Sauer et al. 2021, "Projected GANs converge faster"), and judges the guesses
of x_0 at all noise levels (as Sauer et al. 2023, "Adversarial diffusion distillation"), position by position, those
alone that the loss counts: the hole, of which it sees the real surroundings too.

What holds of the perceptual term holds of this one: the guess is no longer E[x_0 | x_t], and figures under the same
features (EfficientNet-Lite0) flatter the model.
"""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from ediffuser.runtime.component import component
from ediffuser.runtime.distributed import Processes
from ediffuser.training.perceptual import CHANNELS

WIDTH = 64
BETAS = (0.0, 0.99)
"""Of the critic's Adam: without momentum, as what it has to tell apart changes with every step (Karras et al. 2018)."""


@component
class AdversarialTerm:
    """max(alpha^2, floor) times how little the critic is deceived, added to the loss.

    Attributes:
        weight: Of the term.
        floor: The least that takes the place of alpha^2.
        learning_rate: The critic's.
        warmup_images: Images in which the critic learns alone; the weight then rises over as many.
    """

    weight: float = Field(default=0.02, gt=0)
    floor: float = Field(default=0.25, ge=0, le=1)
    learning_rate: float = Field(default=5e-4, gt=0)
    warmup_images: int = Field(default=640, ge=1)

    def weight_at(self, images: int) -> float:
        """The weight once the critic has seen so many images."""
        return self.weight * min(1.0, max(0.0, images / self.warmup_images - 1))


class Critic(nn.Module):
    """On each map of features three small layers, which say of each position how real it looks."""

    def __init__(self, channels: Iterable[int]) -> None:
        """Draws the weights from torch's random state."""
        super().__init__()
        self.heads = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(count, WIDTH, 3, padding=1),
                nn.LeakyReLU(0.2),
                nn.Conv2d(WIDTH, WIDTH, 3, padding=1),
                nn.LeakyReLU(0.2),
                nn.Conv2d(WIDTH, 1, 1),
            )
            for count in channels
        )

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Maps of unit length at each position to scores, (B, C, h, w) to (B, 1, h, w) each."""
        return [head(one * one.shape[1] ** 0.5) for head, one in zip(self.heads, maps, strict=True)]


class Adversary:
    """The critic of a run with its optimizer.

    Attributes:
        images: How many it has seen, over all processes: fewer than the run, if that went on with it later.
    """

    def __init__(self, term: AdversarialTerm, device: torch.device) -> None:
        """A new critic, its weights drawn from torch's random state."""
        self._term = term
        self.images = 0
        self.critic = Critic(CHANNELS).to(device)
        self.optimizer = torch.optim.Adam(self.critic.parameters(), lr=term.learning_rate, betas=BETAS)

    @property
    def weight(self) -> float:
        """Of the term, at this moment."""
        return self._term.weight_at(self.images)

    def parts(self, painted: list[Tensor], real: list[Tensor], alpha: Tensor, hole: Tensor | None) -> dict[str, Tensor]:
        """Two losses of each guess, shape (B,): "adversarial" moves the network alone, "critic" the critic alone.

        They are hinges: the critic wants scores above 1 on real positions and under -1 on painted ones. The arguments
        are the features of guesses and of their pictures, alpha at their times, and what counts.
        """
        frozen = {name: weights.detach() for name, weights in self.critic.named_parameters()}
        deceived = torch.func.functional_call(self.critic, frozen, (painted,))
        alpha2 = (alpha.reshape(-1) ** 2).clamp(min=self._term.floor)
        told = self.critic([one.detach() for one in painted])
        critic = counted([F.relu(1 + score) for score in told], hole)
        critic = critic + counted([F.relu(1 - score) for score in self.critic(real)], hole)
        return {"adversarial": -alpha2 * counted(deceived, hole), "critic": critic}

    def step(self, group: Processes, images: int) -> None:
        """Moves the critic by its gradients, those of all processes, of so many images."""
        group.average_gradients(self.critic.parameters())
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.images += images

    def tensors(self) -> dict[str, Tensor]:
        """Weights and moments, to be saved."""
        moments = self.optimizer.state_dict()["state"]
        saved = {f"critic.{name}": value for name, value in self.critic.state_dict().items()}
        saved["images"] = torch.tensor(self.images)
        return saved | {f"optimizer.{i}.{key}": v for i, state in moments.items() for key, v in state.items()}

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Goes on with what was saved; a new critic where nothing was.

        Raises:
            RuntimeError: If it was another critic.
        """
        if not tensors:
            return
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            if name.startswith("optimizer."):
                _, index, key = name.split(".")
                moments.setdefault(int(index), {})[key] = value
        weights = {name.removeprefix("critic."): v for name, v in tensors.items() if name.startswith("critic.")}
        self.critic.load_state_dict(weights)
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": moments, "param_groups": groups})
        self.images = int(tensors["images"])


def counted(values: list[Tensor], hole: Tensor | None) -> Tensor:
    """The mean over what counts of each map, and over maps.

    Args:
        values: Shape (B, 1, h, w) each.
        hole: What counts, shape (B, 1, H, W), in part where positions are larger; None for all.

    Returns:
        Shape (B,).
    """
    means = []
    for value in values:
        if hole is None:
            means.append(value.mean(dim=(1, 2, 3)))
        else:
            share = F.adaptive_avg_pool2d(hole, (value.shape[-2], value.shape[-1]))
            # Not `picture_mean`, which counts an area of 1 at least: a small hole covers less than a coarse position.
            means.append((value * share).sum(dim=(1, 2, 3)) / share.sum(dim=(1, 2, 3)).clamp(min=1e-3))
    return torch.stack(means).mean(dim=0)
