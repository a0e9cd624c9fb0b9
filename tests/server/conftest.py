import http_tools
import numpy as np
import pytest
from photo_files import encoded, picture

from ediffuser.server.messages import StubSettings
from ediffuser.server.settings import ServerSettings


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A server for all tests of this folder."""
    data = tmp_path_factory.mktemp("server") / "data"
    with http_tools.live_server(ServerSettings(data=data, stub=StubSettings(), grace=1.0)) as live:
        yield live


@pytest.fixture
def client(server):
    with http_tools.client_of(server) as client:
        yield client


@pytest.fixture(scope="session")
def photo() -> bytes:
    return encoded(picture(http_tools.WIDTH, http_tools.HEIGHT))


@pytest.fixture(scope="session")
def mask() -> bytes:
    hole = np.zeros((http_tools.HEIGHT, http_tools.WIDTH), np.uint8)
    hole[10:20, 5:15] = 255
    return encoded(hole)


@pytest.fixture(scope="session")
def stored(server, photo) -> str:
    """Id of a stored picture."""
    with http_tools.client_of(server) as client:
        return client.post("/api/images", files={"image": photo}).json()["id"]
