"""The tables beside the paper's: numbers worked out by hand must stand in every form."""

import csv
import re

import numpy as np
import pandas as pd
import pytest

from models.retrieval import report

STEMS = ("retrieval", "tempo_robustness", "identification", "alignment")


def row(metric, micro, **others):
    """A row of METRICS; low and high are 2 % to either side."""
    return {
        "model": "BL2-SC",
        "projection": "refined",
        "protocol": "fixed",
        "tempo_ratio": np.float32(1.0),
        "direction": "A2S",
        "metric": metric,
        "micro": micro,
        "macro": micro / 2,
        "low": micro - 0.02,
        "high": micro + 0.02,
        "n_pairs": 8123,
        "n_pieces": 93,
    } | others


METRICS = [
    row("r1", 0.51239),
    row("r5", 0.7),
    row("r25", 0.8),
    row("mrr", 0.6149),
    row("median_rank", 1234.5),
    row("mean_rank", 99.0),
    row("r1_identical", 0.55),
    row("duplicates", 0.25),
    row("r1", 0.31, projection="unrefined"),
    row("r1", 0.4, direction="S2A"),
    row("mrr", 0.5, direction="S2A"),
    row("mrr", 0.36, tempo_ratio=np.float32(0.66)),
    row("mrr", 0.99, tempo_ratio=np.float32(0.66), projection="unrefined"),
    row("mrr", 0.98, tempo_ratio=np.float32(0.66), direction="S2A"),
]


def found(rank, **others):
    keys = {"model": "BL2-SC", "direction": "A2S", "method": "votes", "piece_id": "tune"}
    return {**keys, "rank": float(rank), "n_pieces": 12} | others


IDENTIFIED = [found(rank) for rank in (1, 1, 1.5, 5, 6, 10, 10.5, 12)]
IDENTIFIED += [found(2, direction="S2A", method="sequence")]


def missed(method, onsets, median, mean, within, outside=0):
    return {
        "model": "BL2-SC",
        "method": method,
        "piece_id": "tune",
        "onsets": onsets,
        "outside": outside,
        "mean_px": mean,
        "median_px": median,
        "mean_percent": mean / 8.35,
        "median_percent": median / 8.35,
        "within": within,
    }


ALIGNED = [
    missed("network", 100, 5.0, 10.0, 0.9, outside=10),
    missed("network", 300, 7.0, 20.0, 0.5, outside=0),
    missed("network", 100, 90.0, 110.0, 0.1, outside=5),
    missed("published", 100, 4.0, 8.0, 0.95),
    missed("line", 1000, 83.5, 167.0, 0.25),
]


def write(folder, metrics, identified=IDENTIFIED, aligned=ALIGNED):
    named = {"metrics": metrics, "identified": identified, "aligned": aligned}
    files = {name: folder / f"{name}.parquet" for name, rows in named.items() if rows}
    for name, path in files.items():
        pd.DataFrame(named[name]).to_parquet(path)
    report.tables(out=folder / "tables", **files)
    return folder / "tables"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write(tmp_path_factory.mktemp("fixed"), METRICS)


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The same under both protocols; of the second there are fewer pairs at one tempo."""
    second = [measured | {"protocol": "2019", "n_pairs": 7000} for measured in METRICS]
    second[0] = second[0] | {"micro": 0.123, "n_pairs": 6500, "n_pieces": 90}
    return write(tmp_path_factory.mktemp("both"), [*second, *METRICS])


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def blocks(folder, stem: str) -> dict[str, list[list[str]]]:
    """Caption: rows of cells, header first, of a Markdown file."""
    text = (folder / f"{stem}.md").read_text()
    found = re.findall(r"(?m)^([^|\n]+)\n\n((?:\|.*\n)+)", text)
    tables = {caption: [cells(line) for line in body.splitlines()] for caption, body in found}
    return {caption: [header, *rows] for caption, (header, _, *rows) in tables.items()}


def test_all_files_are_there(folder):
    expected = {f"{stem}{suffix}" for stem in STEMS for suffix in (".md", ".html", ".csv", ".tex")}
    assert {path.name for path in folder.iterdir()} == expected


def test_tables_without_their_file_are_left_out(tmp_path):
    folder = write(tmp_path, METRICS, identified=None, aligned=None)
    assert {path.stem for path in folder.iterdir()} == {"retrieval", "tempo_robustness"}


def test_ours_stands_below_the_papers_number(folder):
    header, *rows = blocks(folder, "retrieval")["Audio to sheet, refined projection (Table 2b)"]
    assert header == ["model", "", "R@1", "[95 %]", "R@5", "R@25", "MRR", "[95 %]", "MR"]
    at = rows.index(["BL2-SC", "paper", "48.91", "", "67.22", "78.27", "0.57", "", "2"])
    assert rows[at + 1] == [
        *("", "ours", "51.24", "[49.2–53.2]", "70.00", "80.00", "0.61", "[0.59–0.63]", "1,234.5")
    ]


def test_each_model_of_the_paper_is_there_in_its_order(folder):
    rows = blocks(folder, "retrieval")["Audio to sheet, un-refined projection (Table 2a)"][1:]
    assert [name for name, *_ in rows[::2]] == [
        *("BL1-SC", "BL2-SC", "BL2-MC", "BL2-LC", "BL2-SC+AT", "BL2-MC+AT", "BL2-LC+AT")
    ]
    assert {who for _, who, *_ in rows[::2]} == {"paper"}
    assert rows[-2:] == [
        ["BL2-LC+AT", "paper", "53.16", "", "74.42", "85.35", "0.63", "", "1"],
        ["", "ours", "–", "", "–", "–", "–", "", "–"],
    ]


def test_our_own_network_has_no_line_of_the_papers(tmp_path):
    path = tmp_path / "metrics.parquet"
    pd.DataFrame([{**row, "model": "PT"} for row in METRICS]).to_parquet(path)
    report.tables(path, tmp_path)
    refined = blocks(tmp_path, "retrieval")["Audio to sheet, refined projection (Table 2b)"]
    assert refined[-1][:3] == ["PT", "ours", "51.24"]
    assert refined[-2][:2] == ["", "ours"]  # of the paper's last
    (tempi,) = blocks(tmp_path, "tempo_robustness").values()
    assert tempi[-1][:2] == ["PT", "ours"]


def test_a_measure_that_is_lacking_is_a_dash(folder):
    rows = blocks(folder, "retrieval")["Audio to sheet, un-refined projection (Table 2a)"]
    assert ["", "ours", "31.00", "[29.0–33.0]", "–", "–", "–", "", "–"] in rows


def test_other_direction_pieces_and_doubles(folder):
    tables = blocks(folder, "retrieval")
    (line,) = tables["Sheet to audio, ours"][1:]
    assert line == [
        *("BL2-SC", "refined", "40.00", "[38.0–42.0]", "–", "–", "0.50", "[0.48–0.52]", "–")
    ]
    first, second = tables["Audio to sheet, ours, mean over pieces"][1:]
    assert first == ["BL2-SC", "un-refined", "15.50", "–", "–", "–", "–"]
    assert second == ["BL2-SC", "refined", "25.62", "35.00", "40.00", "0.31", "617.2"]
    doubles = tables["Audio to sheet, ours, snippets that look the same"]
    assert doubles[-1] == ["BL2-SC", "refined", "51.24", "55.00", "25.00"]


def test_number_of_candidates_is_told(folder):
    for stem in ("retrieval", "tempo_robustness"):
        text = " ".join((folder / f"{stem}.md").read_text().split())
        assert "ranked among 8,123 candidates from 93 pieces; in the paper, among 10,000." in text


def test_tempi_ours_below_the_papers(folder):
    caption = "MRR by tempo ratio ρ, audio to sheet, refined (Table 3)"
    header, *rows = blocks(folder, "tempo_robustness")[caption]
    assert header == ["model", "", "ρ 0.5", "ρ 0.66", "ρ 1", "ρ 1.33", "ρ 2"]
    at = rows.index(["BL2-SC", "paper", "0.44", "0.52", "0.57", "0.56", "0.46"])
    assert rows[at + 1] == ["", "ours", "–", "0.36", "0.61", "–", "–"]
    assert len(rows) == 14


def test_protocol_of_the_authors_is_a_second_block(both):
    captions = list(blocks(both, "retrieval"))
    assert len(captions) == 10
    assert [caption.endswith("; pairs as the authors choose them") for caption in captions] == (
        [False] * 5 + [True] * 5
    )
    refined = "Audio to sheet, refined projection (Table 2b)"
    first, second = (
        blocks(both, "retrieval")[refined + label] for label in report.PROTOCOLS.values()
    )
    assert [rows[3:5] for rows in (first, second)] == [
        [first[3], ["", "ours", "51.24", "[49.2–53.2]", *first[4][4:]]],
        [first[3], ["", "ours", "12.30", "[49.2–53.2]", *first[4][4:]]],
    ]
    assert len(blocks(both, "tempo_robustness")) == 2
    text = " ".join((both / "retrieval.md").read_text().split())
    assert "8,123 candidates from 93 pieces, or 6,500–7,000 candidates from 90–93 pieces" in text


def test_tempo_of_the_scores_is_the_one_nearest_to_1():
    slower = [measured | {"tempo_ratio": np.float32(0.9), "micro": 0.2} for measured in METRICS[:1]]
    faster = [measured | {"tempo_ratio": np.float32(1.2), "micro": 0.1} for measured in METRICS[:1]]
    table = report.compare(pd.DataFrame(faster + slower))
    assert table.micro.dropna().tolist() == [0.2]
    assert set(table.tempo_ratio) == {0.9}


def test_ranks_are_counted(folder):
    (caption,) = blocks(folder, "identification")
    header, votes, sequence = blocks(folder, "identification")[caption]
    assert header[3:] == ["rank 1", "≤ 5", "≤ 10", "> 10", "pieces", "among"]
    assert votes == ["BL2-SC", "audio to sheet", "votes", "2", "4", "6", "2", "8", "12"]
    assert sequence[1:] == ["sheet to audio", "in sequence", "0", "1", "1", "0", "1", "12"]


def test_errors_are_summarised_over_pieces(folder):
    (caption,) = blocks(folder, "alignment")
    _, network, published, line = blocks(folder, "alignment")[caption]
    # median of 5, 7, 90; mean (100 * 10 + 300 * 20 + 100 * 110) / 500; within (90 + 150 + 10) / 500
    assert network == ["BL2-SC", "network", "7.0", "0.84", "36.0", "4.31", "50.0%", "3", "500"]
    assert published[1] == "as published"
    assert line[1:] == ["straight line", "83.5", "10.00", "167.0", "20.00", "25.0%", "1", "1,000"]
    numbers = pd.read_csv(folder / "alignment.csv").set_index("method")
    assert numbers.outside["network"] == pytest.approx(15 / 500)


@pytest.mark.parametrize("stem", STEMS)
def test_markdown_fits_a_terminal_and_lines_up(both, stem):
    lines = (both / f"{stem}.md").read_text().splitlines()
    assert max(map(len, lines)) <= 100
    for body in re.findall(r"(?m)(?:^\|.*\n)+", (both / f"{stem}.md").read_text()):
        assert len({len(line) for line in body.splitlines()}) == 1


@pytest.mark.parametrize("stem", STEMS)
def test_html_and_latex_have_the_same_cells(both, stem):
    wanted = [rows for _, *rows in blocks(both, stem).values()]
    page = (both / f"{stem}.html").read_text()
    bodies = re.findall("(?s)<tbody>(.*?)</tbody>", page)
    rows = [re.findall("(?s)<tr>(.*?)</tr>", body) for body in bodies]
    assert [[re.findall("<td>(.*?)</td>", line) for line in body] for body in rows] == wanted
    text = (both / f"{stem}.tex").read_text()
    bodies = re.findall(r"(?s)\\midrule\n(.*?)\\bottomrule", text)
    plain = [body.replace(r"\%", "%").replace("--", "–") for body in bodies]
    split = [[line.removesuffix(r" \\").split(" & ") for line in b.splitlines()] for b in plain]
    assert split == wanted


@pytest.mark.parametrize("stem", STEMS)
def test_latex_is_balanced_and_escaped(both, stem):
    lines = (both / f"{stem}.tex").read_text().splitlines()
    body = [line for line in lines if not line.startswith("%")]
    assert body.count(r"\end{tabular}") == sum(line.startswith(r"\begin{tabular}") for line in body)
    text = "\n".join(body)
    assert text.isascii()
    assert not re.search(r"(?<!\\)[%#_]", text)
    assert text.count("{") == text.count("}")
    widths = [len(line.split("{")[-1]) - 1 for line in body if line.startswith(r"\begin")]
    for width, table in zip(widths, text.split(r"\begin{tabular}")[1:], strict=True):
        rows = [line for line in table.splitlines() if line.endswith(r"\\")]
        assert {line.count(" & ") + 1 for line in rows} == {width}


def test_csv_has_everything_and_comes_back(folder):
    with (folder / "retrieval.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    keys = ("projection", "direction", "model", "metric")
    by_key = {tuple(entry[key] for key in keys): entry for entry in rows}
    assert len(by_key) == len(rows) == 7 * 2 * 5 + 3 + 2
    ours = by_key["refined", "A2S", "BL2-SC", "r1"]
    assert (ours["paper"], ours["micro"], ours["n_pairs"]) == ("0.4891", "0.51239", "8123")
    assert by_key["refined", "A2S", "BL2-LC", "r1"]["micro"] == ""
    assert by_key["refined", "A2S", "BL2-SC", "mean_rank"]["paper"] == ""
    read = pd.read_csv(folder / "retrieval.csv")
    pd.testing.assert_frame_equal(
        read, report.compare(pd.DataFrame(METRICS)), check_dtype=False, check_exact=True
    )


def test_csv_of_tempi_has_the_papers_ratios(folder):
    read = pd.read_csv(folder / "tempo_robustness.csv")
    assert len(read) == 35
    assert read.micro.dropna().tolist() == [0.36, 0.6149]
    assert set(read.tempo_ratio) == {0.5, 0.66, 1.0, 1.33, 2.0}


@pytest.mark.parametrize(
    ("name", "metrics"),
    [("retrieval", set(report.METRICS)), ("tempo_robustness", None)],
)
def test_papers_tables_are_whole(name, metrics):
    paper = pd.read_csv(report.PAPER / f"{name}.csv", comment="#")
    assert len(paper) == (70 if metrics else 35)
    assert not paper.duplicated(
        ["model", "projection", "metric"] if metrics else ["model", "tempo_ratio"]
    ).any()
    if metrics:
        assert set(paper.metric) == metrics


@pytest.mark.parametrize(
    ("value", "metric", "expected"),
    [
        (0.1367, "r1", "13.67"),
        (1.0, "r25", "100.00"),
        (0.245, "mrr", "0.24"),
        (15.0, "median_rank", "15"),
        (2345.5, "median_rank", "2,345.5"),
        (float("nan"), "mrr", "–"),
        (None, "r1", "–"),
    ],
)
def test_number(value, metric, expected):
    assert report.number(value, metric) == expected
