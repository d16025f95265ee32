"""Find the systems of a page and their staves, in pixels of a page that is PAGE_WIDTH_PX wide."""

from collections import defaultdict

from pipeline.engraving import svg

SAME_STAFF = 1.0  # staff spaces between the tops of what counts as one staff, lines interrupted


def systems(page: svg.Page) -> list[dict[int, list[svg.Staff]]]:
    """Systems from the top of a page, each a dict from a staff's index to its staff lines."""
    by_system: dict[int, list[svg.Staff]] = defaultdict(list)
    for staff in page.staves:  # sorted by top
        by_system[staff.system].append(staff)
    found = []
    for staves in sorted(by_system.values(), key=lambda staves: staves[0].top):
        system: dict[int, list[svg.Staff]] = {0: [staves[0]]}
        for staff in staves[1:]:
            last = max(system)
            same = staff.top - system[last][0].top < SAME_STAFF
            system.setdefault(last if same else last + 1, []).append(staff)
        found.append(system)
    return found


def rows(
    piece_id: str, image: int, page: svg.Page, scale: float, first: int
) -> tuple[list[dict], dict[int, tuple[int, int]]]:
    """Rows of SYSTEMS of a page, and (system, staff) by the number of the staff lines.

    Args:
        piece_id: The piece.
        image: The page's number in the piece.
        page: What the page shows.
        scale: Pixels a staff space.
        first: Number of the page's first system in the piece.
    """
    found, staff_of = [], {}
    for index, system in enumerate(systems(page), first):
        parts = [part for staff in system.values() for part in staff]
        staff_of |= {part.number: (index, staff) for staff, own in system.items() for part in own}
        found.append(
            {
                "piece_id": piece_id,
                "system": index,
                "image": image,
                "left": min(part.left for part in parts) * scale,
                "right": max(part.right for part in parts) * scale,
                "top": [min(part.top for part in own) * scale for own in system.values()],
                "bottom": [max(part.bottom for part in own) * scale for own in system.values()],
            }
        )
    return found, staff_of
