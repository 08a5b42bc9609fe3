import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from switch.addresses import ADDRESS, Address, is_loopback, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:7100", Address("127.0.0.1", 7100)),
        ("localhost:0", Address("localhost", 0)),
        ("[::1]:65535", Address("::1", 65535)),
        ("switch-1.campus.example:80", Address("switch-1.campus.example", 80)),
    ],
)
def test_an_address_is_read_and_written_back(text, address):
    assert parse_address(text) == address
    assert str(address) == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "expected HOST:PORT"),
        ("7100", "expected HOST:PORT"),
        (":7100", "not a host"),
        ("localhost:", "expected HOST:PORT"),
        ("localhost:x", "expected HOST:PORT"),
        ("localhost:-1", "expected HOST:PORT"),
        ("localhost:65536", "expected 0 to 65535"),
        ("::1:7100", "stands in brackets"),
        ("[::1]", "expected HOST:PORT"),
        ("[]:7100", "not a host"),
        ("[127.0.0.1]:7100", "not a host"),
        ("300.0.0.1:7100", "not a host"),
        ("http://localhost:7100", "expected HOST:PORT"),
        ("a b:7100", "not a host"),
        ("localhost:7100\n", "expected HOST:PORT"),
        ("localhost:７１００", "expected HOST:PORT"),  # noqa: RUF001 - full-width digits are the case
    ],
)
def test_what_is_no_address_is_refused_with_what_was_expected(text, reason):
    with pytest.raises(ValueError, match=reason):
        parse_address(text)


@given(st.ip_addresses(), st.integers(0, 65_535))
def test_every_ip_address_survives_writing_and_reading(host, port):
    address = Address(str(host), port)
    assert parse_address(str(address)) == address
    assert address.is_loopback == host.is_loopback


@pytest.mark.parametrize("host", ["127.0.0.1", "127.255.0.9", "::1", "localhost", "LOCALHOST"])
def test_loopback(host):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "128.0.0.1", "localhost.example", ""])
def test_not_loopback(host):
    assert not is_loopback(host)


def test_a_wrong_address_on_the_command_line_exits_with_2():
    @click.command()
    @click.option("--listen", type=ADDRESS, default="127.0.0.1:7100")
    def serve(listen):
        click.echo(repr(listen))

    assert CliRunner().invoke(serve, []).output == repr(Address("127.0.0.1", 7100)) + "\n"
    refused = CliRunner().invoke(serve, ["--listen", "7100"])
    assert refused.exit_code == 2
    assert "--listen" in refused.output
    assert "expected HOST:PORT" in refused.output
