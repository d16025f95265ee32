"""Text of others in Markdown is shown as it is, by a renderer that allows all of Markdown."""

import html
import time

import pytest
from markdown_it import MarkdownIt

from pipeline.describing import markdown

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<!-- the rest is a comment",
    "[click](javascript:alert(1))",
    "![picture](http://evil.example/x.png)",
    "[reference][1] and <http://evil.example>",
    "https://evil.example/ and www.evil.example and me@evil.example",
    "`code` and ``more`",
    "*em* **strong** _em_ __strong__ ~~gone~~ $x^2$",
    "a | b \\| c \\\\| d",
    "&lt;b&gt; &amp; &#60;",
    "Trio in C_sharp, Op. 1 (no. 2) #3",
]


def rendered(text: str) -> str:
    return MarkdownIt("js-default", {"html": True, "linkify": False}).render(text)


@pytest.mark.parametrize("text", HOSTILE)
def test_text_is_shown_as_it_is_in_a_table(text):
    page = rendered(markdown.table(("name", "number"), [(text, 1)]))
    cells = page.split("<tbody>")[1].split("<td>")[1:]
    assert html.unescape(cells[0].split("</td>")[0]) == text
    assert cells[1].startswith("1</td>") and len(cells) == 2
    assert cells[0].count("<") == 1  # that which closes the cell


@pytest.mark.parametrize("text", HOSTILE)
def test_text_is_shown_as_it_is_in_a_heading(text):
    assert html.unescape(rendered(f"# {markdown.escape(text)}")) == f"<h1>{text}</h1>\n"


def test_ids_stay_readable_in_the_source():
    assert markdown.escape("bach__bwv272_a") == "bach__bwv272_a"


def test_line_breaks_control_and_direction_marks_are_spaces():
    text = "a\nb\r\n\n# c\x1b[31m\x00d\u2028e\u202ef\u200bg\x85"
    assert markdown.plain(text) == "a b # c [31m d e f g"


def test_long_text_is_cut_and_takes_no_time():
    begin = time.monotonic()
    for text in ("_" * 10**7, "a" * 10**7, "\n" * 10**7, "[" * 10**7):
        assert len(markdown.plain(text)) <= markdown.LENGTH
        markdown.escape(text)
    assert time.monotonic() - begin < 2
    assert markdown.plain("a" * 300) == "a" * 199 + "…"


def test_numbers_have_commas_and_fractions_one_digit():
    assert (
        markdown.table(("a", "b"), [(12345, 1.25)]) == "| a | b |\n| --- | --- |\n| 12,345 | 1.2 |"
    )
