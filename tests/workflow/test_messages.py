"""Every rule says in words what it does."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
RULE = re.compile(r"^( *)rule (\w+):\n(.*?)(?=^\1\S|\Z)", re.MULTILINE | re.DOTALL)


def test_every_rule_has_a_message_that_fits_a_line():
    paths = sorted((ROOT / "rules").rglob("*.smk"))
    rules = {match[2]: match[3] for path in paths for match in RULE.finditer(path.read_text())}
    assert {"engrave", "train", "retrieval_train", "write_report"} <= rules.keys()
    for name, body in rules.items():
        found = re.search(r'message:\n +"([A-Z][^"]+)"', body)
        assert found, name
        assert len(re.sub(r"wildcards\.|[{}]", "", found[1])) <= 65, name
