"""What every test is run with."""

import signal


def pytest_configure() -> None:
    """A shell that starts the tests in the background has them, and all that they start, ignore SIGINT: undo that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
