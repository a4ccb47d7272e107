"""`signclip serve` as a user starts it: what is said before anything loads, the start, the end."""

import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from typer.testing import CliRunner

from signclip import cli
from signclip.core.errors import ConfigError, RunError, SignIndexError
from signclip.serving import server
from tests.soak import serve as soak

RAW = {"content-type": "application/octet-stream"}


def refusal(*arguments) -> Exception:
    result = CliRunner().invoke(cli.app, ["serve", *map(str, arguments)])
    assert result.exception is not None, result.output
    return result.exception


def test_a_port_in_use_is_said_before_a_model_is_looked_for(place):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        error = refusal("no-such-model", "--port", port)
    assert isinstance(error, ConfigError)
    assert f"127.0.0.1:{port} cannot be served (Address already in use)" in str(error)
    assert "--port" in str(error)


def test_a_missing_index_and_a_missing_model(place):
    error = refusal("no-such-model", "--index", "nowhere", "--port", "0")
    assert isinstance(error, SignIndexError)
    assert "nowhere: no index here" in str(error)
    error = refusal("no-such-model", "--index", place / "index", "--port", "0")
    assert isinstance(error, RunError)
    assert "no-such-model" in str(error)


def test_an_index_of_another_model_is_refused(place, make_model, tmp_path):
    make_model(seed=9).save_pretrained(tmp_path / "other")
    error = refusal(tmp_path / "other", "--index", place / "index", "--port", "0")
    assert isinstance(error, SignIndexError)
    assert "made with the model" in str(error)


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1"])
def test_an_address_that_is_not_of_this_machine(host):
    with pytest.raises(ConfigError, match=r"address|cannot be served"):
        server.bind(host, 0)


def test_only_a_server_on_loopback_has_names():
    for host, known in (("127.0.0.1", True), ("0.0.0.0", False)):
        with server.bind(host, 0) as bound:
            assert (server.names(bound) is not None) == known


@pytest.mark.slow
def test_a_signal_ends_the_server_after_the_requests_that_have_begun(place, clip):
    """SIGTERM while a request waits for its batch: it is answered, and the exit status is 0."""
    with (
        soak.started(place / "model", place / "index", "--wait", "1000") as running,
        ThreadPoolExecutor(1) as pool,
    ):
        assert httpx.get(running.address, trust_env=False).status_code == 200
        url = f"{running.address}/v1/embed/pose"
        sent = pool.submit(httpx.post, url, content=clip, headers=RAW, timeout=30, trust_env=False)
        time.sleep(0.4)
        running.process.send_signal(signal.SIGTERM)
        assert sent.result().status_code == 200
        said = running.process.stdout.read()
        assert running.process.wait(30) == 0
    assert said.startswith("stopping; 1 requests finish first")
