from xml.etree import ElementTree

import pytest

from benchmarks.plot import Panel, Series, svg

SVG = "{http://www.w3.org/2000/svg}"


def panel(points: list[tuple[float, float]], *, logarithmic: bool = False) -> Panel:
    series = [Series("agent & co", points)]
    return Panel("by size", "GiB", "CPU s/GB", series, lambda value: f"{value:g}", logarithmic=logarithmic)


def circles(text: str) -> list[tuple[float, float]]:
    found = ElementTree.fromstring(text).iter(f"{SVG}circle")
    return [(float(circle.attrib["cx"]), float(circle.attrib["cy"])) for circle in found]


@pytest.mark.parametrize("logarithmic", [False, True])
def test_points_stand_in_the_order_of_their_values(logarithmic: bool) -> None:
    drawn = circles(svg([panel([(1, 0.1), (2, 0.4), (8, 3.0)], logarithmic=logarithmic)]))
    assert drawn == sorted(drawn)
    assert [y for _, y in drawn] == sorted((y for _, y in drawn), reverse=True)


def test_a_doubling_is_as_far_anywhere_on_the_axis_to_the_right() -> None:
    (one, _), (two, _), (four, _) = circles(svg([panel([(1, 1), (2, 1), (4, 1)])]))
    assert two - one == pytest.approx(four - two, abs=0.2)


def test_a_single_point_is_drawn_too() -> None:
    assert len(circles(svg([panel([(1, 1)]), panel([(1, 0.001)], logarithmic=True)]))) == 2
