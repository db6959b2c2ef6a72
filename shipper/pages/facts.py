"""What the agent tells its pages. They ask for it anew each time, and change nothing."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from shipper.config import Config, ScrapeConfig
from shipper.metrics import Metrics
from shipper.tap.access import Access
from shipper.tap.border import Tap


@dataclass(frozen=True, slots=True)
class Facts:
    """One agent."""

    config: Config
    metrics: Metrics
    node: str  # its name; empty where it is not known
    asks_for_pods: bool  # of the Kubernetes API
    describe: Callable[[], dict[str, Any]]  # what /targets shows
    is_ready: Callable[[], bool]
    pending_bytes: Callable[[], int]  # memory of what is read and not settled
    loads: Callable[[bytes], Any]  # reads the JSON of a line, with Istio's keys
    access: Access
    tap: Tap | None  # None: lines are shown to nobody
    started: float = field(default_factory=time.time)  # seconds since 1970

    @property
    def scrape(self) -> ScrapeConfig:
        """What is read, and what is kept of it."""
        return self.config.scrape_configs[0]
