"""The client against a real server on this machine that fails in every way it can."""

import json
import logging
import pickle
import time
import traceback

import pytest
from tests.llm.chat_server import completion, cutting, dripping, hanging, raw, saying, serving, status

from daag.errors import ConfigError, PlannerError
from daag.llm.chat_client import MAX_REPLY_BYTES, ChatClient
from daag.llm.completer import Completer, Message
from daag.llm.endpoint import ChatConfig

SCHEMA = {"title": "decompose", "type": "object", "properties": {"a": {"type": "string", "maxLength": 3}}}
HELLO = [Message("system", "be brief"), Message("user", "hello")]
KEY = "sk-very-secret-0123456789"


@pytest.fixture
def server():
    with serving(saying('{"a": "b"}')) as running:
        yield running


def client(server, environment=None, **settings):
    settings = {"timeout_seconds": 60.0, "backoff_seconds": 0.01, "attempts": 3, **settings}
    return ChatClient(ChatConfig(server.url, "tiny", **settings), environment or {})


def test_a_reply_comes_back_and_is_counted(server):
    model = client(server, price_per_million_prompt_tokens=2.0, price_per_million_completion_tokens=10.0)
    assert isinstance(model, Completer)
    assert model.complete(HELLO, SCHEMA) == '{"a": "b"}'
    (request,) = server.requests
    assert request["model"] == "tiny" and request["temperature"] == 0
    assert request["messages"] == [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "hello"},
    ]
    usage = model.usage
    assert (usage.requests, usage.faults, usage.prompt_tokens, usage.completion_tokens) == (1, 0, 100, 10)
    assert usage.cost == pytest.approx(100 * 2e-6 + 10 * 10e-6)


def test_the_strictest_form_comes_first_and_without_what_vendors_reject(server):
    client(server).complete(HELLO, SCHEMA)
    form = server.requests[0]["response_format"]
    assert form["type"] == "json_schema" and form["json_schema"]["strict"] is True
    assert form["json_schema"]["schema"]["properties"] == {"a": {"type": "string"}}


def test_a_server_that_knows_no_schema_is_asked_for_less_and_that_is_remembered(server):
    server.script = [status(400), status(400), status(422)]
    model = client(server)
    assert model.complete(HELLO, SCHEMA) == '{"a": "b"}'
    model.complete(HELLO, SCHEMA)
    forms = [request.get("response_format", {}).get("type") for request in server.requests]
    assert forms == ["json_schema", "json_object", "json_object", None, None]
    assert "schema" in server.requests[1]["response_format"]
    assert "schema" not in server.requests[2]["response_format"]


def test_a_server_that_fails_at_schemas_is_asked_for_less_and_a_single_failure_is_not_taken_for_that(server):
    server.script = [status(500)]
    accident = client(server)
    accident.complete(HELLO, SCHEMA)
    assert [request["response_format"]["type"] for request in server.requests] == ["json_schema"] * 2
    server.requests.clear()
    server.script = [status(500), status(500)]
    client(server).complete(HELLO, SCHEMA)
    assert [request["response_format"]["type"] for request in server.requests] == [
        "json_schema",
        "json_schema",
        "json_object",
    ]


def test_options_that_a_vendor_no_longer_knows_are_left_out(server):
    server.script = [
        status(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."),
        status(400, "Unsupported value: 'temperature' does not support 0."),
    ]
    client(server, max_tokens=77).complete(HELLO, SCHEMA)
    last = server.requests[-1]
    assert last["max_completion_tokens"] == 77
    assert "max_tokens" not in last and "temperature" not in last
    assert last["response_format"]["type"] == "json_schema"


SHORT_SECONDS = 1.0
"""A time-out that is meant to pass; everything else on this machine is to be faster, even when it is busy."""
FAULTS = {
    "time-out": hanging(30.0),
    "slow drip": dripping,
    "429": status(429, Retry_After="0"),
    "500": status(500),
    "503": status(503),
    "cut connection": cutting,
    "no choices": raw(b'{"choices": []}'),
    "truncated JSON": raw(completion("hello")[:-20]),
    "no JSON": raw(b"<html>It works!</html>", Content_Type="text/html"),
    "another shape": raw(b'{"choices": [{"message": "hello"}]}'),
    "a list": raw(b"[]"),
    "empty reply": saying(""),
    "null reply": saying(None),
    "1 MB": saying("x" * 2**20),
    "no text at all": raw(b"\xff\xfe\x00\x00"),
}


def timeout_for(name):
    return {"timeout_seconds": SHORT_SECONDS if name in ("time-out", "slow drip") else 60.0}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_counted_and_the_next_request_answers(server, name):
    server.script = [FAULTS[name]]
    model = client(server, **timeout_for(name))
    assert model.complete(HELLO, SCHEMA) == '{"a": "b"}'
    assert (model.usage.requests, model.usage.faults) == (2, 1)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_that_stays_is_an_error_after_as_many_requests_as_configured(server, name):
    server.usual = FAULTS[name]
    model = client(server, attempts=2, **timeout_for(name))
    with pytest.raises(PlannerError, match=r"gave no reply: .*Check that the server runs"):
        model.complete(HELLO, SCHEMA)
    assert model.usage.faults == model.usage.requests
    assert 2 <= model.usage.requests <= 5  # a 500 may mean that less should be asked for


def test_no_reply_takes_longer_than_the_time_out(server):
    for fault in (hanging(30), dripping):  # a drip takes 8 seconds
        server.script = [fault]
        start = time.monotonic()
        with pytest.raises(PlannerError, match=r"0\.3 seconds"):
            client(server, attempts=1, timeout_seconds=0.3).complete(HELLO, SCHEMA)
        assert time.monotonic() - start < 6


def test_the_server_is_given_the_time_it_asks_for_up_to_a_bound(server):
    server.script = [
        status(429, Retry_After="0.4"),
        status(429, Retry_After="1000"),
        status(429, Retry_After="soon"),
    ]
    start = time.monotonic()
    client(server, attempts=4, max_backoff_seconds=0.5).complete(HELLO, SCHEMA)
    assert 0.9 <= time.monotonic() - start < 100


@pytest.mark.parametrize(
    ("code", "advice"),
    [(401, "OPENAI_API_KEY"), (403, "OPENAI_API_KEY"), (404, "model is unknown there, or the base URL")],
)
def test_what_more_requests_would_not_change_is_said_at_once(server, code, advice):
    server.usual = status(code)
    model = client(server)
    with pytest.raises(PlannerError, match=advice):
        model.complete(HELLO, SCHEMA)
    assert model.usage.requests == 1


def test_a_refusal_of_the_model_is_said_at_once(server):
    server.usual = saying(None, refusal="I would rather not")
    with pytest.raises(PlannerError, match="refused: I would rather not"):
        client(server).complete(HELLO, SCHEMA)
    assert len(server.requests) == 1


def test_nobody_there_is_a_named_error():
    with pytest.raises(PlannerError, match=r"the connection failed.*Check that the server runs"):
        ChatClient(ChatConfig("http://127.0.0.1:9", "tiny", attempts=1, timeout_seconds=60.0), {}).complete(
            HELLO, SCHEMA
        )


def test_the_key_is_sent_and_shown_nowhere(server, caplog):
    caplog.set_level(logging.DEBUG)
    server.script = [
        status(429, f"slow down, {KEY}"),
        raw(f"you are {KEY}".encode()),
        saying(f'{{"a": "{KEY}"}}'),
        status(401, f"Incorrect API key provided: {KEY}"),
    ]
    model = client(server, {"MY_KEY": KEY}, key_variable="MY_KEY")
    reply = model.complete(HELLO, SCHEMA)
    assert reply == '{"a": "[key]"}'
    with pytest.raises(PlannerError, match="MY_KEY") as refused:
        model.complete(HELLO, SCHEMA)
    assert {headers["authorization"] for headers in server.headers} == {f"Bearer {KEY}"}
    shown = [
        "".join(traceback.format_exception(refused.value)),
        caplog.text,
        repr(model),
        str(model),
        model.name,
        str(refused.value),
        repr(model.config),
    ]
    shown += [
        json.dumps(model.usage.to_json()),
        repr(model.usage),
        pickle.dumps(model.config).decode("latin1"),
    ]
    assert len(caplog.records) > 2
    assert not any(KEY in text for text in shown)


def test_what_is_missing_is_said():
    with pytest.raises(ConfigError, match="DAAG_LLM_MODEL"):
        ChatClient(ChatConfig("http://localhost:1/v1"), {})
    with pytest.raises(ConfigError, match="set the environment variable OPENAI_API_KEY"):
        ChatClient(ChatConfig(model="x"), {})
    with pytest.raises(ConfigError, match="set the environment variable MINE"):
        ChatClient(ChatConfig("https://example.com/v1", "x", "MINE"), {"OPENAI_API_KEY": KEY})
    assert "tiny" in repr(ChatClient(ChatConfig("http://localhost:1/v1", "tiny"), {}))
    variables = {"OPENAI_BASE_URL": "http://localhost:1/v1", "DAAG_LLM_MODEL": "from-there"}
    assert ChatClient(ChatConfig(), variables).name == "from-there"


@pytest.mark.parametrize(
    "url", ["localhost:11434", "ftp://x/v1", "https://", f"https://me:{KEY}@x/v1", f"https://x/v1?key={KEY}"]
)
def test_a_url_that_is_none_or_holds_a_secret_is_refused_and_not_repeated(url):
    with pytest.raises(ConfigError) as refused:
        ChatConfig(url, "x")
    assert KEY not in str(refused.value)
    with pytest.raises(ConfigError):
        ChatConfig(model="x").resolved_url({"OPENAI_BASE_URL": url})


def test_impossible_settings_are_refused():
    for settings in ({"attempts": 0}, {"max_tokens": 0}, {"timeout_seconds": 0.0}, {"backoff_seconds": -1.0}):
        with pytest.raises(ConfigError):
            ChatConfig("http://localhost:1/v1", "x", **settings)


def test_a_reply_as_long_as_allowed_is_read(server):
    server.usual = saying("x" * (MAX_REPLY_BYTES - 1000))
    assert len(client(server).complete(HELLO, SCHEMA)) == MAX_REPLY_BYTES - 1000
