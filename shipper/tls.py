"""Certificates are checked as kubectl and Promtail check them: chain, name and expiry, on every Python alike.

Python 3.13 also wants extensions that RFC 5280 asks for, such as key usage and key identifiers. The authorities of many
clusters have none.
"""

import ssl
from pathlib import Path


def client_context(ca_file: str | Path | None) -> ssl.SSLContext:
    """For connections to servers that these authorities have signed; None: the system's. Raises OSError."""
    context = ssl.create_default_context(cafile=ca_file)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context
