"""The command line: thin commands over the library, and the exit codes.

0 done, 1 a fault of ours, 2 bad input, 3 training diverged, 130 interrupted.
"""

import os
import sys
from collections.abc import Sequence

import tyro

from ediffuser.cli.colorize import colorize
from ediffuser.cli.evaluate import evaluate
from ediffuser.cli.generate import generate
from ediffuser.cli.inpaint import inpaint
from ediffuser.cli.models import models
from ediffuser.cli.serve import serve
from ediffuser.cli.study import study
from ediffuser.cli.submit import submit
from ediffuser.cli.train import train
from ediffuser.runtime.distributed import PeerError
from ediffuser.runtime.errors import BadInputError
from ediffuser.training import DivergedError

COMMANDS = {
    "serve": serve,
    "inpaint": inpaint,
    "colorize": colorize,
    "generate": generate,
    "train": train,
    "evaluate": evaluate,
    "study": study,
    "submit": submit,
    "models": models,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one command and exits with its code."""
    try:
        tyro.extras.subcommand_cli_from_dict(
            COMMANDS, args=arguments, prog="ediffuser", description="Denoising diffusion models for images."
        )
    except BadInputError as error:
        _stop(2, str(error))
    except DivergedError as error:
        _stop(3, str(error))
    except PeerError:
        sys.exit(1)
    except KeyboardInterrupt:
        _stop(130, "interrupted")


def _stop(code: int, message: str) -> None:
    # Of several processes, one is at fault where the input is bad; all else happens to all, and the first says it.
    if code == 2 or os.environ.get("RANK", "0") == "0":
        print(f"ediffuser: {message}", file=sys.stderr)
    sys.exit(code)
