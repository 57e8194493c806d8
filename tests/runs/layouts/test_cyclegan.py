"""CycleGAN logs: times an image and times a batch are never mixed."""

from __future__ import annotations

from pathlib import Path

import pytest

from perfmodel.errors import TableError
from perfmodel.runs.gather import gather_runs
from tests.runs.conftest import COMBINED, ITERATIONS, LOSS_CELLS, TEXT


def write(folder: Path, text: str, name: str = "log.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_compute_is_an_image_and_data_a_batch(tmp_path: Path) -> None:
    """Regression for mistake 2 of the reference: compute time was divided by the batch and data time was not."""
    path = write(tmp_path, ITERATIONS)
    runs = gather_runs(path).runs
    assert runs.text("image_ms").tolist() == ["123", "121", "122"]
    assert runs.text("data_ms").tolist() == ["4500", "2", "0"]
    assert "latency_ms" not in runs.columns
    known = gather_runs(path, known={"batch": 8}).runs
    assert known.number("latency_ms").tolist() == [984, 968, 976]
    assert known.text("data_ms").tolist() == ["4500", "2", "0"]


def test_what_the_layout_itself_says(tmp_path: Path) -> None:
    runs = gather_runs(write(tmp_path, ITERATIONS)).runs
    assert set(runs.text("model")) == {"cyclegan"}
    assert runs.training.all()
    assert runs.timings[0].key == "fwd+loss+bwd+opt"
    assert runs.text("cycle_A").tolist() == ["1.2"] * 3
    assert runs.text("epoch").tolist() == ["1", "1", "2"]
    other = gather_runs(write(tmp_path, ITERATIONS), known={"model": "cyclegan_small", "phase": "infer"}).runs
    assert set(other.text("model")) == {"cyclegan_small"}
    assert not other.training.any()


@pytest.mark.parametrize(
    "header",
    [
        "Epoch, iters, time/iters, data/iters",
        "epoch,ITERS,Time / Iters,Data / Iters",
        "EPOCH , iters, time per iter , data_per_iter",
        "Epoch,iters,time/iters (s),data/iters [s]",
    ],
)
def test_titles_in_any_case_and_spacing(tmp_path: Path, header: str) -> None:
    text = ITERATIONS.replace("Epoch,iters,time/iters,data/iters", header).replace(",D_A", ", d_a")
    runs = gather_runs(write(tmp_path, text)).runs
    assert runs.text("image_ms").tolist() == ["123", "121", "122"]
    assert runs.text("data_ms").tolist() == ["4500", "2", "0"]


@pytest.mark.parametrize(
    ("titles", "image_ms", "data_ms"),
    [
        ("time,data_time(ms)", "300", "120"),
        ("Time , Data Time (ms)", "300", "120"),
        ("time(ms),data_time", "0.3", "120000"),
        ("time_s,data_time_ms", "300", "120"),
        ("time(s/image),data_time(s/batch)", "300", "120000"),
        ("time (min),data time (s)", "18000", "120000"),
    ],
)
def test_units_of_the_combined_table(tmp_path: Path, titles: str, image_ms: str, data_ms: str) -> None:
    runs = gather_runs(write(tmp_path, COMBINED.replace("time,data_time(ms)", titles))).runs
    assert (runs.text("image_ms")[0], runs.text("data_ms")[0]) == (image_ms, data_ms)


def test_a_title_that_says_batch_is_a_step(tmp_path: Path) -> None:
    runs = gather_runs(write(tmp_path, COMBINED.replace("time,data", "time(s/batch),data"))).runs
    assert runs.text("latency_ms")[0] == "300"
    assert "image_ms" not in runs.columns


@pytest.mark.parametrize(
    ("titles", "text"),
    [
        ("time(parsecs),data_time", r"the unit of time\(parsecs\) is no unit of time"),
        ("time,data_time(ms/image)", "is counted an image"),
    ],
)
def test_units_that_cannot_be_right(tmp_path: Path, titles: str, text: str) -> None:
    with pytest.raises(TableError, match=text):
        gather_runs(write(tmp_path, COMBINED.replace("time,data_time(ms)", titles)))


def test_two_columns_for_one_time(tmp_path: Path) -> None:
    text = ITERATIONS.replace("\n", ",5\n").replace("idt_B,5", "idt_B,image_ms")
    with pytest.raises(TableError, match="two columns for image_ms: time/iters and image_ms"):
        gather_runs(write(tmp_path, text))


def test_rows_may_say_what_ran(tmp_path: Path) -> None:
    lines = [
        line + more
        for line, more in zip(COMBINED.splitlines(), (",GPU,Batch,Pair", ",k80,2,a-b", ",v100,4,a-c"), strict=True)
    ]
    runs = gather_runs(write(tmp_path, "\n".join(lines) + "\n").as_posix()).runs
    assert runs.number("latency_ms").tolist() == [600, 1240]
    assert runs.text("gpu").tolist() == ["k80", "v100"]


def test_a_line_that_is_still_being_written_is_left_out_and_named(tmp_path: Path) -> None:
    path = write(tmp_path, ITERATIONS + "2,200,0.1")
    found = gather_runs(path)
    assert len(found.runs) == 3
    assert [str(one) for one in found.problems] == [f"{path}, row 4: line 5 has 3 cells under 12 columns"]
    with pytest.raises(TableError, match="row 4: line 5 has 3 cells"):
        gather_runs(write(tmp_path, ITERATIONS + "2,200,0.1\n"))


def test_a_log_that_was_continued_repeats_its_header(tmp_path: Path) -> None:
    runs = gather_runs(write(tmp_path, ITERATIONS + ITERATIONS)).runs
    assert runs.text("row").tolist() == ["1", "2", "3", "5", "6", "7"]


def test_a_loss_may_diverge_but_must_be_a_number(tmp_path: Path) -> None:
    row = f"2,300,0.1,0.1,{LOSS_CELLS}\n"
    assert len(gather_runs(write(tmp_path, ITERATIONS + row.replace("0.2", "nan").replace("0.4", "inf"))).runs) == 4
    with pytest.raises(TableError, match="row 4: D_A is 'x', not a number"):
        gather_runs(write(tmp_path, ITERATIONS + row.replace("0.2", "x")))


def test_the_text_log(tmp_path: Path) -> None:
    path = write(tmp_path, TEXT + TEXT + "(epoch: 2, iters: 1", "loss_log.txt")
    found = gather_runs(path, known={"batch": 4})
    assert found.runs.number("image_ms").tolist() == [123, 113] * 2
    assert found.runs.number("data_ms").tolist() == [456, 1] * 2
    assert found.runs.number("latency_ms").tolist() == [492, 452] * 2
    assert found.runs.text("cycle_A").tolist() == ["1.2"] * 4
    assert found.runs.text("row").tolist() == ["2", "3", "5", "6"]
    assert [one.row for one in found.problems] == [7]


def test_a_foreign_line_in_the_text_log(tmp_path: Path) -> None:
    path = write(tmp_path, TEXT + "saving the model\n" + TEXT)
    with pytest.raises(TableError, match="row 4: is no line of a CycleGAN log"):
        gather_runs(path)
    assert len(gather_runs(path, salvage=True).runs) == 4
