"""A plugin for the long set: lets in users by name, and says what the server holds.

SIGUSR1 makes it write that to the file that FAULTS_INSIDE names.
"""

import asyncio
import gc
import json
import os
import signal
from pathlib import Path

import chatd

OURS = "guest-"
FILE = "FAULTS_INSIDE"


@chatd.hookimpl
def authenticate(app, request):
    """Return the user of `guest-NAME`."""
    if not (request.token or "").startswith(OURS):
        return None
    name = request.token.removeprefix(OURS)
    return chatd.User(id=name, name=name)


@chatd.hookimpl
def register_providers(app):
    """Add none; from now on the signal is answered."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, _write, app)
    return []


def _write(app):
    gc.collect()
    found = {
        "rooms": len(list(app.hub.rooms())),
        "generations": app.generations.running(),
        "tasks": len(asyncio.all_tasks()),
    }
    place = Path(os.environ[FILE])
    new = place.with_suffix(".new")
    new.write_text(json.dumps(found))
    new.rename(place)
