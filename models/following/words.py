"""Say a route in words: "bars 1-16, 1-16, 17-32"."""

from collections.abc import Collection

from models.following.route import Route
from models.following.score import Score


def bar_name(score: Score, bar: int) -> str:
    """A bar's printed number, or its place in the score."""
    return score.bars[bar].number or str(bar + 1)


def spoken(score: Score, route: Route) -> str:
    """The bars that are heard, in order; where no sign of the score leads, it says so."""
    found: list[tuple[int, int, bool]] = []
    for visit in route.visits:
        if found and visit.bar == found[-1][1] + 1 and not visit.cut:
            found[-1] = (found[-1][0], visit.bar, found[-1][2])
        else:
            found.append((visit.bar, visit.bar, visit.cut))
    names = [(bar_name(score, first), bar_name(score, last)) for first, last, _ in found]
    return runs(names, {place for place, (*_, cut) in enumerate(found) if cut})


def runs(names: list[tuple[str, str]], cuts: Collection[int] = ()) -> str:
    """Runs of bars, each by the names of its first and last: "bars 1-16, cut to 20-24".

    `cuts` are the places of the runs that begin with a cut.
    """
    said = [first if first == last else f"{first}-{last}" for first, last in names]
    said = [f"cut to {run}" if place in cuts else run for place, run in enumerate(said)]
    if not said:
        return "no bars"
    single = len(names) == 1 and names[0][0] == names[0][1]
    return ("bar " if single else "bars ") + ", ".join(said)
