"""Several processes that work together, as torchrun would have started them but without its seconds of start-up."""

import multiprocessing
import os
import pickle
import socket
import traceback
from collections.abc import Callable

PRELOADED = ["torch._dynamo", "ediffuser.training", "ediffuser.cli"]  # building an optimizer imports the first
PATIENCE_S = 120


def together(world: int, function: Callable, *arguments) -> list:
    """What `function(*arguments)` returned or raised in each of `world` processes, in the order of ranks.

    The function must be importable: a module's own, not a test's.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ends = []
    for rank in range(world):
        mine, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_work, args=(theirs, rank, world, port, function, arguments))
        process.start()
        theirs.close()
        ends.append((process, mine))
    try:
        return [_answer(mine) for _, mine in ends]
    finally:
        for process, _ in ends:
            process.join(PATIENCE_S)
            process.kill()


def _answer(pipe):
    if not pipe.poll(PATIENCE_S):
        raise TimeoutError(f"a process gave no answer within {PATIENCE_S} s")
    return pickle.loads(pipe.recv_bytes())


def _work(pipe, rank, world, port, function, arguments):
    import torch

    torch.set_num_threads(1)
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(world),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    try:
        result = function(*arguments)
    except BaseException as error:
        traceback.print_exc()
        result = error
    pipe.send_bytes(pickle.dumps(result))  # by value: `send` would leave tensors in this process
