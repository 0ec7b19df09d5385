"""Shanghai as a grid of tiles: a drawing of our own in which every district has the same size, and no map's data."""

from dataclasses import dataclass

from services.verify.facts import OUTSIDE
from services.verify.wording import Text


@dataclass(frozen=True, slots=True)
class District:
    """A district by its division code (GB/T 2260), and its place in the grid."""

    code: str
    name: Text
    across: int
    down: int


DISTRICTS = (
    District("310151", Text("崇明", "Chongming"), 3, 0),
    District("310114", Text("嘉定", "Jiading"), 0, 1),
    District("310113", Text("宝山", "Baoshan"), 2, 1),
    District("310107", Text("普陀", "Putuo"), 0, 2),
    District("310106", Text("静安", "Jing'an"), 1, 2),
    District("310109", Text("虹口", "Hongkou"), 2, 2),
    District("310110", Text("杨浦", "Yangpu"), 3, 2),
    District("310118", Text("青浦", "Qingpu"), 0, 3),
    District("310105", Text("长宁", "Changning"), 1, 3),
    District("310101", Text("黄浦", "Huangpu"), 2, 3),
    District("310115", Text("浦东", "Pudong"), 3, 3),
    District("310117", Text("松江", "Songjiang"), 0, 4),
    District("310112", Text("闵行", "Minhang"), 1, 4),
    District("310104", Text("徐汇", "Xuhui"), 2, 4),
    District("310116", Text("金山", "Jinshan"), 1, 5),
    District("310120", Text("奉贤", "Fengxian"), 2, 5),
)

BEYOND = District(OUTSIDE, Text("外省市", "Elsewhere"), 4, 5)
"""Holders who are not in Shanghai: on the map's edge."""

SHANGHAI = "310000"
"""The city without a district, as some holders state it."""
