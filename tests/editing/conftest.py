import pytest
import torch


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Tensors here are so small that on a busy machine threads wait for each other longer than they work."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
