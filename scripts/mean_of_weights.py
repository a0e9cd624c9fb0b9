"""The mean of a model's weights and of those that it was trained further to.

    python scripts/mean_of_weights.py photos-128 runs/further --share 0.5 --out runs/mean

Two runs from one beginning lie in one basin, and half way between them is often better than at either end (Wortsman et
al. 2022, "Model soups"). What the second has and the first has not, such as a path of pixels, counts in the first as it
began: weights that begin as 0 as 0, so that it changes nothing there, the others as the second's.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import torch
import tyro
from torch import Tensor
from tyro.conf import Positional

from ediffuser import zoo
from ediffuser.model import load_checkpoint, model_files
from ediffuser.runtime.checkpoint import write_checkpoint
from ediffuser.runtime.errors import BadInputError


@dataclass(frozen=True)
class Options:
    """What is mixed.

    Attributes:
        first: A name in the zoo, or a checkpoint or run directory.
        second: Another, that was trained further from the first; all settings are its.
        out: Where the mean goes, a checkpoint of float16; nothing may be there.
        share: Of the second, in [0, 1].
    """

    first: Positional[str]
    second: Positional[str]
    out: Path
    share: float = 0.5


def main() -> None:
    """Mixes; exit code 2 with one line where that cannot be done."""
    options = tyro.cli(Options, description=__doc__)
    try:
        mix(options)
    except BadInputError as error:
        print(f"mean_of_weights: {error}", file=sys.stderr)
        sys.exit(2)


def mix(options: Options) -> None:
    """Writes the mean.

    Raises:
        BadInputError: If a model cannot be read, they are not of one kind, the share is none, or something is there.
    """
    if not 0 <= options.share <= 1:
        raise BadInputError(f"share {options.share:g} must be in [0, 1]")
    if options.out.exists():
        raise BadInputError(f"{options.out} is there already; choose another --out or remove it")
    first, second = (load_checkpoint(zoo.find(name), "cpu", "float32") for name in (options.first, options.second))
    beginning = second.config.network.build().state_dict()
    ours, theirs = first.network.state_dict(), second.network.state_dict()
    for name, tensor in ours.items():
        if name not in theirs or theirs[name].shape != tensor.shape:
            raise BadInputError(f"{options.second} was not trained from {options.first}: {name} is not in both alike")
    for name in theirs.keys() - ours.keys():
        ours[name] = theirs[name] if beginning[name].any() else beginning[name]
    second.network.load_state_dict(mean(ours, theirs, options.share))
    write_checkpoint(options.out, model_files(second.config, second.network, torch.float16))
    print(f"{options.out}: {1 - options.share:g} of {options.first} and {options.share:g} of {options.second}")


def mean(ours: dict[str, Tensor], theirs: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    """(1 - share) ours + share theirs, tensor by tensor."""
    return {name: (1 - share) * ours[name] + share * value for name, value in theirs.items()}


if __name__ == "__main__":
    main()
