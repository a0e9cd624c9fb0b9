"""Several processes that train or generate as one; torchrun starts them.

Each takes its share of the work, and collectives bring together what all must know. A process on its own goes through
the same code: `ALONE` hands back what it is given.

Gradients are averaged by one all-reduce of all of them, after the last part of an accumulated batch, and not by torch's
DistributedDataParallel. That sorts gradients into other buckets from its second step on, and three or more processes
add in an order that depends on the place in the bucket, so that a run that was resumed differs from one that was not.
Here every gradient has the same place in every step. What is given up is that gradients travel while the backward pass
still runs (docs/decisions/0007-sharded-state.md).
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.rendezvous import rendezvous

from ediffuser.runtime.errors import BadInputError

T = TypeVar("T")

VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
"""What torchrun tells a process about the others."""

PATIENCE = timedelta(minutes=30)
"""How long a process waits for the others, for example while the first one writes a checkpoint."""

LONG_PATIENCE = timedelta(days=7)
"""The same where each does work of its own in between, which may take hours; who dies ends the wait at once."""


class PeerError(RuntimeError):
    """Another process of the group has failed; its own message says why."""


@dataclass(frozen=True)
class Processes:
    """The processes that work together, as one of them sees them. Collectives are to be called by all, in one order.

    Attributes:
        rank: This process, in [0, world).
        world: How many there are.
        local_rank: This process among those of its machine.
        group: How they talk; None where there is only this one.
    """

    rank: int = 0
    world: int = 1
    local_rank: int = 0
    group: dist.ProcessGroup | None = None

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and prints for all."""
        return self.rank == 0

    def device(self, place: torch.device) -> torch.device:
        """The device of this process: of several GPUs its own.

        Raises:
            BadInputError: If there are more processes on this machine than GPUs.
        """
        if place.type != "cuda" or place.index is not None or self.group is None:
            return place
        if self.local_rank >= torch.cuda.device_count():
            raise BadInputError(
                f"process {self.local_rank} of this machine has no GPU of its own, there are "
                f"{torch.cuda.device_count()}; start as many with --nproc-per-node"
            )
        return torch.device("cuda", self.local_rank)

    def share(self, batch: int, accumulation: int = 1) -> int:
        """How many pictures of a batch are this process's.

        Raises:
            BadInputError: If the batch cannot be divided into equal parts.
        """
        if batch % (self.world * accumulation):
            raise BadInputError(
                f"batch {batch} cannot be shared equally: make it a multiple of "
                f"{self.world * accumulation} ({self.world} processes x accumulation {accumulation})"
            )
        return batch // self.world

    def mine(self, items: Sequence[T]) -> Sequence[T]:
        """This process's part of some work: every world-th item."""
        return items[self.rank :: self.world]

    def mean(self, value: Tensor) -> Tensor:
        """The mean over all processes; same shape."""
        if self.group is None:
            return value
        total = value.clone()
        dist.all_reduce(total, group=self.group)
        return total / self.world

    def average_gradients(self, weights: Iterable[torch.nn.Parameter]) -> None:
        """Replaces the gradients by their mean over all processes."""
        if self.group is None:
            return
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(flat, group=self.group)
        flat /= self.world
        for gradient, mean in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(mean.view(gradient.shape))

    def gather(self, rows: Tensor) -> Tensor:
        """The rows of all processes in the order of ranks: (B, ...), the same B everywhere, to (world B, ...)."""
        if self.group is None:
            return rows
        parts = [torch.empty_like(rows) for _ in range(self.world)]
        dist.all_gather(parts, rows.contiguous(), group=self.group)
        return torch.cat(parts)

    def gather_parts(self, rows: Tensor) -> list[Tensor]:
        """The rows of each process, (B_rank, ...), in the order of ranks; they may differ in B."""
        if self.group is None:
            return [rows]
        counts = self.gather(torch.tensor([len(rows)])).tolist()
        padded = torch.cat([rows, rows.new_zeros(max(counts) - len(rows), *rows.shape[1:])])
        return [part[:count] for part, count in zip(self.gather(padded).chunk(self.world), counts, strict=True)]

    def any(self, flag: bool) -> bool:
        """Whether it is so for one of the processes: all get the same answer at the same moment."""
        return bool(self.gather(torch.tensor([flag])).any())

    @contextmanager
    def together(self) -> Iterator[None]:
        """Waits at the end of the block until all have passed it; if it fails for one, it fails for all.

        Within the block a process may do what the others do not, but call no collective. What went wrong is raised by
        the first process where it did, so that it is said once.

        Raises:
            PeerError: By all the others.
        """
        failure: Exception | None = None
        try:
            yield
        except Exception as error:
            failure = error
        failed = self.gather(torch.tensor([failure is not None])).tolist()
        if failure is not None and not any(failed[: self.rank]):
            raise failure
        if any(failed):
            raise PeerError(f"process {failed.index(True)} of this run has failed; its message says why") from failure

    def assert_alike(self, tensors: Mapping[str, Tensor]) -> None:
        """Makes sure that all processes hold the same numbers, by their sums in float64.

        Raises:
            RuntimeError: If they do not; names the first tensor that differs.
        """
        if self.group is None:
            return
        names = sorted(tensors)  # what is loaded from a file comes in an order of its own in every process
        sums = self.gather(torch.stack([tensors[name].double().sum().cpu() for name in names])[None])
        same = (sums == sums[0]) | (sums.isnan() & sums[0].isnan())
        for name, alike in zip(names, same.all(0).tolist(), strict=True):
            if not alike:
                raise RuntimeError(f"the {self.world} processes of this run have drifted apart: {name} differs")


ALONE = Processes()
"""One process on its own."""


def restarts() -> int:
    """How often torchrun has started this process anew because one of its group ended."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))


@contextmanager
def processes(patience: timedelta = PATIENCE) -> Iterator[Processes]:
    """The processes that torchrun started, or whoever sets the same variables; `ALONE` without them.

    Tensors on the CPU travel by gloo, those on GPUs by NCCL. The group ends with the block, however that ends.

    Args:
        patience: How long one waits for the others.

    Raises:
        BadInputError: If only some of the variables are set.
    """
    missing = [name for name in VARIABLES if name not in os.environ]
    if "RANK" in missing:
        yield ALONE
        return
    if missing:
        raise BadInputError(f"RANK is set but {', '.join(missing)} not; start with torchrun, or unset RANK")
    store, rank, world = next(rendezvous("env://", timeout=PATIENCE))
    # When torchrun starts processes anew its store may be the old one, with the addresses of those that died.
    store = dist.PrefixStore(f"start-{restarts()}", store)  # pyright: ignore[reportPrivateImportUsage]  documented
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() and dist.is_nccl_available() else "gloo"
    dist.init_process_group(backend, store=store, rank=rank, world_size=world, timeout=patience)
    try:
        yield Processes(rank, world, int(os.environ["LOCAL_RANK"]), dist.group.WORLD)
    finally:
        dist.destroy_process_group()
