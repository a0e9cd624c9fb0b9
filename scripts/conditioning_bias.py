"""The table of docs/conditioning.md: how far each conditioning is from the exact conditional distribution.

    python scripts/conditioning_bias.py

Nothing is trained: the pictures are Gaussian, so the denoiser and what it should do are closed forms (`tests/bias.py`).
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # the closed forms are the tests'

from bias import CASES, TASKS, table_line

FIGURES = "mean off by | spread | distance"


def main() -> None:
    """Prints the table in Markdown, line by line as it is measured."""
    print(f"| conditioning | sampler | calls | {' | '.join(f'{task}: {FIGURES}' for task in TASKS)} |")
    print(f"|---|---|{'---:|' * (1 + 3 * len(TASKS))}")
    for case in CASES:
        print(table_line(case, [case.measured(task) for task in TASKS]), flush=True)


if __name__ == "__main__":
    main()
