"""Which bytes does a call begin with, and which address do they go to?"""

import pytest

from streamer.endpoint.request_head import Address, header_lines, proxy_of, target_of


@pytest.mark.parametrize(
    ("url", "address", "host", "path"),
    [
        ("http://a.example/p", Address("a.example", 80, False), "a.example", "/p"),
        ("https://a.example", Address("a.example", 443, True), "a.example", "/"),
        ("https://A.example:84/p?q", Address("a.example", 84, True), "a.example:84", "/p?q"),
        ("http://[::1]:80/", Address("::1", 80, False), "[::1]", "/"),
        (
            "http://bücher.example/",
            Address("xn--bcher-kva.example", 80, False),
            "xn--bcher-kva.example",
            "/",
        ),
    ],
)
def test_a_url_says_where_to_connect_and_what_to_ask(
    url: str, address: Address, host: str, path: str
) -> None:
    target = target_of(url)

    assert target is not None
    assert (target.address, target.host, target.path) == (address, host, path)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a.example",
        "ftp://a/",
        "http:///p",
        "http://a:b/",
        "http://a:99999/",
        "http://a/p q",
        "http://a/ü",
        "http://[::1/",
    ],
)
def test_what_is_no_url_of_http_has_no_target(url: str) -> None:
    assert target_of(url) is None


def test_headers_are_written_one_a_line() -> None:
    assert header_lines((("a", "b c"), ("d", ""))) == "a: b c\r\nd: \r\n"


@pytest.mark.parametrize(
    "header",
    [
        ("a", "b\r\nc: d"),
        ("a", "b\nc"),
        ("a", "b\0"),
        ("a b", "c"),
        ("", "c"),
        ("a", "€"),
        ("a:", "b"),
    ],
)
def test_a_header_that_would_break_out_of_its_line_is_not_written(header: tuple[str, str]) -> None:
    assert header_lines((header,)) is None


def test_a_proxys_login_is_written_as_basic_authentication() -> None:
    proxy = proxy_of("http://joe:hunter%32@proxy.example:3128")

    assert proxy is not None
    assert proxy.address == Address("proxy.example", 3128, False)
    assert proxy.login == "proxy-authorization: Basic am9lOmh1bnRlcjI=\r\n"


@pytest.mark.parametrize("url", ["https://proxy.example", "socks5://proxy.example", "proxy:3128"])
def test_only_a_proxy_that_speaks_plain_http_is_one(url: str) -> None:
    assert proxy_of(url) is None
