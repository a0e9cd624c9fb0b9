"""What tells the data of a run from others, so that a run that goes on can say that they have changed."""

import hashlib
from dataclasses import dataclass
from typing import Self

from ediffuser.data import Pictures


@dataclass(frozen=True)
class DataFingerprint:
    """How many pictures there are, and how they are called: which one comes when is a function of both.

    Attributes:
        pictures: How many.
        names_sha256: SHA-256 over their names, in order.
    """

    pictures: int
    names_sha256: str

    @classmethod
    def of(cls, pictures: Pictures) -> Self:
        """That of opened pictures; none of them is read."""
        names = hashlib.sha256()
        for name in pictures.names:
            names.update(name.encode(errors="surrogateescape") + b"\0")
        return cls(len(pictures), names.hexdigest())

    def changed_since(self, before: Self | None) -> list[str]:
        """In which way these data are others than before, such as "data: 14 pictures, now 13"; empty if in none."""
        if before is None or before == self:
            return []
        now = str(self.pictures) if self.pictures != before.pictures else "as many of other names"
        return [f"data: {before.pictures} pictures, now {now}"]
