"""Where requests may go: named hosts over TLS, and this machine only where that is said.

Names are checked before a connection is made, addresses after they are looked up, so that a name
that is turned onto an inner address does not help anybody.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

LOCAL_NAMES = ("localhost", ".localhost")
CARRIERS = tuple(
    ipaddress.ip_network(net)
    for net in ("::/96", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16")
)
"""IPv6 that carries an IPv4 address inside, to be unpacked by a gateway behind our back."""


def refusal(url: str, hosts: frozenset[str], *, loopback: bool) -> str | None:
    """Say why a request may not go to this URL; None when it may.

    >>> refusal("https://crm.example/x", frozenset({"crm.example"}), loopback=False)
    >>> refusal("http://crm.example/x", frozenset({"crm.example"}), loopback=False)
    'only https is allowed to crm.example'
    >>> refusal("https://crm.example@other.example/", frozenset({"crm.example"}), loopback=False)
    'the address holds a user name'
    """
    try:
        parts = urlsplit(url)
        host, _port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return "the address is malformed"
    if not host or not url.isascii() or any(char.isspace() for char in url):
        return "the address is malformed"
    if parts.username is not None:
        return "the address holds a user name"
    if loopback and is_local_name(host):
        return None if parts.scheme in ("http", "https") else "only http and https are allowed"
    if parts.scheme != "https":
        return f"only https is allowed to {host}"
    return None if host in hosts else f"{host} is not among the hosts that may be asked"


def is_local_name(host: str) -> bool:
    """Say whether a host is this machine by its name or its literal address.

    >>> [is_local_name(host) for host in ("127.0.0.1", "::1", "a.localhost", "10.0.0.1")]
    [True, True, True, False]
    """
    if host == LOCAL_NAMES[0] or host.endswith(LOCAL_NAMES[1]):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def may_connect(address: str, *, local: bool) -> bool:
    """Say whether a looked-up address fits: this machine for local names, public for all others.

    >>> may_connect("93.184.215.14", local=False), may_connect("169.254.169.254", local=False)
    (True, False)
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(ip, "ipv4_mapped", None)
    ip = mapped or ip
    if local:
        return ip.is_loopback
    return ip.is_global and not ip.is_multicast and not any(ip in net for net in CARRIERS)
