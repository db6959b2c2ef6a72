"""When the Kubernetes API is asked, and for how long its answers are awaited."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiTiming:
    """All in seconds; a pair is the range that a random value is taken from."""

    first_request: tuple[float, float] = (0.0, 1.0)  # after the start: agents that start together do not ask together
    connect: float = 5.0
    response: float = 20.0  # until the headers of a response are there
    list_silence: float = 15.0  # without a byte of a list
    list: float = 60.0  # for a whole list
    watch_silence: float = 180.0  # without a byte of a watch: bookmarks come about each minute
    watch: tuple[float, float] = (240.0, 480.0)  # after which the server is asked to end a watch
    between_watches: tuple[float, float] = (1.0, 2.0)  # from the begin of one to the next: most last longer
    catch_up: float = 1.0  # after which a watch has told what happened before it was opened
    first_backoff: float = 0.5
    longest_backoff: float = 30.0  # from a server that refuses
    longest_search: float = 5.0  # back-off from a server that cannot be reached: new pods come soon after it does
    debounce: float = 0.1  # events gather in the kernel: a burst costs ten reads a second, not a thousand
    pod_wait: float = 5.0  # that a new target waits for its pod's metadata
    remember_deleted: float = 300.0  # that a deleted pod is remembered: its last lines are read after its end


API_TIMING: Final = ApiTiming()
