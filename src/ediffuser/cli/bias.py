"""The options --bias and --group of `ediffuser evaluate`: what tells the groups of pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ediffuser.data.groups import Groups, groups_from_csv
from ediffuser.evaluation.bias_report import TEXT, write_bias
from ediffuser.evaluation.plan import Plan
from ediffuser.evaluation.spread import classes_in_turn
from ediffuser.runtime.errors import BadInputError

NETWORK = ".onnx"


@dataclass(frozen=True)
class GroupChoice:
    """A table of attributes with the columns that make the groups, or a classifier, or both, or nothing."""

    table: Path | None
    columns: tuple[str, ...]
    classifier: str | None

    @classmethod
    def of(cls, files: Sequence[Path], group: str | None) -> "GroupChoice":
        """What was given on the command line.

        Raises:
            BadInputError: If there are two tables or two classifiers, or columns of no table.
        """
        networks = [str(file) for file in files if file.suffix.lower() == NETWORK]
        tables = [file for file in files if file.suffix.lower() != NETWORK]
        if len(networks) > 1 or len(tables) > 1:
            raise BadInputError("--bias takes one table and one classifier (.onnx) at most; give each once")
        if group is not None and not tables:
            raise BadInputError(f"--group {group} needs the table it is a column of: --bias groups.csv")
        columns = tuple(name.strip() for name in (group or "").split(",") if name.strip())
        return cls(tables[0] if tables else None, columns, networks[0] if networks else None)

    def groups(self, plan: Plan) -> Groups | None:
        """The groups of the pictures that a plan uses, by the table; None without one.

        Raises:
            BadInputError: If the table cannot be used, or the plan has no pictures that could be in one.
        """
        if self.table is None:
            return None
        if plan.task == "generation":
            raise BadInputError("pictures from nothing are in no table of attributes: give --bias a classifier, .onnx")
        return groups_from_csv(self.table, self.columns, classes_in_turn(plan.data.open()).names[: plan.count])

    def report(self, out: Path, groups: Groups | None) -> str:
        """Writes what a finished evaluation says of the groups; what to print, "" if none were asked for.

        Raises:
            BadInputError: If the evaluation is not whole.
        """
        if self.table is None and self.classifier is None:
            return ""
        by = "" if self.table is None else f"{', '.join(self.columns)} in {self.table.name}"
        return f"\n\n{write_bias(out, groups, by)}\n{out / TEXT}"
