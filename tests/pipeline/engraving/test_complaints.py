"""What LilyPond complained of, as a table keeps it: short, each once, no folder of the machine."""

from pipeline.engraving import complaints

SAID = """Fontconfig error: No writable cache directories
/piece/parts/right.ily:2:16: error: unknown escaped string: `\\foo'
{ c'4
      \\foo d' e' f' }
/piece/parts/right.ily:9:1: error: unknown escaped string: `\\foo'
x.ly:3:1: error: syntax error, unexpected '}'
x.ly:4:1: warning: bar check failed at: 1/2
fatal error: failed files: "/tmp/engrave-abc/x.ly"
"""


def test_each_complaint_stands_once_with_its_first_location():
    assert complaints.complaints(SAID) == [
        "unknown escaped string: `\\foo' (right.ily:2:16 and 1 more)",
        "syntax error, unexpected '}' (x.ly:3:1)",
        "warning: bar check failed at: 1/2 (x.ly:4:1)",
        'fatal error: failed files: "x.ly"',
    ]


def test_nothing_is_no_complaint():
    assert complaints.complaints("") == []
    assert complaints.complaints("Fontconfig error: No writable cache directories\n") == []


def test_complaints_are_few_short_and_printable():
    said = "\n".join(f"x.ly:{n}:1: error: {n}\x1b[31m\u202e{'a' * 5000}" for n in range(1000))
    found = complaints.complaints(said)
    assert len(found) == complaints.MOST + 1
    assert found[-1] == "and 990 more complaints"
    assert all(len(line) <= complaints.LENGTH and line.isprintable() for line in found)


def test_long_lines_take_no_time():
    complaints.complaints("a/" * 500_000 + "\n" + "error: " * 200_000 + "\n" + "a:" * 500_000)
