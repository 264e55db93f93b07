import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cells import long
from PIL import Image

from uncertsam.base.errors import UserError
from uncertsam.base.files import write_json
from uncertsam.catalogue import METHODS
from uncertsam.data.format import Annotation, ImageRecord, encode_rle, read_split, write_split
from uncertsam.figures.bars import mask_quality
from uncertsam.figures.radar import radar
from uncertsam.report._evidence import Evidence
from uncertsam.report._figures_section import inline_svg
from uncertsam.report._published import Known
from uncertsam.report._verdict import verdicts
from uncertsam.report.index import Inputs, build
from uncertsam.report.reproduction import Judged, reproduction_json
from uncertsam.statistics.comparisons import ANSWERS, Plan, compare
from uncertsam.statistics.intervals import INTERVALS, facts_of, intervals

SETS = {"reef": ("human", 8), 'odd <b>&"name': ("synthetic", 8), "flare": ("derived", 8), "few": ("human", 3)}
LEVELS = {"sam": 0.5, "laplace": 0.8, "laplace_closed": 0.3, "constant": 0.0, "boundary_distance": 0.5}
METRICS = ["iou", "boundary_iou_0.02", "pearson", "brier", "augrc"]
VOID = {"meta", "br", "img"}


def write_benchmark(root: Path, dataset: str, quality: str, images: int) -> None:
    split = root / dataset / "test"
    (split / "images").mkdir(parents=True)
    mask = np.zeros((8, 9), bool)
    mask[2:5, 3:7] = True
    numbers = range(1, images + 1)
    for number in numbers:
        Image.new("RGB", (9, 8)).save(split / "images" / f"{number:08d}.jpg")
    info = {
        "dataset": dataset, "synthetic": quality == "synthetic", "licence": "no <licence>", "kind": "binary",
        "choices": ["Recognised as binary."], "skipped": [{"file": "images/bad & ugly.jpg", "reason": "truncated"}],
    }  # fmt: skip
    records = [ImageRecord(n, 9, 8, quality=quality) for n in numbers]
    write_split(split, info, records, [Annotation(n, n, 12, encode_rle(mask)) for n in numbers])


def scores() -> pd.DataFrame:
    """By construction `laplace` beats both baselines, `laplace_closed` one, and `sam` ties with one."""
    generator = np.random.default_rng(0)
    rows = []
    for dataset, (_, images) in SETS.items():
        shared = {metric: generator.uniform(0.3, 0.5, images) for metric in METRICS}
        for (method, level), metric in ((pair, metric) for pair in LEVELS.items() for metric in METRICS):
            tie = 0.01 * (-1.0) ** np.arange(images) * (method == "sam")  # as often above as below
            step = {"pearson": level, "augrc": -level}.get(metric, 0.0) + tie
            rows += [(dataset, i + 1, i + 1, method, metric, "full", v) for i, v in enumerate(shared[metric] + step)]
    return pd.DataFrame(rows, columns=["dataset", "image_id", "mask_id", "method", "metric", "region", "value"])


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    root = tmp_path_factory.mktemp("run")
    for dataset, (quality, images) in SETS.items():
        write_benchmark(root / "benchmark", dataset, quality, images)
    table = scores()
    long(table).to_parquet(root / "results.parquet")
    facts = {name: facts_of(read_split(root / "benchmark" / name / "test")) for name in SETS}
    intervals(table, facts, 100).to_csv(root / "intervals.csv", index=False)
    frame = INTERVALS.read(root / "intervals.csv")
    radar(frame, "pearson", root / "figures" / "pearson_radar", "params 1a · data 2b")
    mask_quality(frame, root / "figures" / "mask_quality", "params 1a · data 2b")
    Image.new("RGB", (30, 20), "red").save(root / "figures" / "qualitative_reef.png")
    (root / "figures" / "qualitative_reef.csv").write_text("a\n1\n")
    run = {"params": {"base": {"seed": 0}}, "provenance": "params 1a · data 2b", "draws": 100}
    return Inputs(root, root / "benchmark", tuple(SETS), **run)


@pytest.fixture(scope="module")
def page(inputs: Inputs, tmp_path_factory: pytest.TempPathFactory) -> str:
    out = tmp_path_factory.mktemp("page") / "index.html"
    build(inputs, out)
    return out.read_text(encoding="utf-8")


class Reader(HTMLParser):
    """Collects what a browser would: texts, targets, ids; refuses tags that do not nest."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text, self.targets, self.ids, self.tags = "", [""], [""], [""]
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.targets += [
            value or "" for name, value in attrs if name.split(":")[-1] in ("src", "href", "data", "action")
        ]
        self.ids += [value or "" for name, value in attrs if name == "id"]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data + " "


def test_tags_nest_and_ids_are_unique(page: str) -> None:
    reader = Reader(page)
    assert len(reader.ids) == len(set(reader.ids))
    assert {"h1", "table", "svg", "figure", "img", "style"} <= set(reader.tags)


def test_the_page_needs_nothing_from_elsewhere(page: str) -> None:
    reader = Reader(page)
    inside = [target for target in reader.targets if target.startswith("#")]
    assert all(target.startswith(("#", "data:")) or not target for target in reader.targets)
    assert {target[1:] for target in inside} <= set(reader.ids)  # and every link inside leads somewhere
    assert not re.search(r"https?://|@import|url\((?!#)", page) and "script" not in reader.tags


def test_every_dataset_and_method_is_on_the_page(page: str) -> None:
    text = Reader(page).text
    for name in ("Reef", 'Odd <b>&"name (synthetic)', "Flare\N{NO-BREAK SPACE}†", "Few\N{NO-BREAK SPACE}‡"):
        assert name in text
    for method in LEVELS:
        assert METHODS[method].label in text
    for part in ("no <licence>", "images/bad & ugly.jpg: truncated", "Recognised as binary.", "params 1a · data 2b"):
        assert part in text


def test_odd_names_are_text_and_not_markup(page: str) -> None:
    assert "<b>&" not in page and "&lt;b&gt;&amp;" in page


def test_same_inputs_same_bytes(inputs: Inputs, page: str, tmp_path: Path) -> None:
    build(inputs, tmp_path / "again.html")
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == page


def test_means_in_the_tables_are_those_of_the_intervals(inputs: Inputs, page: str) -> None:
    frame = INTERVALS.read(inputs.reports / "intervals.csv")
    reef = page[page.index("<h3>Reef</h3>") :]
    body = reef[: reef.index("</tbody>")].split("<tr")[2:]
    assert len(body) == len(LEVELS)
    for row, method in zip(body, [m for m in METHODS if m in LEVELS], strict=True):
        mine = frame[(frame["dataset"] == "reef") & (frame["method"] == method)].set_index("metric")["mean_masks"]
        shown = re.findall(r'class="num">(?:<strong>)?(-?[\d.]+)', row)
        assert [float(v) for v in shown] == [pytest.approx(mine[metric], abs=5.1e-4) for metric in METRICS]


def test_best_is_bold_only_where_labels_and_numbers_allow(page: str) -> None:
    tables = {name: page[page.index(f"<h3>{name}") :].split("</table>")[0] for name in ("Reef", "Flare", "Few")}
    assert "<strong>" not in tables["Flare"] and "<strong>" not in tables["Few"]
    laplace = tables["Reef"].split("</span>Laplace</th>")[1].split("</tr>")[0]
    assert laplace.count("<strong>") >= 2  # correlation and AUGRC, by construction


def test_verdicts_are_those_that_the_numbers_were_made_for(inputs: Inputs) -> None:
    judged = verdicts(scores(), INTERVALS.read(inputs.reports / "intervals.csv"), draws=100)
    found = {(v.dataset, v.method, v.metric): (v.outcome, v.reason) for v in judged}
    for metric in ("pearson", "augrc"):
        assert found["reef", "laplace", metric] == ("both", "better than both")
        assert found["reef", "laplace_closed", metric] == ("not both", "worse than boundary distance")
        assert found["reef", "sam", metric] == ("not both", "no clear difference to boundary distance")
        assert found["flare", "laplace", metric] == ("not tested", "labels are not ground truth")
        assert found["few", "laplace", metric] == ("not tested", "too few images")
    assert not {"constant", "boundary_distance"} & {v.method for v in judged}


def test_the_summary_rests_on_real_data_and_says_who_wins(page: str) -> None:
    text = " ".join(Reader(page).text.split())
    assert "On 1 real dataset, both are beaten:" in text
    order = ["Everywhere, by both measures Laplace In part", "In part no method", "Nowhere SAM 2; Laplace, closed form"]
    assert all(line in text for line in order)


@pytest.mark.parametrize("run", [["sam", "laplace"], ["sam", "laplace", "constant"]])
def test_without_both_baselines_nothing_is_claimed(inputs: Inputs, run: list[str]) -> None:
    table = scores()
    assert verdicts(table[table["method"].isin(run)], INTERVALS.read(inputs.reports / "intervals.csv"), draws=20) == []


def test_synthetic_data_alone_carry_a_warning(inputs: Inputs, tmp_path: Path) -> None:
    name = 'odd <b>&"name'
    table, frame = scores(), INTERVALS.read(inputs.reports / "intervals.csv")
    long(table[table["dataset"] == name]).to_parquet(tmp_path / "results.parquet")
    frame[frame["dataset"] == name].to_csv(tmp_path / "intervals.csv", index=False)
    shutil.copytree(inputs.reports / "figures", tmp_path / "figures")
    alone = replace(inputs, reports=tmp_path, datasets=(name,))
    build(alone, tmp_path / "index.html")
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "All data here are synthetic." in text and "On 1 synthetic dataset, both are beaten:" in text


@pytest.mark.parametrize("lost", ["results.parquet", "intervals.csv", "figures", "benchmark"])
def test_a_missing_input_is_named_and_nothing_is_written(inputs: Inputs, lost: str, tmp_path: Path) -> None:
    shutil.copytree(inputs.reports, tmp_path / "reports")
    (tmp_path / "reports" / lost).rename(tmp_path / "moved")
    without = replace(inputs, reports=tmp_path / "reports", benchmark=tmp_path / "reports" / "benchmark")
    with pytest.raises(UserError, match=lost):
        build(without, tmp_path / "index.html")
    assert not (tmp_path / "index.html").exists()


def test_an_inlined_drawing_keeps_its_marks_and_follows_the_page() -> None:
    drawing = (
        '<?xml version="1.0"?><svg xmlns:xlink="http://x" width="5pt" viewBox="0 0 5 5" xmlns="http://y" version="1.1">'
        '<metadata><a href="http://z"/></metadata><path id="m" style="fill: #1C2430; stroke: #0072b2"/>'
        '<use xlink:href="#m" clip-path="url(#p)"/></svg>'
    )
    assert inline_svg(drawing, "f1", 'a "b"') == (
        '<svg role="img" aria-label="a &quot;b&quot;" viewBox="0 0 5 5">'
        '<path id="f1-m" style="fill: var(--ink); stroke: #0072b2"/><use href="#f1-m" clip-path="url(#f1-p)"/></svg>'
    )


def test_the_papers_numbers_stand_beside_ours_and_a_photo_keeps_its_ground(inputs: Inputs, tmp_path: Path) -> None:
    shutil.copytree(inputs.reports, tmp_path / "reports")
    figures = tmp_path / "reports" / "figures"
    Image.new("RGB", (30, 20), "red").save(figures / "teaser.png")
    (figures / "teaser.svg").write_text("<svg/>")
    (figures / "teaser.csv").write_text("a\n1\n")
    build(replace(inputs, reports=tmp_path / "reports"), tmp_path / "index.html")
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    section = page[page.index('<section id="paper">') : page.index('<section id="data">')]
    text = " ".join(Reader(section).text.split())
    assert "None of the paper's datasets is in this run" in text and "ISTD 65.71 – – 47.71" in text
    teaser = page[page.index('<figure id="teaser">') :]
    assert teaser[: teaser.index("</figure>")].count("sheet photo") == 1 and "not by hand" in teaser


@pytest.fixture(scope="module")
def answered(inputs: Inputs, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page with the answers' section."""
    root, table = tmp_path_factory.mktemp("answers"), scores()
    plan = Plan(["pearson", "brier"], ["sam", "boundary_distance"], 100)
    facts = {name: facts_of(read_split(inputs.benchmark / name / "test")) for name in SETS}
    shutil.copytree(inputs.reports, root, dirs_exist_ok=True)
    ANSWERS.write(root / "answers.csv", compare(table, facts, plan))
    known = {name: Known(name, "folder", facts[name].synthetic) for name in SETS}
    judged = Judged.of(Evidence({"results": table}, facts, known, "nano", 50))
    write_json(root / "reproduction.json", reproduction_json(judged))
    build(replace(inputs, reports=root, plan=plan), root / "index.html")
    return (root / "index.html").read_text(encoding="utf-8")


def test_the_answers_stand_on_the_page_with_the_claims(answered: str) -> None:
    read = Reader(answered)
    assert "answers" in read.ids and "reproduction.html" in read.targets
    assert "Laplace against SAM 2, Pearson correlation ρ: better by +0.30" in read.text  # 0.8 less 0.5
    assert "12 of the paper's claims: cannot be told here" in " ".join(read.text.split())


def test_a_null_result_stands_as_one_and_what_is_not_tested_is_named(answered: str) -> None:
    text = " ".join(Reader(answered).text.split())
    assert "Not tested:" in text and "labels are not ground truth" in text and "n too small" in text
    assert "identical, for both have the same mask and probability" in text or "no difference shown" in text


def test_without_answers_the_page_has_no_such_section(page: str) -> None:
    assert "answers" not in Reader(page).ids and "reproduction.html" not in Reader(page).targets
