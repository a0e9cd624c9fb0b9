"""Divides a zip of pictures: some to choose by, the rest to train on.

    python scripts/hold_out.py photos128-train.zip --count 500 --train photos-train.zip --held-out photos-val.zip

Crops of one photo stay together: files whose names differ only in a number after the last hyphen, such as lake-0.webp
and lake-1.webp, are of one. Which photos are held out follows from their names alone, whatever order they lie in.
"""

import hashlib
import re
import sys
import zipfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import tyro
from tyro.conf import Positional

from ediffuser.data.files import ZipFiles
from ediffuser.runtime.errors import BadInputError

NUMBER = re.compile(r"-\d+(?=\.[^./]+$)")


@dataclass(frozen=True)
class Options:
    """What is divided.

    Attributes:
        pictures: A zip of pictures.
        train: Where those to train on go.
        held_out: Where the others go.
        count: Of the others, at most.
    """

    pictures: Positional[Path]
    train: Path
    held_out: Path
    count: int = 500


def main() -> None:
    """Divides; exit code 2 with one line where that cannot be done."""
    options = tyro.cli(Options, description=__doc__)
    try:
        divide(options)
    except BadInputError as error:
        print(f"hold_out: {error}", file=sys.stderr)
        sys.exit(2)


def divide(options: Options) -> None:
    """Writes both zips.

    Raises:
        BadInputError: If the zip cannot be read, or nothing would be left on a side.
    """
    files = ZipFiles(options.pictures)
    held_out = chosen(files.names, options.count)
    rest = [name for name in files.names if name not in held_out]
    if not held_out or not rest:
        raise BadInputError(f"{len(files.names)} pictures cannot be divided so that {options.count} are held out")
    for path, names in ((options.train, rest), (options.held_out, sorted(held_out))):
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, files.read(name))
        print(f"{path}: {len(names)} pictures")


def chosen(names: tuple[str, ...], count: int) -> set[str]:
    """The pictures of whole photos, in the order of the photos' sums, as long as there are no more than `count`."""
    photos: dict[str, list[str]] = defaultdict(list)
    for name in names:
        photos[NUMBER.sub("", name)].append(name)
    held_out: set[str] = set()
    for photo in sorted(photos, key=lambda name: hashlib.sha256(name.encode()).digest()):
        if len(held_out) + len(photos[photo]) > count:
            break
        held_out.update(photos[photo])
    return held_out


if __name__ == "__main__":
    main()
