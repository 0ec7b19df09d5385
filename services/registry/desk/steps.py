"""The five steps of a case as a picture, and the table behind it."""

from datetime import date

from markupsafe import Markup

from services.domain.case import STEPS, Case, Stage
from services.registry.desk.room import Frame

_WIDTH, _SIDE, _TOP = 640, 64, 34
SIGNS = {
    "done": "M-9 0l6 7 12-14",
    "skipped": "M-8 0h16",
    "under_way": "M-4 -8l10 8-10 8z",
    "late": "M0 -10v12M0 7v3",
    "ahead": "",
}
"""What a step's circle holds: a tick, a dash, an arrow, an exclamation mark, or nothing. Colour only helps the eye."""


def state_of(stage: Stage | None, day: date) -> str:
    """`done`, `skipped`, `under_way`, `late`, or `ahead` where the step has not begun."""
    if stage is None:
        return "ahead"
    if stage.skipped:
        return "skipped"
    if stage.done_on is not None:
        return "done"
    return "late" if stage.due_on < day else "under_way"


def strip(case: Case, day: date, frame: Frame) -> Markup:
    """Five circles in a row, each with its sign, name, and the day that counts."""
    told = ", ".join(f"{row[0]}{frame.say('colon')}{row[1]}" for row in rows(case, day, frame))
    gap = (_WIDTH - 2 * _SIDE) / (len(STEPS) - 1)
    parts = [
        Markup('<svg viewBox="0 0 {} 96" role="img" aria-labelledby="steps-t steps-d">').format(_WIDTH),
        Markup('<title id="steps-t">{}</title><desc id="steps-d">{}</desc>').format(frame.say("five_steps"), told),
        Markup('<line class="axis" x1="{0}" y1="{1}" x2="{2}" y2="{1}"/>').format(_SIDE, _TOP, _WIDTH - _SIDE),
    ]
    stages = {stage.step: stage for stage in case.stages}
    for place, step in enumerate(STEPS):
        stage = stages.get(step)
        state = state_of(stage, day)
        x = round(_SIDE + place * gap)
        shown = (stage.done_on or stage.due_on).isoformat() if stage else ""
        parts.append(
            Markup(
                '<g class="stage {state}"><circle cx="{x}" cy="{y}" r="20"/>'
                '<path transform="translate({x} {y})" d="{sign}"/></g>'
                '<text x="{x}" y="72" text-anchor="middle">{name}</text>'
                '<text class="in" x="{x}" y="90" text-anchor="middle">{day}</text>'
            ).format(state=state, x=x, y=_TOP, sign=SIGNS[state], name=frame.say(f"step_{step}"), day=shown)
        )
    parts.append(Markup("</svg>"))
    return Markup("").join(parts)


def rows(case: Case, day: date, frame: Frame) -> list[tuple[str, str, str, str, str, str, str]]:
    """(step, state, division, begun, due, done, result) in words, one a step."""
    stages = {stage.step: stage for stage in case.stages}
    found = []
    for step in STEPS:
        stage = stages.get(step)
        found.append(
            (
                frame.say(f"step_{step}"),
                frame.say(f"stage_{state_of(stage, day)}"),
                stage.division if stage else "",
                stage.begun_on.isoformat() if stage else "",
                stage.due_on.isoformat() if stage else "",
                stage.done_on.isoformat() if stage and stage.done_on else "",
                stage.result if stage else "",
            )
        )
    return found
