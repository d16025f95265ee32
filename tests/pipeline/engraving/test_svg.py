"""SVG that LilyPond did not draw is refused before it is drawn."""

import pytest

from pipeline.engraving import svg

OPENING = (
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    ' width="210mm" height="297mm" viewBox="0 0 100 140">'
)


def page(content: str = "", opening: str = OPENING) -> str:
    return f"{opening}{content}</svg>"


def test_what_lilypond_draws_with_is_read():
    """Its own footer is a link, which nothing follows."""
    found = svg.read(
        page(
            "<style>tspan { white-space: pre; }</style>"
            '<a xlink:href="http://lilypond.org/"><g><text><tspan>Music</tspan></text></g></a>'
            '<path d="M0 0"/><line/><rect/><circle/><ellipse/><polygon/><polyline/>'
        )
    )
    assert (found.width, found.height, found.mm) == (100, 140, 2.1)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('<image href="/etc/passwd"/>', "<image>"),
        ('<g><image xlink:href="file:///dev/zero"/></g>', "<image>"),
        ('<g id="a"><use href="#a"/></g>', "<use>"),
        ("<script>1</script>", "<script>"),
        ("<foreignObject/>", "<foreignObject>"),
        ("<filter><feImage/></filter>", "<filter>|<feImage>"),
        ('<svg width="9"/>', "<svg>"),
        ('<rect xlink:href="file:///etc/passwd"/>', "<rect href>"),
        ('<style>@import "file:///etc/passwd";</style>', "<style>"),
        ("<style>rect { fill: url(/etc/passwd) }</style>", "<style>"),
        ('<h:image xmlns:h="http://www.w3.org/1999/xhtml"/>', "<image>"),
        ("<g>" * 1000 + "</g>" * 1000, "more than 100 elements inside one another"),
    ],
)  # fmt: skip
def test_pictures_links_scripts_and_nests_are_refused(content, reason):
    with pytest.raises(ValueError, match=reason):
        svg.read(page(content))


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE svg [<!ENTITY a "aaaa">]>' + page("&a;"),
        '<!DOCTYPE svg SYSTEM "file:///etc/passwd">' + page(),
        "<html/>",
        "",
        page(opening="<svg>"),
        page(opening=OPENING.replace("100 140", "100")),
        page(opening=OPENING.replace("100 140", "nan 140")),
        page(opening=OPENING.replace("100 140", "inf 140")),
        page(opening=OPENING.replace("100 140", "1e999 140")),
        page(opening=OPENING.replace("100 140", "0 140")),
        page(opening=OPENING.replace("100 140", "-100 140")),
        page(opening=OPENING.replace("210mm", "nanmm")),
    ],
)
def test_what_is_no_page_is_refused(text):
    with pytest.raises(ValueError, match=r"page"):
        svg.read(text)


def test_more_pixels_than_any_page_has_are_not_drawn():
    with pytest.raises(ValueError, match="a page of 835 x 835000000 px"):
        svg.draw(page(), 0, 0, 1, 835, 835_000_000)
