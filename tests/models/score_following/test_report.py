"""The table beside the paper's: numbers worked out by hand must stand in all three forms."""

import csv
import re

import pandas as pd
import pytest

from models.score_following import report


def row(split, predictor, metric, micro, **others):
    unknown = {"macro": float("nan"), "low": float("nan"), "high": float("nan")}
    sizes = {"n_notes": 12345, "n_pieces": 67}
    return {"split": split, "predictor": predictor, "metric": metric, "micro": micro} | (
        unknown | sizes | others
    )


@pytest.fixture
def written(tmp_path):
    """The table of two networks, one with two metrics of the test split, the other with one."""
    baselines = [
        row("test", "chance", "top1", 0.025),
        row("test", "linear", "top1", 0.1),
        row("test", "linear", "mean_npd_int", 0.0999),
    ]
    metrics = {
        "paper": [
            row("test", "network", "top1", 0.51239, macro=0.5, low=0.49004, high=0.53996),
            row("test", "network", "mean_npd_int", 0.07, macro=0.0801, low=0.061, high=0.0815),
        ],
        "PT": [row("test", "network", "top1", 0.75, macro=0.7, low=0.7, high=0.8)],
    }
    paths = {name: tmp_path / f"{name}.parquet" for name in metrics}
    for name, rows in metrics.items():
        pd.DataFrame([*rows, *baselines]).to_parquet(paths[name])
    report.table(paths, tmp_path / "tables" / "table")
    return tmp_path / "tables" / "table"


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def test_markdown_has_the_published_number_beside_both_networks(written):
    lines = written.with_suffix(".md").read_text().splitlines()
    assert cells(lines[0]) == [
        "test",
        "published",
        "paper's network [95 %]",
        "PT, our network [95 %]",
    ]
    top1 = ["top-1 bucket hit rate", "54.64%", "51.24% [49.0–54.0]", "75.00% [70.0–80.0]"]
    assert cells(lines[2]) == top1
    assert cells(lines[5]) == ["mean NPD, int", "0.0633", "0.0700 [0.0610–0.0815]", "–"]
    assert cells(lines[3]) == ["top-2 bucket hit rate", "84.36%", "–", "–"]


def test_markdown_has_the_baselines_and_the_mean_over_pieces(written):
    lines = written.with_suffix(".md").read_text().splitlines()
    top1 = [cells(line)[1:] for line in lines if line.startswith("| top-1 bucket")]
    assert top1[1] == ["51.24%", "75.00%", "2.50%", "–", "10.00%", "–"]
    assert top1[2] == ["50.00%", "70.00%"]


def test_one_network_alone_has_one_column(tmp_path):
    path = tmp_path / "metrics.parquet"
    pd.DataFrame([row("test", "network", "top1", 0.75)]).to_parquet(path)
    report.table({"PT": path}, tmp_path / "table")
    lines = (tmp_path / "table.md").read_text().splitlines()
    assert cells(lines[0]) == ["test", "published", "PT, our network [95 %]"]


def test_markdown_counts_notes_and_pieces(written):
    assert "test 12,345 notes of 67 pieces" in written.with_suffix(".md").read_text()


def test_markdown_lines_up_as_plain_text(written):
    first_table = written.with_suffix(".md").read_text().split("\n\n")[0].splitlines()
    assert len({len(line) for line in first_table}) == 1


def test_html_has_the_same_cells(written):
    page = written.with_suffix(".html").read_text()
    rows = [re.findall("<td>(.*?)</td>", row) for row in re.findall("(?s)<tr>(.*?)</tr>", page)]
    published, baselines, by_piece = [row for row in rows if row[:1] == ["top-1 bucket hit rate"]]
    assert published[1:] == ["54.64%", "51.24% [49.0–54.0]", "75.00% [70.0–80.0]"]
    assert baselines[1:] == ["51.24%", "75.00%", "2.50%", "–", "10.00%", "–"]
    assert by_piece[1:] == ["50.00%", "70.00%"]


def test_csv_has_a_row_for_each_network_split_and_metric(written):
    with written.with_suffix(".csv").open(newline="") as file:
        rows = {(r["network"], r["split"], r["metric"]): r for r in csv.DictReader(file)}
    assert len(rows) == 48
    assert rows["paper", "test", "top1"]["paper"] == "0.5464"
    assert rows["paper", "test", "top1"]["micro"] == "0.51239"
    assert rows["PT", "test", "top1"]["micro"] == "0.75"
    assert rows["PT", "test", "top1"]["n_notes"] == "12345"
    assert rows["paper", "train", "top2"]["paper"] == "0.9452"
    assert rows["paper", "train", "top2"]["micro"] == ""


def test_latex_has_as_many_cells_in_every_row_of_a_table(written):
    tables = written.with_suffix(".tex").read_text().split(r"\end{tabular}")
    for table, columns in zip(tables, (4, 7, 3), strict=False):
        rows = [line for line in table.splitlines() if line.endswith(r"\\")]
        assert {line.count("&") + 1 for line in rows} == {columns}
    assert r"54.64\% & 51.24\% [49.0--54.0] & 75.00\%" in tables[0]


def test_papers_table_is_whole():
    paper = pd.read_csv(report.PAPER, comment="#")
    assert set(zip(paper.split, paper.metric, strict=True)) == {
        (split, metric) for split in report.SPLITS for metric in report.METRICS
    }


@pytest.mark.parametrize(
    ("value", "rate", "expected"),
    [(0.5464, True, "54.64%"), (0.0091, False, "0.0091"), (1.0, True, "100.00%")],
)
def test_number(value, rate, expected):
    assert report.number(value, rate) == expected
