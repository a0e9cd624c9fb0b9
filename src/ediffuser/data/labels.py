"""Classes of pictures that lie in one folder per class."""

from pathlib import PurePosixPath

import numpy as np

from ediffuser.data.files import Files
from ediffuser.runtime.errors import BadInputError


def folder_labels(files: Files, classes: tuple[str, ...] | None = None) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """The class of each file: the name of the folder that holds it.

    Args:
        files: Files of a folder or a zip, N of them.
        classes: The names that are right, in the order of their labels; None to take the folders as they are, sorted.

    Returns:
        Labels, int64, shape (N,), and the names they index; (None, ()) where all files lie in one folder.

    Raises:
        BadInputError: If classes are given and a file lies in another folder.
    """
    folders = [PurePosixPath(name).parent.name for name in files.names]
    names = classes or tuple(sorted(set(folders)))
    if len(names) < 2:
        return None, ()
    numbers = {name: number for number, name in enumerate(names)}
    stray = next((file for file, folder in zip(files.names, folders, strict=True) if folder not in numbers), None)
    if stray is not None:
        raise BadInputError(f"'{stray}' in '{files.where}' lies in no class folder: these are {', '.join(names)}")
    return np.array([numbers[folder] for folder in folders], np.int64), names
