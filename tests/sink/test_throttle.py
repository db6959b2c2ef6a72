"""What repeats is not repeated in the log."""

from shipper.sink.throttle import Throttle


def test_said_at_once_then_once_a_minute_with_the_number() -> None:
    now = 0.0
    throttle = Throttle(lambda: now)
    assert throttle.to_say("a") == 1
    assert throttle.to_say("a", 5) == 0
    assert throttle.to_say("b", 2) == 2
    now = 59.9
    assert throttle.to_say("a") == 0
    now = 60.0
    assert throttle.to_say("a", 4) == 10
    assert throttle.to_say("a") == 0
