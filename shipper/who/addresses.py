"""One text for one address, however it is written."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Network = IPv4Network | IPv6Network
LONGEST = 100  # characters; an IPv6 address has at most 45, and its zone is a name


def canonical(text: str) -> str | None:
    """An address as Python writes it; None for anything else.

    `[::1]` is `::1`, `::ffff:10.0.0.1` is `10.0.0.1`, and a zone (`fe80::1%eth0`) says nothing outside its node.
    """
    address = parsed(text)
    return None if address is None else str(address)


def parsed(text: str) -> IPv4Address | IPv6Address | None:
    """The address that a text names; an IPv4 address where it is written as IPv6."""
    if len(text) > LONGEST:
        return None
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    try:
        address = ip_address(text.partition("%")[0] if ":" in text else text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
