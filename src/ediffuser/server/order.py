"""Whose turn it is."""

from collections.abc import Mapping, Sequence


def round_robin(waiting: Sequence[tuple[str, str]], last_turns: Mapping[str, int]) -> list[str]:
    """The order in which waiting jobs are served: one of each client, then a second of each, and so on.

    The client that was served longest ago comes first; among those never served, the one that has waited longest.

    Args:
        waiting: (client, job), oldest first.
        last_turns: When clients were served last, any increasing number.

    Returns:
        The jobs.
    """
    of_client: dict[str, list[str]] = {}
    for client, job in waiting:
        of_client.setdefault(client, []).append(job)
    clients = sorted(of_client, key=lambda client: last_turns.get(client, -1))  # stable: the oldest first
    rounds = max(map(len, of_client.values()), default=0)
    return [
        of_client[client][number] for number in range(rounds) for client in clients if number < len(of_client[client])
    ]
