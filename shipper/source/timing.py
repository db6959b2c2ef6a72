"""All durations of the source, in one place: production uses the defaults, tests their own. All in seconds."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long each part of the source waits, reads or remembers. All in seconds."""

    # reader
    turn: float = 0.002  # a target's time slice; checked after each block
    yield_after: float = 0.001  # reading without a pause, after which the event loop's other tasks run
    rescan: float = 30.0  # between scans of all directories, which find what inotify has missed
    tick: float = 1.0  # between checks of targets that wait for time to pass, or have no watch
    relist: float = 0.05  # until a directory is listed again that changed while it was listed

    # pacing
    debounce: float = 0.15  # from a first write to the check of it, in which others come
    poll_when_shipping: float = 0.3  # between checks while each finds lines to keep
    poll_when_reading: float = 0.48  # between checks while each finds lines, and keeps none

    # follower
    quiet: float = 5.0  # without growth, after which a file that has a successor, or no name, is finished
    partial_quiet: float = 2.0  # the same for the last line of a container that has ended, when it is partial

    cut_quiet: float = 60.0  # the same for a container that seems to have ended: its last part is a short one
    cut_quiet_in_line: float = 600.0  # the same for one that seems to run: its last part is a full one
    ended_quiet: float = 120.0  # without growth, after which a restart takes a log that is gone for one that had ended

    # saver
    save_after_settling: float = 0.5
    save_after_reading: float = 10.0  # lines that were not kept are cheap to read again
    write_patience: float = 2.0  # for a write of the positions; then all goes on without it, also the stop

    def checking_within(self, seconds: float) -> "Timing":
        """The same, but no write waits longer than this to be read."""
        return replace(
            self,
            debounce=min(self.debounce, seconds),
            poll_when_shipping=min(self.poll_when_shipping, seconds),
            poll_when_reading=min(self.poll_when_reading, seconds),
        )
