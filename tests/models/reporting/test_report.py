"""The page on a run, and the lines that it ends with: numbers of tables worked out by hand."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from models.reporting import headlines, markup, report, summary
from pipeline import tables
from tests.support import collection

TABLE = "| test | ours |\n| --- | ---: |\n| top-1 | 75.14% |\n"
CARD = """---
pretty_name: x
---

# tunes: aligned audio

> The split valid is empty.
>

|  | train |
| --- | --- |
| pieces | 2 |

| pieces by licence | train |
| --- | --- |
| &#60;b&#62; CC0 <i> | 2 |
"""


def settings(pairs: int) -> dict:
    """Of score following the one network trains long enough for figures, the other does not."""
    trainings = {"PT": {"epochs": 4, "epoch_samples": 10_000},
                 "paper": {"epochs": 1, "epoch_samples": pairs}}  # fmt: skip
    return {
        "seed": 1,
        "score_following": {"networks": ["paper", "PT"], "training": trainings,
                            "figures_from": 10_000},
        "retrieval": {"networks": ["BL2-SC"], "shipped": False, "training": trainings,
                      "figures_from": 50_000},
    }  # fmt: skip


def write(results, *, pairs=3_000, top1=0.7514):
    """The results of a tiny run."""
    for folder in ("tables", "figures", "models/score_following", "models/retrieval"):
        (results / folder).mkdir(parents=True)
    following = pd.DataFrame(
        [
            {"network": network, "split": "test", "metric": metric, "micro": micro, "paper": paper,
             "chance": chance, "frequent": 0.03}
            for network, scale in (("PT", 1.0), ("paper", 0.05))
            for metric, micro, paper, chance in (
                ("top1", top1 * scale, 0.5464, 0.025), ("top2", 0.8 * scale, 0.8436, 0.075))
        ]
    )  # fmt: skip
    following.to_csv(results / "tables/score_following.csv", index=False)
    retrieval = pd.DataFrame(
        [
            {"protocol": "fixed", "direction": direction, "projection": "refined",
             "model": "BL2-SC", "metric": metric, "micro": micro, "paper": paper, "n_pairs": 200}
            for direction, scale in (("A2S", 1), ("S2A", 2))
            for metric, micro, paper in (("r1", 0.03 * scale, 0.4891), ("mrr", 0.08, 0.57))
        ]
    )  # fmt: skip
    retrieval.to_csv(results / "tables/retrieval.csv", index=False)
    for name in ("score_following", "retrieval"):
        (results / f"tables/{name}.md").write_text(TABLE)
    for task, model, samples in (("score_following", "PT", 40_000), ("retrieval", "BL2-SC", pairs)):
        history = pd.DataFrame({"samples": [samples // 2, samples], "seconds": [70.0, 80.0]})
        history.to_parquet(results / f"models/{task}/{model}_history.parquet")
    names = ("score_following_PT_errors", "score_following_paper_errors", "retrieval_tempo",
             "retrieval_history", "staves")  # fmt: skip
    for name in names:
        Image.fromarray(np.zeros((4, 4), np.uint8)).save(results / f"figures/{name}.png")
    kept = [{"piece_id": "a"}, {"piece_id": "b"}, {"piece_id": "c", "reason": "no"}]
    tables.write(kept, tables.PIECES, results / "data/tunes/pieces/0.parquet")
    (results / "data/tunes/README.md").write_text(CARD)
    record = {
        "written": "2026-11-28T14:00:00+00:00", "commit": {"hash": "0123456789"},
        "settings": settings(pairs), "versions": {"python": "3.11"}, "cores": 2,
        "jobs": {
            "engrave": {"jobs": 2, "seconds": 754.0, "peak_mb": 300},
            "select": {"jobs": 1, "seconds": 2.0, "peak_mb": None},
        },
    }  # fmt: skip
    (results / "provenance.json").write_text(json.dumps(record))
    return results


def page(results) -> str:
    report.report(results)
    return (results / "report.html").read_text()


def test_the_best_numbers_come_first_beside_the_papers_and_chance(tmp_path):
    text = page(write(tmp_path / "results"))
    head = re.sub(r"<[^>]+>|\s+", " ", text.split('<div class="heads">')[1].split("<h2")[0])
    for words in ("PT, our network", "trained on 40,000 notes in 2 min", "75.1 %", "54.6 %",
                  "chance: 2.5 %", "3.0 %", "48.9 %", "chance: 0.5 %", "0.08", "0.57"):  # fmt: skip
        assert words in re.sub(" +", " ", head)
    assert head.count("Trained for 2 min: not a reproduction.") == 2


def test_figures_follow_in_reading_order_with_captions_and_nothing_is_fetched(tmp_path):
    text = page(write(tmp_path / "results", pairs=400_000))
    titles = re.findall(r"<h[23][^>]*>(.*?)</h", text)
    order = ["How often the place is found", "How far off: PT, our network", "Tempo as a curve",
             "Training", "Staves with every notehead marked"]  # fmt: skip
    assert [title for title in titles if title in order] == order
    assert "How far off the network is on the test split" in text
    assert not re.findall(r'(?:src|href)="(?!data:|#)', text)


def test_conditions_of_recording_have_a_table_for_each_network_of_the_run(tmp_path):
    results = write(tmp_path / "results")
    path = results / "tables/retrieval.csv"
    ranks = pd.read_csv(path)
    shipped = ranks.assign(model="PT, shipped")
    pd.concat([ranks, shipped]).to_csv(path, index=False)
    for network in ("BL2-SC", "shipped", "of-an-earlier-run"):
        (results / f"tables/conditions_{network}.md").write_text(
            f"By condition\n\n| condition | MRR |\n|---|---:|\n| {network}, hall | 1 |\n"
        )
    text = page(results)
    assert "Played and recorded in several ways: BL2-SC<" in text
    assert "Played and recorded in several ways: PT, which comes with the project<" in text
    assert text.index("BL2-SC, hall") < text.index("shipped, hall")
    assert "of-an-earlier-run" not in text
    assert text.count("The same test pieces under several conditions") == 2


def test_figures_of_networks_that_hardly_train_are_not_shown_and_the_page_says_so(tmp_path):
    text = page(write(tmp_path / "results"))  # some of an earlier run with other settings are there
    assert "How far off: paper&#39;s network" not in text and "Tempo as a curve" not in text
    for said in ("10,000 notes show nothing", "50,000 pairs show nothing", ": paper's network.</p>",
                 ": BL2-SC.</p>"):  # fmt: skip
        assert said in text


def test_a_card_is_shown_with_its_warnings_and_text_of_others_stays_text(tmp_path):
    text = page(write(tmp_path / "results"))
    assert '<p class="warning">The split valid is empty.</p>' in text
    assert "&#60;b&#62; CC0 &lt;i&gt;" in text and "<i>" not in text
    assert "pretty_name" not in text


def test_a_collection_with_degraded_pages_shows_one_beside_the_clean_page(tmp_path):
    results = write(tmp_path / "results")
    assert "A page and its scan" not in page(results)
    Image.new("L", (40, 20)).save(results / "data/tunes/scans.png")
    text = page(results)
    assert "A page and its scan" in text and "nothing is detected in the image" in text


def test_a_run_that_has_not_ended_is_refused(tmp_path):
    with pytest.raises(ValueError, match="let the workflow finish first"):
        report.report(tmp_path)


@pytest.mark.parametrize("content", ['{"settings": {"a"', "{}", "[]"])
def test_a_truncated_record_is_named_with_the_remedy(tmp_path, content):
    record = write(tmp_path / "results") / "provenance.json"
    record.write_text(content)
    with pytest.raises(ValueError, match=r"provenance\.json: .* `partimento verify --repair`"):
        report.report(tmp_path / "results")


def test_a_folder_in_place_of_the_page_is_refused(tmp_path):
    with pytest.raises(ValueError, match="is a folder; name a file to write"):
        report.report(write(tmp_path / "results"), tmp_path)


def test_a_folder_without_results_has_no_summary(tmp_path):
    (tmp_path / "data/letters").mkdir(parents=True)
    with pytest.raises(ValueError, match="no results of a run; name the folder that a run has"):
        summary.summary(tmp_path)


def test_the_data_half_alone_has_a_page(tmp_path):
    results = write(tmp_path / "results")
    for path in (results / "tables").iterdir():
        path.unlink()
    text = page(results)
    assert "Collection tunes" in text and "Score following" not in text
    assert "pieces           tunes 2" in summary.lines(results)


def test_pieces_of_chunks_of_an_earlier_run_are_counted_once(tmp_path):
    results = write(tmp_path / "results")
    collection.fewer_chunks(results / "data/tunes")
    assert headlines.pieces(results) == {"tunes": 2}


def test_a_run_ends_with_at_most_ten_lines_that_fit_a_terminal(tmp_path):
    results = write(tmp_path / "results")
    report.report(results)
    lines = summary.lines(results)
    assert len(lines) <= 10
    assert lines[0].startswith("score following  top-1: PT, our network 75.1 %; the paper")
    assert "  R@1: BL2-SC 3.0 %; the paper, on its data, 48.9 %" in lines[2]
    assert lines[-4:] == [
        f"report           {results}/report.html",
        f"figures          {results}/figures/",
        f"tables           {results}/tables/",
        f"data             {results}/data/",
    ]
    assert all(len(line.replace(str(results), "results")) <= 80 for line in lines)


def test_the_network_that_comes_with_the_project_says_so(tmp_path):
    results = write(tmp_path / "results")
    path = results / "tables/retrieval.csv"
    path.write_text(path.read_text().replace("BL2-SC,", '"BL2-SC, shipped",'))
    assert "BL2-SC, which comes with the project</p>" in page(results)
    assert "  R@1: BL2-SC, which comes with the project 3.0 %" in summary.lines(results)[2]


def test_markdown_becomes_html():
    found = markup.html(
        "## A\n\nb `c` *d*\ne\n\n```\n<f>\n```\n\n"
        "| g | h | j |\n| - | - | - |\n| i | 1.5 | k |\n| l | > 3 | |\n"
    )
    assert "<h4>A</h4>" in found
    assert "<p>b <code>c</code> <em>d</em> e</p>" in found
    assert "<pre>&lt;f&gt;</pre>" in found
    assert "<td>i</td><td class=n>1.5</td><td>k</td>" in found
    assert "<th>g</th><th class=n>h</th><th>j</th>" in found and "<td class=n>&gt; 3</td>" in found


def test_every_figure_and_table_has_a_caption():
    for name in ("staves", "score_following", "score_following_errors", "retrieval_tempo"):
        assert markup.caption(name)
    assert "R@k" in markup.caption("retrieval")
    assert markup.caption("none") == ""
