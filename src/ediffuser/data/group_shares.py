"""The order of training in which groups of pictures have the shares that were asked for, not those of the data.

Like the order of epochs it is a pure function of (seed, position). Positions come in rounds of the same length, each
with the same number of places for each group, in a random order of its own. So it is known from a position alone how
many places its group had before it, and the group's pictures take its places in epochs of their own: at every moment
each has been drawn as often as every other of its group, to within one.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BeforeValidator, Field, model_validator

from ediffuser.data.groups import Groups, groups_from_csv
from ediffuser.data.order import Order, permutation
from ediffuser.data.pictures import Pictures
from ediffuser.runtime.component import component
from ediffuser.runtime.errors import BadInputError

_ROUND, _MEMBERS = 3, 4  # keeps these uses of a seed apart from those of data.order
_LEAST_ROUND = 10_000  # a round has whole places, so a share is off by less than one in as many


def _pairs(shares: Any) -> Any:  # noqa: ANN401 - whatever was given, which pydantic checks then
    """A mapping as sorted pairs: they can be hashed, and order means nothing."""
    return tuple(sorted(shares.items())) if isinstance(shares, Mapping) else shares


Shares = Annotated[tuple[tuple[str, Annotated[float, Field(ge=0)]], ...], BeforeValidator(_pairs)]


@component
class GroupShares:
    """Groups of pictures in shares that are wanted, whatever theirs are in the data.

    Attributes:
        path: A table of attributes, as `groups_from_csv` reads it. Empty: the groups are the pictures' classes, such as
            the folders that they lie in.
        columns: The headings that make the groups.
        shares: Of each group, by name, their sum 1; a group of share 0 is left out. None named: all alike.
    """

    kind: Literal["group_shares"] = "group_shares"
    path: str = ""
    columns: tuple[str, ...] = ()
    shares: Shares = ()

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.columns and not self.path:
            raise ValueError(f"columns {', '.join(self.columns)} are headings of a table: give its path too")
        names = [name for name, _ in self.shares]
        if len(set(names)) < len(names):
            raise ValueError("shares name a group twice")
        if self.shares and abs(sum(share for _, share in self.shares) - 1) > 1e-6:
            raise ValueError(f"shares sum to {sum(share for _, share in self.shares):.6g}, where 1 would be right")
        return self

    def open(self, pictures: Pictures) -> Order:
        """The order of these pictures.

        Raises:
            BadInputError: If the table cannot be read or lacks a picture, there is none and the pictures have no
                classes, or the shares name other groups than there are.
        """
        groups = groups_from_csv(self.path, self.columns, pictures.names) if self.path else _classes(pictures)
        shares = dict(self.shares) or dict.fromkeys(groups.names, 1 / len(groups.names))
        if shares.keys() != set(groups.names):
            raise BadInputError(
                f"the shares are those of {_listed(shares)}, and the groups of the pictures by "
                f"{repr(self.path) if self.path else 'their folders'} {_listed(groups.names)}: give each of these a "
                "share, which may be 0"
            )
        return GroupOrder(groups, np.array([shares[name] for name in groups.names]))


def _classes(pictures: Pictures) -> Groups:
    if pictures.labels is None:
        raise BadInputError(
            "group_shares needs groups: a table of them (path, columns), or pictures in two folders or more"
        )
    return Groups.of([pictures.classes[label] for label in pictures.labels])


class GroupOrder:
    """Rounds in which each group has its share of the places.

    Attributes:
        places: Of each group in a round, int64, shape (K,); their sum is the length of a round.
    """

    def __init__(self, groups: Groups, shares: np.ndarray) -> None:
        """Prepares the order.

        Args:
            groups: Of the pictures.
            shares: Of each group, float64, shape (K,), at least 0, their sum 1.
        """
        size = len(groups.labels)
        length = size * -(-_LEAST_ROUND // size)
        self.places = _apportioned(length, shares)
        self._members = [groups.members(number) for number in range(len(shares))]

    def indices(self, seed: int, positions: np.ndarray) -> np.ndarray:
        """See `Order`."""
        rounds, places = np.divmod(positions, self.places.sum())
        groups, turns = np.empty(len(positions), np.int64), np.empty(len(positions), np.int64)
        for number in np.unique(rounds):
            here = rounds == number
            groups[here], turns[here] = _round(seed, int(number), tuple(self.places.tolist()))[:, places[here]]
        turns += rounds * self.places[groups]
        indices = np.empty(len(positions), np.int64)
        for group in np.unique(groups):
            here = groups == group
            indices[here] = self._drawn(seed, int(group), turns[here])
        return indices

    def _drawn(self, seed: int, group: int, turns: np.ndarray) -> np.ndarray:
        """The pictures that a group sends on its turns, the k-th of which is k."""
        members = self._members[group]
        epochs, ranks = np.divmod(turns, len(members))
        indices = np.empty(len(turns), np.int64)
        for epoch in np.unique(epochs):
            here = epochs == epoch
            order = permutation(_MEMBERS, seed, group, int(epoch), size=len(members))
            indices[here] = members[order[ranks[here]]]
        return indices


@lru_cache(maxsize=4)
def _round(seed: int, number: int, places: tuple[int, ...]) -> np.ndarray:
    """At each place of a round its group, and how many places before it are that group's: int64, shape (2, R)."""
    groups = np.repeat(np.arange(len(places)), places)[permutation(_ROUND, seed, number, size=sum(places))]
    turns = np.empty_like(groups)
    for group, count in enumerate(places):
        turns[groups == group] = np.arange(count)
    return np.stack([groups, turns])


def _apportioned(length: int, shares: np.ndarray) -> np.ndarray:
    """Whole numbers in these proportions whose sum is `length`, by largest remainders."""
    exact = shares / shares.sum() * length
    counts = np.floor(exact).astype(np.int64)
    counts[np.argsort(counts - exact, kind="stable")[: length - counts.sum()]] += 1
    return counts


def _listed(names: Any) -> str:  # noqa: ANN401 - an iterable of names
    return ", ".join(f"'{name}'" for name in sorted(names))
