"""A server on this machine that speaks the OpenAI protocol, and can be told to fail in every way that real ones do."""

import json
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle
from typing import Any

from daag.errors import LanguageError
from daag.llm import GrammarPlanner
from daag.tasks import LANGUAGES, Fact, Language, Subgoal

Behaviour = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """One request; what happens to it is the server's next behaviour."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server = self.server
        assert isinstance(server, ChatServer)
        self.request_json = json.loads(body)
        with server.lock:
            server.requests.append(self.request_json)
            server.headers.append({name.lower(): value for name, value in self.headers.items()})
            behaviour = server.script.pop(0) if server.script else server.usual
        with suppress(BrokenPipeError, ConnectionResetError):  # who asked has gone away
            behaviour(self)

    def send(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class ChatServer(ThreadingHTTPServer):
    """Behaves as scripted, request by request, and then as usual."""

    daemon_threads = True

    def __init__(self, usual: Behaviour) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.usual = usual
        self.script: list[Behaviour] = []
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


@contextmanager
def serving(usual: "Behaviour | None" = None) -> Iterator[ChatServer]:
    """A server that runs."""
    server = ChatServer(usual or answering)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def completion(text: str | None, **message: Any) -> bytes:
    return json.dumps(
        {
            "id": "x",
            "object": "chat.completion",
            "created": 0,
            "model": "m",
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "stop",
                    "message": {"role": "assistant", "content": text, **message},
                }
            ],
            "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
        }
    ).encode()


def saying(text: str | None, **message: Any) -> Behaviour:
    return lambda handler: handler.send(200, completion(text, **message))


def status(code: int, message: str = "no", **headers: str) -> Behaviour:
    return lambda handler: handler.send(code, json.dumps({"error": {"message": message}}).encode(), **headers)


def raw(body: bytes, **headers: str) -> Behaviour:
    return lambda handler: handler.send(200, body, **headers)


def hanging(seconds: float) -> Behaviour:
    return lambda handler: time.sleep(seconds)


def dripping(handler: Handler) -> None:
    """A byte every 20 ms: no two bytes are far enough apart for a time-out between them."""
    body = completion("x" * 100)
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    for byte in body:
        handler.wfile.write(bytes([byte]))
        handler.wfile.flush()
        time.sleep(0.02)


def cutting(handler: Handler) -> None:
    """Half a reply, and the line goes dead."""
    body = completion("x" * 100)
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body[: len(body) // 2])
    handler.wfile.flush()
    handler.connection.close()


FAULTS: dict[str, Behaviour] = {
    "429": status(429, Retry_After="0"),
    "500": status(500),
    "503": status(503),
    "cut connection": cutting,
    "no choices": raw(b'{"choices": []}'),
    "truncated JSON": raw(completion("hello")[:-20]),
    "no JSON": raw(b"<html>It works!</html>"),
    "empty reply": saying(""),
    "1 MB": saying("x" * 2**20),
    "refusal": saying(None, refusal="no"),
    "unknown key": status(401),
    "another shape": saying('{"answer": "perhaps"}'),
    "smuggled fields": saying('{"answer": {"impossible": "", "sudo": true}}'),
    "smuggled object": saying('{"answer": {"edits": [{"object": "me", "becomes": "red cube"}]}}'),
    "half a plan": saying('{"answer": {"edits": []}}'),
    "unicode": saying("\u202e💥\ufeff{"),
}
"""Ways in which a question about a repaint can go wrong, quick ones. Most are worth another request; none is an answer."""
SLOW_FAULTS: dict[str, Behaviour] = {"time-out": hanging(4.0), "slow drip": dripping}
"""Those that only a time-out ends."""


@dataclass
class Faulty:
    """Answers, and now and then does not: some of the requests get a fault instead, each of `faults` in turn."""

    faults: Mapping[str, Behaviour]
    share: float
    """Of requests that get one, while `active`."""
    seed: int = 0
    active: bool = True
    injected: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._chance, self._next, self._lock = random.Random(self.seed), cycle(self.faults), threading.Lock()

    def __call__(self, handler: Handler) -> None:
        with self._lock:
            name = next(self._next) if self.active and self._chance.random() < self.share else ""
            self.injected.update([name] if name else [])
        (self.faults[name] if name else answering)(handler)


def answering(handler: Handler) -> None:
    """Answer what was asked, as a language model would that knows the grammar."""
    handler.send(200, completion(json.dumps(answer(handler.request_json))))


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """The right answer to a request, out of the data in it."""
    found = re.search(r"<data>\n(.*)\n</data>", request["messages"][1]["content"], re.DOTALL)
    assert found is not None
    data = json.loads(found[1])
    planner = (
        GrammarPlanner(_language(data["world"]), data.get("may_exchange", True)) if "world" in data else None
    )
    if planner is None:
        told = ", and ".join(f"make the {edit['now']} a {edit['then']}" for edit in data["edits"])
        return {"instruction": f"{told}."}
    if "instruction" in data:
        return _decomposition(planner, data["instruction"])
    if "stored" in data:
        same = [int(key) for key, text in data["stored"].items() if _same(planner, data["wanted"], text)]
        return {"same": same}
    proposal = planner.propose_edit(
        data["shows"], Subgoal(data["should_show"], data["should_show"]), data["objects"]
    )
    if proposal.plan is None:
        return {"answer": {"impossible": proposal.reason[:200]}}
    edits = [{"object": edit.source, "becomes": edit.target} for edit in proposal.plan.edits]
    return {"answer": {"edits": edits}}


def _decomposition(planner: GrammarPlanner, instruction: str) -> dict[str, Any]:
    try:
        stages = planner.decompose(instruction)
    except LanguageError as error:
        return {"answer": {"impossible": str(error)[:200]}}
    return {"answer": {"stages": [_stage(stage.description) for stage in stages]}}


def _stage(description: str) -> dict[str, str]:
    fact = Fact.parse(description)
    return {
        "relation": fact.relation,
        "subject": str(fact.subject),
        "target": str(fact.target or ""),
        "place": fact.place,
    }


def _same(planner: GrammarPlanner, first: str, second: str) -> bool:
    try:
        return planner.compare(first, second)
    except LanguageError:
        return False


def _language(world: dict[str, Any]) -> Language:
    return next(
        language
        for language in LANGUAGES.values()
        if list(language.relations) == list(world["relations"]) and list(language.kinds) == world["kinds"]
    )
