"""The server behind the page: reads, never writes, and knows slides and layers by their names only.

No path of a request ever becomes the path of a file. Requests have to name this machine by its address or as
localhost, so that no page of another site can reach the study through a name that it lets point here (DNS rebinding).
"""

import gzip
import ipaddress
import json
import os
import re
import socket
import sys
import threading
import traceback
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

from slidecaf.errors import SlidecafError
from slidecaf.files.faults import machine_fault, reason_of
from slidecaf.study.names import NAME
from slidecaf.viewer import assets, paint
from slidecaf.viewer.decisions import FILTERS, UnknownNameError
from slidecaf.viewer.layers import Layers

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What the page may load: only what comes from here, no script of its own text; data: is Leaflet's empty picture."""

HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

LONGEST_REQUEST = 2000
"""Characters of a request's path and query."""

IDLE = 60
"""Seconds after which a connection that says nothing is closed."""

LONG_ANSWER = 2**14
"""Bytes from which on JSON is compressed for a browser that takes it."""

NUMBER = re.compile(r"[0-9]{1,9}")


class Server(ThreadingHTTPServer):
    """Serves one study.

    Parameters
    ----------
    catalogue : slidecaf.viewer.catalogue.Catalogue
    host : str
        The address to listen at; only this machine reaches 127.0.0.1.
    port : int
        0 takes a free one.

    Raises
    ------
    SlidecafError
        If the port is taken or the address is none of this machine's.
    """

    daemon_threads = True

    def __init__(self, catalogue, *, host="127.0.0.1", port=8080):
        self.catalogue, self.layers, self.assets = catalogue, Layers(catalogue), assets.load()
        self.drawing = threading.BoundedSemaphore(os.cpu_count() or 1)
        self.named = host
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            super().__init__((host, port), _Handler)
        except (OSError, OverflowError) as error:
            raise SlidecafError(f"nothing can listen at {host}, port {port} ({error}); give another --port.") from error

    @property
    def url(self) -> str:
        """Where a browser finds the page."""
        host, port = self.server_address[:2]
        return f"http://{f'[{host}]' if ':' in host else host}:{port}/"

    @property
    def loopback(self) -> bool:
        """Whether only this machine reaches the server."""
        return ipaddress.ip_address(self.server_address[0]).is_loopback

    def server_close(self) -> None:
        """Stop listening, and let go of all files."""
        super().server_close()
        self.layers.close()

    def handle_error(self, request, client_address):
        """Say nothing of a browser that has moved on, as it does when pictures scroll out of sight."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def trusts(self, host) -> bool:
        """Tell whether a request's Host header names this machine.

        Parameters
        ----------
        host : str or None
            With or without a port, which a tunnel may have changed.

        Returns
        -------
        bool
            True for localhost and for the address or name that the server was started with; where it is not only
            this machine's, for any address and for the machine's name. Another site's name is never among them.
        """
        name = re.sub(r":[0-9]+$", "", host or "").strip("[]").lower()
        if name in {"localhost", self.named.lower()}:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return not self.loopback and name == socket.gethostname().lower()
        return address.is_loopback or not self.loopback


class _Refused(Exception):
    """A request that is answered with an error."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


class _Answer(NamedTuple):
    """What is sent.

    Attributes
    ----------
    kind : str
        Its media type; empty where the browser has it already.
    content : bytes
    lasting : bool
        Whether its address stands for one state of the files that it is drawn from, so that a browser may keep it.
    tag : str
        What tells this state from another one, by which a browser asks whether what it kept still holds.
    """

    kind: str
    content: bytes
    lasting: bool = False
    tag: str = ""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "slidecaf", ""
    timeout = IDLE

    def do_GET(self):
        """Answer with a file of the page, a tile or JSON."""
        try:
            if not self.server.trusts(self.headers.get("Host")):
                raise _Refused(HTTPStatus.FORBIDDEN, "this name is not the viewer's; open it as localhost.")
            if len(self.path) > LONGEST_REQUEST:
                raise _Refused(HTTPStatus.REQUEST_URI_TOO_LONG, "the address is too long.")
            answer = self._answer()
            self._send(HTTPStatus.OK if answer.kind else HTTPStatus.NOT_MODIFIED, answer)
        except _Refused as refused:
            self._send_error(refused.status, str(refused))
        except UnknownNameError as error:
            self._send_error(HTTPStatus.NOT_FOUND, str(error))
        except SlidecafError as error:
            self._send_error(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))
        except LookupError:
            self._send_error(HTTPStatus.NOT_FOUND, "the study has nothing of this name.")
        except (BrokenPipeError, ConnectionResetError, TimeoutError):
            self.close_connection = True  # the browser has moved on
        except Exception as error:
            if fault := machine_fault(error):
                self._send_error(HTTPStatus.SERVICE_UNAVAILABLE, f"{reason_of(error)}: {fault[1]}.")
                return
            traceback.print_exc()
            self._send_error(
                HTTPStatus.INTERNAL_SERVER_ERROR,
                "this is a fault in slidecaf; please report it with what the terminal shows.",
            )

    do_HEAD = do_GET

    def _answer(self):
        """Return the `_Answer`."""
        address = urlsplit(self.path)
        query = parse_qs(address.query)
        parts = [unquote(part) for part in address.path.split("/")[1:]]
        match parts:
            case [""]:
                return _Answer(*self.server.assets["index.html"])
            case ["static", name]:
                return _Answer(*self.server.assets[name])
            case ["api", "study"]:
                return _json(self.server.catalogue.summary() | {"legend": paint.legend()})
            case ["api", "decisions", method]:
                asked = dict(parse_qsl(address.query, keep_blank_values=True))
                wanted = {key: asked[key] for key in (*FILTERS, "text") if key in asked}
                decided = self.server.catalogue.decisions.of(_name(method))
                return _json(decided.choose(wanted, order=asked.get("order", "name")))
            case ["thumbnails", slide]:
                return self._thumbnail(_name(slide))
            case ["api", "slides", slide]:
                return _json(self.server.layers.slide(_name(slide)))
            case ["api", "slides", slide, "confidence", method, variant]:
                layer = "/".join(("confidence", _name(method), _name(variant)))
                return _json(self.server.layers.confidence(_name(slide), layer))
            case ["api", "slides", slide, "confidence", method]:
                return _json(self.server.layers.confidence(_name(slide), f"patch-score/{_name(method)}"))
            case ["api", "slides", slide, "why", method]:
                return _json(self.server.layers.why(_name(slide), _name(method)))
            case ["api", "slides", slide, "values"]:
                method, variant = (query.get(key, [""])[0] for key in ("method", "variant"))
                x, y = (_number(query.get(key, [""])[0]) for key in ("x", "y"))
                return _json(self.server.layers.values(_name(slide), method, variant, x, y))
            case ["speaking", slide, method, side, place]:
                with self.server.drawing:
                    of = _name(slide), _name(method), side, _number(place)
                    return _Answer(*self.server.layers.speaking_patch(*of), lasting="v" in query)
            case ["tiles", slide, "image", *tile] if len(tile) == 3:
                draw, arguments = self.server.layers.image_tile, (_name(slide),)
            case ["tiles", slide, *layer, reduction, column, row] if layer:
                draw, arguments = self.server.layers.layer_tile, (_name(slide), "/".join(map(_name, layer)))
                tile = [reduction, column, row]
            case _:
                raise LookupError(self.path)
        with self.server.drawing:
            return _Answer(*draw(*arguments, tuple(map(_number, tile))), lasting="v" in query)

    def _thumbnail(self, slide):
        layers = self.server.layers
        tag = f'"{layers.thumbnail_version(slide)}"'
        if self.headers.get("If-None-Match") == tag:
            return _Answer("", b"", tag=tag)
        with self.server.drawing:
            return _Answer(*layers.thumbnail(slide), tag=tag)

    def _send(self, status, answer):
        content, packed = answer.content, self._packs(answer)
        if packed:
            content = gzip.compress(content, compresslevel=1, mtime=0)
        self.send_response(status)
        self.send_header("Cache-Control", _keeping(answer))
        if answer.tag:
            self.send_header("ETag", answer.tag)
        if answer.kind:
            self.send_header("Content-Type", answer.kind)
            self.send_header("Content-Length", str(len(content)))
        if packed:
            self.send_header("Content-Encoding", "gzip")
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _packs(self, answer):
        """Tell whether an answer is sent compressed."""
        takes = re.search(r"\bgzip\b", self.headers.get("Accept-Encoding") or "")
        return bool(takes) and answer.kind.startswith("application/json") and len(answer.content) >= LONG_ANSWER

    def _send_error(self, status, message):
        try:
            self._send(status, _json({"error": message}))
        except OSError:
            self.close_connection = True

    def log_message(self, format, *arguments):
        """Say nothing: a line a tile helps nobody."""


def _json(value):
    content = json.dumps(value, allow_nan=False, separators=(",", ":")).encode()
    return _Answer("application/json; charset=utf-8", content)


def _keeping(answer):
    """Return for how long a browser may keep an answer."""
    if answer.lasting:
        return "private, max-age=86400, immutable"
    return "private, no-cache" if answer.tag else "no-store"


def _name(text):
    if not NAME.fullmatch(text):
        raise LookupError(text)
    return text


def _number(text):
    if not NUMBER.fullmatch(text):
        raise LookupError(text)
    return int(text)
