"""Every rule says in words what it does."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
RULE = re.compile(r"^( *)rule (\w+):\n(.*?)(?=^\1\S|\Z)", re.MULTILINE | re.DOTALL)


LONG = {
    "collection": "piano", "font": "TimGM6mb", "tempo_ratio": "0.9-1.1", "chunk": "12 of 24",
    "network": "paper", "model": "BL2-LC+AT", "file": "sound font.sf3",
}  # fmt: skip
BEFORE = "15:46  100/700  "


def test_every_rule_has_a_message_that_fits_a_terminal():
    paths = sorted((ROOT / "rules").rglob("*.smk"))
    rules = {match[2]: match[3] for path in paths for match in RULE.finditer(path.read_text())}
    assert {"engrave", "train", "retrieval_train", "write_report"} <= rules.keys()
    for name, body in rules.items():
        found = re.search(r'message:\n +"([A-Z][^"]+)"', body)
        assert found, name
        said = re.sub(r"{wildcards\.(\w+)}", lambda match: LONG[match[1]], found[1])
        assert len(BEFORE + said) <= 80, said
