"""Starts the editor's server with a stub in the place of a model.

    python web/e2e/harness/serve.py PORT DATA CALLS SECONDS

CALLS network calls a picture, SECONDS each.
"""

import sys
from pathlib import Path

from ediffuser.server.messages import StubSettings
from ediffuser.server.run import listen, run_server
from ediffuser.server.settings import ServerSettings


def main() -> None:
    """Serves until it is told to stop."""
    port, data, calls, seconds = sys.argv[1:]
    stub = StubSettings(calls=int(calls), seconds=float(seconds))
    run_server(ServerSettings(data=Path(data), stub=stub, grace=0.0), listen("127.0.0.1", int(port)))


if __name__ == "__main__":
    main()
