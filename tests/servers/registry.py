"""A local server that speaks the protocols of the online package review.

::

    thing = make_package("Thing", {"1.0": "2023-01-01", "1.1": "2024-02-01"}, requires=("other>=2",))
    with Registry([thing], advisories=[record], cves={"CVE-2024-1000": cve}, max_age=0) as server:
        server.faults.add(Latency(0.05))
        server.faults.add(Status(429, retry_after=1), kind="index", first=1)
        ...                                     # ask server.index_url, server.osv_url, server.nvd_url
        assert server.most_at_once <= 5         # measured here, not by the client
        assert server.rate(1.0) <= 20
        assert server.too_early() == ()         # nobody came before a Retry-After was over
        assert server.count(kind="index", package="thing") == 2
        server.forget()                         # the second night
        server.publish(make_package("Thing", {"1.2": "2024-03-01"}))

The whole sample: ``sample = made_from_sample()``, then ``Registry(sample.packages, sample.advisories, sample.cves)``.
The keyword arguments are the fields of `Settings`; the faults are in `tests.servers.faults`. Packages, advisories and
CVEs may be changed while it runs. A mistake of the server itself is raised when it closes.

Only the loopback is served, on a port of the system's choice.
"""

from __future__ import annotations

import socket
import sys
import threading
import traceback
from collections import Counter
from collections.abc import Iterable, Mapping
from http.server import ThreadingHTTPServer
from typing import Any, Self

from packaging.utils import canonicalize_name

from tests.servers import faults
from tests.servers.faults import Faults, Target
from tests.servers.handler import Handler, queries_of
from tests.servers.index import Index, name_in
from tests.servers.made import MadePackage
from tests.servers.measures import Measures, Seen
from tests.servers.nvd import Nvd
from tests.servers.osv import Osv
from tests.servers.settings import Settings
from tests.servers.wire import Answer, Asked

CLOSE_SECONDS = 10.0


class _Connections(ThreadingHTTPServer):
    """The listening socket, its connections and their threads."""

    request_queue_size = 256
    # An own list of the threads is kept, to end the connections before their threads are waited for.
    block_on_close = False

    def __init__(self, handler: type[Handler]) -> None:
        self.open: dict[socket.socket, threading.Thread] = {}
        self.lock = threading.Lock()
        self.registry = handler.registry
        super().__init__(("127.0.0.1", 0), handler)

    def server_bind(self) -> None:
        """As the library's, without asking what the host is called, which may take seconds."""
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "localhost", self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        """A thread for a connection, known before it runs, for none to be left when all are ended."""
        thread = threading.Thread(target=self.process_request_thread, args=(request, client_address), daemon=True)
        with self.lock:
            self.open[request] = thread
        thread.start()

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self.lock:
                self.open.pop(request, None)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that the client broke off is nothing to tell; anything else is a mistake of this server."""
        if not isinstance(sys.exception(), OSError):
            self.registry.broken.append(traceback.format_exc())

    def end_all(self) -> None:
        """Shuts all connections down and waits for their threads."""
        with self.lock:
            left = dict(self.open)
        for connection in left:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # closed by the other side already
        for thread in left.values():
            thread.join(CLOSE_SECONDS)


class Registry:
    """Index, OSV and NVD on one port; a context manager. See the top of the module."""

    def __init__(
        self,
        packages: Mapping[str, MadePackage] | Iterable[MadePackage] = (),
        advisories: Iterable[Mapping[str, Any]] = (),
        cves: Mapping[str, Mapping[str, Any]] | None = None,
        **settings: Any,
    ) -> None:
        """Binds a port; it answers from `start` on, or within ``with``."""
        self.settings = Settings(**settings)
        self.faults = Faults()
        self.measures = Measures()
        self.closing = threading.Event()
        self.broken: list[str] = []
        self.packages: dict[str, MadePackage] = {}
        for package in packages.values() if isinstance(packages, Mapping) else packages:
            self.publish(package)
        self.advisories = {str(one["id"]): dict(one) for one in advisories}
        self.cves = {identity: dict(one) for identity, one in (cves or {}).items()}
        self._index = Index(self.packages, self.settings)
        self._osv = Osv(self.advisories, self.settings)
        self._nvd = Nvd(self.cves, self.settings)
        self._server = _Connections(type("BoundHandler", (Handler,), {"registry": self}))
        self.url = self._index.base = f"http://127.0.0.1:{self._server.server_port}"
        self.index_url, self.osv_url, self.nvd_url = f"{self.url}/simple/", f"{self.url}/osv", f"{self.url}/nvd"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: object, *_: object) -> None:
        self.close()
        if self.broken and kind is None:
            raise RuntimeError("The test server itself failed:\n" + "\n".join(self.broken))

    def start(self) -> Self:
        """Answers from now on."""
        self._thread.start()
        return self

    def close(self) -> None:
        """Ends all connections, whatever they wait for, and gives the port back."""
        self.closing.set()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join(CLOSE_SECONDS)
        self._server.server_close()
        self._server.end_all()

    # What it knows

    def publish(self, package: MadePackage) -> None:
        """A package, new or in place of what there was of its name."""
        self.packages[canonicalize_name(package.name)] = package

    def advise(self, record: Mapping[str, Any]) -> None:
        """An advisory, new or in place of what there was of its id."""
        self.advisories[str(record["id"])] = dict(record)

    # What it saw

    @property
    def requests(self) -> tuple[Seen, ...]:
        """All requests so far, in the order they came."""
        return self.measures.requests()

    @property
    def most_at_once(self) -> int:
        """The most requests that were being answered at one time; by kind: `measures.most_at_once`."""
        return self.measures.most_at_once()

    def rate(self, window: float = 1.0, kind: str | None = None) -> int:
        """The most requests that came within any `window` seconds."""
        return self.measures.rate(window, kind)

    def asked(self, kind: str | None = None, package: str | None = None, status: int | None = None) -> tuple[Seen, ...]:
        """The requests of a kind, about a package or id, that got a status; all where nothing is given."""
        return tuple(
            seen
            for seen in self.requests
            if (kind is None or seen.kind == kind)
            and (package is None or package == seen.thing or package in seen.packages)
            and (status is None or seen.status == status)
        )

    def count(self, kind: str | None = None, package: str | None = None, status: int | None = None) -> int:
        """How many `asked` gives."""
        return len(self.asked(kind, package, status))

    def per_kind(self) -> Counter[str]:
        """Requests by kind."""
        return Counter(seen.kind for seen in self.requests)

    def per_thing(self, kind: str) -> Counter[str]:
        """Requests of a kind by what they asked for: package, file, advisory or CVE."""
        return Counter(seen.thing for seen in self.requests if seen.kind == kind)

    def too_early(self) -> tuple[Seen, ...]:
        """The requests that came for a thing before the time that a Retry-After for it had told."""
        return self.measures.too_early()

    def wait_for(self, count: int, kind: str | None = None, seconds: float = 30.0) -> bool:
        """Waits until so many requests came; False where they did not within `seconds`."""
        return self.measures.wait_for(count, kind, seconds)

    def forget(self) -> None:
        """Begins the measures anew."""
        self.measures.forget()

    @staticmethod
    def dead_url(path: str = "") -> str:
        """The address of a port where nobody listens, as long as this process lives."""
        return faults.dead_url(path)

    # How it answers; asked by its connections

    def target(self, asked: Asked) -> tuple[Target, tuple[str, ...], tuple[Mapping[str, object], ...]]:
        """What a request is about, the packages it concerns in their order, and its queries where it is a batch."""
        queries: tuple[Mapping[str, object], ...] = ()
        packages: tuple[str, ...] = ()
        path = asked.path.removeprefix("/moved")
        kind, thing = _kind(path), ""
        match kind:
            case "index":
                thing = name_in(path.removeprefix("/simple/"))
                packages = (thing,)
            case "metadata" | "file":
                thing = path.rsplit("/", 1)[1]
                packages = (name_in(path.removeprefix("/files/")),)
            case "osv-batch":
                queries = tuple(queries_of(asked.body))
                packages = tuple(filter(None, map(_package_of, queries)))
            case "osv-vuln":
                thing = path.removeprefix("/osv/v1/vulns/")
            case "nvd":
                thing = asked.query.get("cveId", "")
            case _:
                thing = path
        return Target(kind, asked.path, thing, frozenset(packages)), packages, queries

    def answer(self, asked: Asked) -> Answer:
        """The right answer to a request."""
        path = asked.path.removeprefix("/moved")
        kind = _kind(path)
        if kind in ("index", "metadata", "file"):
            refused = self._index.refused(asked)
            if refused is not None:
                return refused
        if (asked.method == "POST") != (kind == "osv-batch"):
            return Answer(405, b"method not allowed\n")
        match kind:
            case "index":
                return self._index.page(asked, path.removeprefix("/simple/"))
            case "metadata" | "file":
                return self._index.file(path.removeprefix("/files/"))
            case "osv-batch":
                return self._osv.batch(asked)
            case "osv-vuln":
                return self._osv.record(path.removeprefix("/osv/v1/vulns/"))
            case "nvd":
                return self._nvd.answer(asked)
        return Answer(404, b"404 Not Found\n")


def _kind(path: str) -> str:
    """What a path is about, one of `faults.KINDS`."""
    if path.startswith("/simple/") and path != "/simple/":
        return "index"
    if path.startswith("/files/"):
        return "metadata" if path.endswith(".metadata") else "file"
    if path == "/osv/v1/querybatch":
        return "osv-batch"
    if path.startswith("/osv/v1/vulns/"):
        return "osv-vuln"
    return "nvd" if path.rstrip("/") == "/nvd" else "other"


def _package_of(query: Mapping[str, object]) -> str:
    package = query.get("package")
    name = package.get("name") if isinstance(package, dict) else None
    return canonicalize_name(name) if isinstance(name, str) else ""
