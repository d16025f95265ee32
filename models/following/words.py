"""Say a route in words: "bars 1-16, 1-16, 17-32"."""

from models.following.route import Route
from models.following.score import Score


def bar_name(score: Score, bar: int) -> str:
    """A bar's printed number, or its place in the score."""
    return score.bars[bar].number or str(bar + 1)


def spoken(score: Score, route: Route) -> str:
    """The bars that are heard, in order; where no sign of the score leads, it says so."""
    runs: list[tuple[int, int, bool]] = []
    for visit in route.visits:
        if runs and visit.bar == runs[-1][1] + 1 and not visit.cut:
            runs[-1] = (runs[-1][0], visit.bar, runs[-1][2])
        else:
            runs.append((visit.bar, visit.bar, visit.cut))
    said: list[str] = []
    for first, last, cut in runs:
        names = bar_name(score, first), bar_name(score, last)
        text = names[0] if names[0] == names[1] else f"{names[0]}-{names[1]}"
        said.append(f"cut to {text}" if cut else text)
    if not said:
        return "no bars"
    single = len(runs) == 1 and runs[0][0] == runs[0][1]
    return ("bar " if single else "bars ") + ", ".join(said)
