"""Requests that no server of ours may answer, and a web page that tries what web pages can.

`refused` sends requests as any program can; `page_attacks` what a page of another origin can, in a
real browser. Whoever uses them compares what the server holds before and after.
"""

import base64
import json
import os
import re
import shutil
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, sync_playwright

JSON = {"Content-Type": "application/json"}
WRONG_HOSTS = (
    "evil.example", "evil.example:{port}", "127.0.0.1.evil.example:{port}", "localhost.evil:{port}",
    "10.evil.example", "192.168.evil.example:{port}", "172.16.evil.example", "127.0.0.1@evil",
    "127.0.0.1:{port}, evil.example", "0.0.0.0:{port}", "[::1].evil.example", "",
)  # fmt: skip
"""Names that a page may get an address of ours to answer under, so that it is of our origin."""
WRONG_ORIGINS = (
    "http://evil.example", "http://127.0.0.1:1", "http://localhost:1", "http://127.0.0.1",
    "http://127.0.0.1.evil.example:{port}", "https://localhost:{port}x", "null", "file://", "*", "",
)  # fmt: skip
FOREIGN_SITES = tuple(
    {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": aim}
    for site in ("same-site", "cross-site")
    for mode, aim in (("no-cors", "empty"), ("cors", "empty"), ("navigate", "iframe"))
)
"""What browsers say of requests that carry no origin: pictures, scripts and frames of a page."""


@dataclass(frozen=True)
class Request:
    """One request as it goes over the wire, and what makes it hostile."""

    method: str
    path: str
    body: Any = None
    headers: tuple[tuple[str, str], ...] = ()
    hosts: tuple[str, ...] = ("127.0.0.1:{port}",)

    def status(self, url: str) -> int:
        """Of the answer of the server at `url`; 0: it has hung up."""
        known = urlsplit(url)
        assert known.hostname
        body = b"" if self.body is None else json.dumps(self.body).encode()
        lines = [f"{self.method} {self.path} HTTP/1.1"]
        lines += [f"Host: {host.format(port=known.port)}" for host in self.hosts]
        lines += [f"{k}: {v.format(port=known.port)}" for k, v in self.headers]
        lines += [f"Content-Length: {len(body)}"]
        lines += [] if any(k == "Connection" for k, _ in self.headers) else ["Connection: close"]
        with socket.create_connection((known.hostname, known.port), timeout=30) as wire:
            wire.sendall("\r\n".join([*lines, "", ""]).encode() + body)
            with wire.makefile("rb") as said:
                first = said.readline().split()
        return int(first[1]) if len(first) > 1 else 0

    def as_ours(self, login: str = "") -> "Request":
        """The same, asked as a program of this machine does."""
        return replace(self, headers=basic(login), hosts=("127.0.0.1:{port}",))


def refused(
    method: str, path: str, body: Any, login: str = "", more: Mapping[str, str] | None = None
) -> Iterator[Request]:
    """Ways to ask for `path` of which each must be refused, even with the right `login` and the
    headers `more`."""
    known = (*JSON.items(), *basic(login), *(more or {}).items())
    for hosts in [*((host,) for host in WRONG_HOSTS), (), ("127.0.0.1:{port}", "evil.example")]:
        yield Request(method, path, body, known, hosts)
    yield Request(
        method, path, body, (*known, ("X-Forwarded-Host", "127.0.0.1")), ("evil.example",)
    )
    for origin in WRONG_ORIGINS:
        yield Request(method, path, body, (*known, ("Origin", origin)))
    both = (("Origin", "http://127.0.0.1:{port}"), ("Origin", "http://evil.example"))
    yield Request(method, path, body, (*known, *both))
    for site in FOREIGN_SITES:
        yield Request(method, path, body, (*known, *site.items()))


def sockets(path: str) -> Iterator[Request]:
    """Ways to open a WebSocket at `path` that must be refused; 101 lets in."""
    for request in refused("GET", path, None):
        key = base64.b64encode(os.urandom(16)).decode()
        upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
        upgrade |= {"Sec-WebSocket-Key": key, "Sec-WebSocket-Protocol": "prefect"}
        yield Request("GET", path, None, (*request.headers, *upgrade.items()), request.hosts)


def basic(login: str) -> tuple[tuple[str, str], ...]:
    """Header of a login NAME:PASSWORD; none without."""
    coded = base64.b64encode(login.encode()).decode()
    return (("Authorization", f"Basic {coded}"),) if login else ()


PAGE = """\
async ({reads, writes, sockets}) => {
  const soon = (promise) => Promise.race([
    promise, new Promise((resolve) => setTimeout(() => resolve("silence"), 5000))]);
  const got = {};
  const json = {"Content-Type": "application/json"}, text = {"Content-Type": "text/plain"};
  const ways = {
    "as JSON": (body) => ({headers: json, body}),
    "as JSON, with cookies": (body) => ({headers: json, body, credentials: "include"}),
    "as text": (body) => ({headers: text, body}),
    "unread, as text": (body) => ({headers: text, body, mode: "no-cors"}),
    "unread, of no type": (body) => ({body: new Blob([body]), mode: "no-cors"}),
  };
  const ask = async (url, how) => {
    try {
      const answer = await fetch(url, how);
      return answer.type === "opaque" ? "sent" : `${answer.status} ${await answer.text()}`;
    } catch (error) { return `${error}`; }
  };
  for (const [url, body] of writes) {
    for (const [name, how] of Object.entries(ways))
      got[`write ${name}: ${url}`] = await soon(ask(url, {method: "POST", ...how(body)}));
    navigator.sendBeacon(url, new Blob([body]));
    for (const enctype of ["text/plain", "application/x-www-form-urlencoded"]) {
      const frame = document.createElement("iframe");
      frame.name = `${enctype} ${url}`;
      document.body.append(frame);
      const form = document.body.appendChild(document.createElement("form"));
      const field = form.appendChild(document.createElement("input"));
      // {"…": …, "=": ""}: JSON, when it is sent as text
      [field.name, field.value] = [`${body.slice(0, -1)}, "`, `": ""}`];
      Object.assign(form, {method: "POST", action: url, enctype, target: frame.name});
      const loaded = new Promise((resolve) => { frame.onload = () => resolve("sent"); });
      form.submit();
      got[`form ${enctype}: ${url}`] = await soon(loaded);
    }
  }
  for (const [method, url, body] of reads) {
    got[`read: ${method} ${url}`] = await soon(ask(url, {method, headers: body ? json : {}, body}));
    got[`read, simple: ${method} ${url}`] =
      await soon(ask(url, {method, headers: body ? text : {}, body}));
  }
  for (const [url, protocols, messages] of sockets) {
    got[`socket ${protocols}: ${url}`] = await soon(new Promise((resolve) => {
      const socket = new WebSocket(url, protocols);
      socket.onerror = () => resolve("refused");
      socket.onclose = (event) => resolve(`closed ${event.code}`);
      socket.onopen = () => {
        for (const message of messages) socket.send(message);
        setTimeout(() => resolve("open"), 2000);
      };
      socket.onmessage = (event) => resolve(`open ${event.data}`);
    }));
  }
  return got;
}
"""


def got_in(found: Mapping[str, str]) -> dict[str, str]:
    """Those of `page_attacks` that a server has answered otherwise than by a refusal."""
    return {name: said for name, said in found.items() if re.match(r"[123]\d\d |open", said)}


def page_attacks(
    page: Page,
    *,
    reads: Sequence[tuple[str, str, str | None]] = (),
    writes: Sequence[tuple[str, str]] = (),
    sockets: Sequence[tuple[str, Sequence[str], Sequence[str]]] = (),
) -> dict[str, str]:
    """What a page gets that is open in `page` and tries them all; attempt -> what came back.

    Args:
        reads: method, address, body.
        writes: address, JSON that changes something there.
        sockets: address, subprotocols, messages.
    """
    tries = {"reads": [*reads], "writes": [*writes], "sockets": [*sockets]}
    found: dict[str, str] = page.evaluate(PAGE, tries)
    return found


@contextmanager
def elsewhere() -> Iterator[int]:
    """The port of 127.0.0.1 at which somebody else serves an empty page."""

    class Empty(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>elsewhere</title><body>")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Empty) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@contextmanager
def browser() -> Iterator[Page]:
    """A page in a real browser that calls nobody, and that names of an attacker lead here."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium:
        pytest.skip("needs Chromium, as of Debian's package chromium")
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    rebound = "--host-resolver-rules=MAP *.example 127.0.0.1"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=[*flags, rebound])
        yield started.new_page(viewport={"width": 1440, "height": 810})
        started.close()
