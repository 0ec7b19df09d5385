"""Charts: well-formed, read aloud, whole without colour, and true to their figures."""

import math
import re
import xml.etree.ElementTree as ET

import pytest

from services.chart import (
    SHADES,
    STYLE,
    Bar,
    Curve,
    Series,
    Stack,
    Tile,
    bar_chart,
    columns,
    line_chart,
    shade,
    shade_limits,
    stacked_bars,
    standalone,
    tile_map,
)

SERIES = (Series("有效", "c1"), Series("<暂停>", "c2"))
CHARTS = {
    "bars": bar_chart([Bar("<b>", 100000, "accepted"), Bar("x", 1, "refused"), Bar("y", 0, "pending")], "题", "<i>"),
    "stacked": stacked_bars([Stack("<b>", (3, 1)), Stack("y", (0, 8))], SERIES, "题", "<i>"),
    "columns": columns([Bar("<b>", 3), Bar("y", 0)], "题", "<i>"),
    "lines": line_chart([Curve(SERIES[1], ((0, 1), (1, 10)))], "题", "<i>", names=[(0, "<b>")]),
    "tiles": tile_map([Tile("<b>", 0, 0, 7), Tile("y", 2, 1, 0)], "题", "<i>"),
    "no bars": bar_chart([], "题", "<i>"),
    "no stacks": stacked_bars([], SERIES, "题", "<i>"),
    "no columns": columns([], "题", "<i>"),
    "no lines": line_chart([], "题", "<i>", log=True),
    "no tiles": tile_map([], "题", "<i>"),
}


def rects(chart: str) -> list[dict[str, float]]:
    return [
        {name: float(value) for name, value in rect.attrib.items() if name != "class"}
        for rect in ET.fromstring(chart).iter("rect")  # noqa: S314  # what was just drawn here
    ]


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_is_read_aloud_and_lets_nothing_in(name: str) -> None:
    root = ET.fromstring(CHARTS[name])  # noqa: S314  # what was just drawn here
    assert root.get("role") == "img"
    labels = [root.get("aria-labelledby"), root.get("aria-describedby")]
    assert [root.find(f"*[@id='{label}']").text for label in labels] == ["题", "<i>"]  # type: ignore[union-attr]
    assert "style=" not in CHARTS[name], "the pages' policy has no place for it"
    assert "fill=" not in CHARTS[name], "dark mode could not change it"
    if not name.startswith("no "):
        assert "<b>" not in CHARTS[name]


def test_bars_are_as_long_as_their_counts_and_none_that_counts_is_unseen() -> None:
    widths = [rect["width"] for rect in rects(CHARTS["bars"])]
    assert widths[0] > widths[1] > widths[2] == 0
    assert "100,000" in CHARTS["bars"]


def test_the_parts_of_a_stack_follow_each_other() -> None:
    first, second = rects(CHARTS["stacked"])[2:4]
    assert second["x"] == pytest.approx(first["x"] + first["width"], abs=0.11)
    assert first["width"] == pytest.approx(3 * second["width"], rel=0.01)
    assert [text for text in ("4", "8") if f">{text}</text>" in CHARTS["stacked"]] == ["4", "8"]


def test_columns_stand_on_one_line() -> None:
    tall, none = rects(CHARTS["columns"])
    assert tall["y"] + tall["height"] == pytest.approx(none["y"] + none["height"])
    assert none["height"] == 0


def points(chart: str) -> list[tuple[float, float]]:
    line = re.search(r'<polyline class="c1" points="([^"]+)"', chart)
    assert line is not None
    return [(float(x), float(y)) for x, y in (at.split(",") for at in line[1].split())]


def test_equal_ratios_are_equal_steps_on_a_logarithmic_axis() -> None:
    curve = Curve(SERIES[0], ((1, 0), (1, 2), (2, 20), (3, 200)))
    (_, a), (_, b), (_, c) = points(line_chart([curve], "t", "a", log=True))
    assert a - b == pytest.approx(b - c, abs=0.11)
    (_, a), (_, b), (_, c), (_, d) = points(line_chart([curve], "t", "a"))
    assert (c - d) > 9 * (b - c) > 9 * (a - b) > 0


@pytest.mark.parametrize("values", [(0.003, 0.5), (1, 1), (7, 12345), (5e-9, 4e9)])
def test_every_point_lies_inside_the_axes(values: tuple[float, float]) -> None:
    for log in (True, False):
        for x, y in points(line_chart([Curve(SERIES[0], tuple(enumerate(values)))], "t", "a", log=log)):
            assert 64 <= x <= 628
            assert 30 <= y <= 270
            assert math.isfinite(x)


@pytest.mark.parametrize("counts", [(), (0,), (5,), (1, 2), (1, 1, 1), (1, 2, 3, 4, 5, 6, 7, 8, 9, 10), (3, 3, 900)])
def test_shades_rise_with_the_counts(counts: tuple[int, ...]) -> None:
    limits = shade_limits(counts)
    shades = [shade(count, limits) for count in sorted(counts)]
    assert shades == sorted(shades)
    assert all((step == 0) == (count == 0) for step, count in zip(shades, sorted(counts), strict=True))
    if any(counts):
        assert shades[-1] == SHADES
    assert list(limits) == sorted(set(limits))


def test_a_chart_as_a_file_has_its_colours_with_it() -> None:
    file = standalone(CHARTS["tiles"])
    root = ET.fromstring(file)  # noqa: S314  # what was just drawn here
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert STYLE in file.decode()


def test_every_class_of_a_chart_has_a_look() -> None:
    for chart in (CHARTS["stacked"], CHARTS["lines"], CHARTS["tiles"], CHARTS["columns"]):
        for look in {name for names in re.findall(r'class="([^"]*)"', chart) for name in names.split()}:
            assert f".{look}" in STYLE or look.startswith("t")
