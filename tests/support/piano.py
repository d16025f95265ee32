"""Piano scores that the tests write themselves, as LilyPond files."""

import random

PAPER = "#(set-global-staff-size 20)\n"

HEADER = r"""\version "2.24.3"
\header { title = "A Little Piece" composer = "Nobody" tagline = ##f }
"""

# Two staves with chords, a tie, a grace note, a clef change, an ottava, a change of staff, a
# repeat and a trill; the sound is unfolded.
UPPER = r"""
upper = \relative c'' {
  \key d \major \time 4/4 \tempo 4 = 90
  \repeat volta 2 { <fis a d>4 \acciaccatura { e8 } d4 cis2~ | cis4 b8 a \change Staff = "down" g8
  fis \change Staff = "up" e4 | }
  \ottava #1 d'''4 cis b a | \ottava #0 d,,2\trill <d fis>2 \bar "|."
}
"""
LOWER = r"""
lower = \relative c {
  \key d \major \clef bass
  \repeat volta 2 { d4 a' fis a | d,2 r2 | }
  \clef treble fis'4 g \clef bass fis, e | d2 << { a'2 } \\ { d,4 d4 } >>
}
"""
SCORE = r"""
\score { \new PianoStaff << \new Staff = "up" \upper \new Staff = "down" \lower >> \layout { } }
\score {
  \unfoldRepeats \new PianoStaff << \new Staff = "up" \upper \new Staff = "down" \lower >>
  \midi { }
}
"""
LITTLE = HEADER + UPPER + LOWER + SCORE


def files(text: str, **includes: str) -> list[dict]:
    """A score as the table of pieces holds it: the main file, then what it includes."""
    rows = [{"name": "piece.ly", "text": text}]
    return rows + [{"name": f"{name}.ily", "text": content} for name, content in includes.items()]


def long(bars: int) -> str:
    """A score of so many bars on two staves, four quarters a bar and staff."""
    music = " ".join(["c4 e g e |"] * bars)
    return (
        HEADER + rf"\score {{ \new PianoStaff << \new Staff {{ \relative c'' {{ {music} }} }} "
        rf"\new Staff {{ \clef bass \relative c {{ {music} }} }} >> \layout {{ }} \midi {{ }} }}"
    )


def varied(bars: int, seed: int) -> str:
    """A score of so many bars whose notes are drawn: eight eighths above, four quarters below."""
    draw = random.Random(seed)
    upper = " | ".join(
        " ".join(f"{draw.choice('cdefgab')}''8" for _ in range(8)) for _ in range(bars)
    )
    lower = " | ".join(
        " ".join(f"{draw.choice('cdefgab')}4" for _ in range(4)) for _ in range(bars)
    )
    return (
        HEADER + rf"\score {{ \new PianoStaff << \new Staff {{ \tempo 4 = 100 {upper} }} "
        rf"\new Staff {{ \clef bass {lower} }} >> \layout {{ }} \midi {{ }} }}"
    )
