"""Look into a study in a browser: slides with maps and masks laid over them.

Serves the study's slides and results at 127.0.0.1 until it is interrupted (Ctrl-C). Nothing is written. From another
machine, reach it through a tunnel: ssh -L 8080:127.0.0.1:8080 MACHINE.
"""

import os
import signal
import sys
from pathlib import Path

from slidecaf.errors import SlidecafError


def add_arguments(parser):
    """Declare the command's arguments."""
    parser.add_argument("study", nargs="?", default=".", type=Path, help="the study's folder (default: this one)")
    parser.add_argument("--port", type=int, default=8080, help="0 takes a free one (default: 8080)")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen at (default: this machine only)")


def run(arguments):
    """Serve the study until it is interrupted."""
    from slidecaf.demo import made_paths
    from slidecaf.viewer.catalogue import Catalogue
    from slidecaf.viewer.server import Server

    if not arguments.study.is_dir():
        raise SlidecafError(f"{arguments.study} is no folder; name the folder of a study.")
    os.chdir(arguments.study)  # paths of a study start at its folder
    with Server(Catalogue(made=made_paths()), host=arguments.host, port=arguments.port) as server:
        if not server.loopback:
            print("Whoever reaches this address can look into the study.", file=sys.stderr)
        print(f"{server.catalogue.name} at {server.url} (Ctrl-C ends it)", flush=True)
        # a shell that starts it in the background lets it ignore Ctrl-C
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()
