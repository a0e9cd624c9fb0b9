"""Groups of pictures by a table of attributes: the form of CelebA's, or any CSV with a column of pictures' names."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from ediffuser.runtime.errors import BadInputError, unknown_name

YES, NO = frozenset({"1", "true", "yes"}), frozenset({"-1", "0", "false", "no"})


@dataclass(frozen=True)
class Groups:
    """Which group each of N pictures belongs to.

    Attributes:
        names: Of the groups that occur, sorted; K of them.
        labels: Index into `names` of each picture, int64, shape (N,).
    """

    names: tuple[str, ...]
    labels: np.ndarray

    @classmethod
    def of(cls, names: Sequence[str]) -> "Groups":
        """The groups of pictures of which each one's is given by name."""
        found, labels = np.unique(np.array(names, dtype=str), return_inverse=True)
        return cls(tuple(found.tolist()), labels.astype(np.int64))

    @property
    def counts(self) -> np.ndarray:
        """Pictures in each group, int64, shape (K,)."""
        return np.bincount(self.labels, minlength=len(self.names))

    def members(self, group: int) -> np.ndarray:
        """The pictures of a group, ascending."""
        return np.flatnonzero(self.labels == group)


def groups_from_csv(path: str | Path, columns: Sequence[str], pictures: Sequence[str]) -> Groups:
    """Groups of pictures by one column of a table, or by several together.

    A column of 1 and -1, of 1 and 0 or of yes and no gives the groups "Male" and "not Male"; one of other words gives a
    group for each word, one of numbers "age 3". Of several columns each combination that occurs is a group: "Male, not
    Young". CelebA's own list_attr_celeba.txt is read too: columns between spaces, a count above them.

    A picture's line is the one that has its name in the first column: with its folders or without, whatever its suffix,
    so that 000001.webp finds 000001.jpg. Lines of other pictures are passed over.

    Args:
        path: The file, UTF-8, with a line of headings.
        columns: Headings.
        pictures: Names of the pictures, N of them, as `Pictures.names` has them.

    Raises:
        BadInputError: If the file cannot be read, has no such column, has a line that is not whole or one picture
            twice, or lacks a picture.
    """
    table = _Table.read(Path(path).expanduser())
    if not columns:
        raise BadInputError(f"no column of '{path}' is named: choose among {', '.join(table.headings[1:])}")
    lines = table.lines_of(pictures)
    words = [table.words(column, lines) for column in columns]
    return Groups.of([", ".join(parts) for parts in zip(*words, strict=True)])


@dataclass(frozen=True)
class _Table:
    path: Path
    headings: list[str]
    rows: list[list[str]]

    @classmethod
    def read(cls, path: Path) -> "_Table":
        try:
            text = path.read_text("utf-8-sig")
        except OSError as error:
            raise BadInputError(f"the groups of pictures in '{path}' cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise BadInputError(f"the groups of pictures in '{path}' are no UTF-8 text: give a .csv file") from error
        (first, headings), *numbered = [*_cells(text)] or [(1, [])]
        if len(headings) < 2:
            raise BadInputError(
                f"line {first} of '{path}' has no headings of two columns or more: give a CSV such as image_id,Male"
            )
        for line, cells in numbered:
            if len(cells) != len(headings):
                raise BadInputError(
                    f"line {line} of '{path}' has {len(cells)} values under {len(headings)} headings: give it as many"
                )
        return cls(path, headings, [cells for _, cells in numbered])

    def lines_of(self, pictures: Sequence[str]) -> list[int]:
        """The row of each picture."""
        rows = {}
        for number, row in enumerate(self.rows):
            if rows.setdefault(_stem(row[0]), number) != number:
                raise BadInputError(f"'{self.path}' has two lines for the picture '{row[0]}': keep one of them")
        found = [rows.get(_stem(name), rows.get(PurePosixPath(name).stem)) for name in pictures]
        missing = [name for name, row in zip(pictures, found, strict=True) if row is None]
        if missing:
            raise BadInputError(
                f"'{self.path}' has no line for {len(missing):,} of {len(pictures):,} pictures, '{missing[0]}' first: "
                f"its first column must have all their names, and begins with '{self.rows[0][0] if self.rows else ''}'"
            )
        lines = [row for row in found if row is not None]
        self._check_apart(pictures, lines)
        return lines

    def _check_apart(self, pictures: Sequence[str], lines: Sequence[int]) -> None:
        owners: dict[int, str] = {}
        for name, line in zip(pictures, lines, strict=True):
            if owners.setdefault(line, name) != name:
                raise BadInputError(
                    f"'{self.rows[line][0]}' in '{self.path}' may be '{owners[line]}' or '{name}': "
                    "write their folders in the first column too"
                )

    def words(self, column: str, lines: Sequence[int]) -> list[str]:
        """The part of a group's name that each of these rows has from a column."""
        if column not in self.headings[1:]:
            raise unknown_name(f"column of '{self.path}'", column, self.headings[1:])
        place = self.headings.index(column, 1)
        values = [self.rows[line][place] for line in lines]
        if "" in values:
            picture = self.rows[lines[values.index("")]][0]
            raise BadInputError(f"'{picture}' in '{self.path}' has no value of '{column}': write a word, or remove it")
        # The whole column says what it is of: a few pictures of clusters 0 to 9 may all be of 0 and 1.
        if all(row[place].lower() in YES | NO | {""} for row in self.rows):
            return [column if value.lower() in YES else f"not {column}" for value in values]
        return [f"{column} {value}" if _is_number(value) else value for value in values]


def _cells(text: str) -> Iterator[tuple[int, list[str]]]:
    """Each line that is not empty, with its number from 1 and its cells."""
    lines = text.splitlines()
    if lines and lines[0].strip().isdecimal():  # list_attr_celeba.txt: the count, then headings but for the names'
        _, headings, *rest = [*lines, ""]
        yield 2, ["image_id", *headings.split()]
        yield from ((number, line.split()) for number, line in enumerate(rest, 3) if line.strip())
        return
    reader = csv.reader(io.StringIO(text))
    yield from ((reader.line_num, [cell.strip() for cell in row]) for row in reader if any(map(str.strip, row)))


def _stem(name: str) -> str:
    """A picture's name with its folders and without its suffix."""
    path = PurePosixPath(name.replace("\\", "/"))
    return path.with_suffix("").as_posix() if path.name else name


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
