"""Gathering rows: layouts, several files, settings, file names, broken rows."""

from __future__ import annotations

import gzip
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfmodel.errors import InputError, PerfmodelError, TableError
from perfmodel.runs.checks import TIMES
from perfmodel.runs.gather import Gathered, gather_measured, gather_runs
from perfmodel.runs.rows import read_runs
from tests.runs.conftest import COMBINED, ITERATIONS, LAYOUTS, LOSS_CELLS, LOSSES, TABLE

START = "gpu,model,phase,batch,latency_ms\n"


def write(folder: Path, text: str, name: str = "rows.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def refused(path: Path | str, **options: object) -> str:
    with pytest.raises(PerfmodelError) as caught:
        gather_runs(path, **options)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_layout_is_told_by_its_header(files: Mapping[str, Path], layout: str) -> None:
    assert gather_runs(files[layout]).layouts == (layout,)


def test_rows_of_several_files_stand_below_each_other(files: Mapping[str, Path]) -> None:
    found = gather_runs(list(files.values()))
    assert found.layouts == tuple(LAYOUTS)
    assert len(found.runs) == 2 + 3 + 2 + 2 + 3
    assert list(dict.fromkeys(found.runs.text("file"))) == [str(path) for path in files.values()]
    assert found.runs.text("row").tolist() == ["1", "2", "1", "2", "3", "1", "2", "2", "3", "1", "2", "3"]
    assert found.runs.text("workers").tolist() == [""] * 9 + ["4"] * 3


def test_settings_of_all_files_and_of_one(files: Mapping[str, Path]) -> None:
    paths = [f"{files['cyclegan-combined']}@gpu=p100,Batch Size=2", files["cyclegan-iterations"]]
    runs = gather_runs(paths, known={"gpu": "v100", "num_layers": 9, "batch": 8}).runs
    assert runs.text("gpu").tolist() == ["p100"] * 2 + ["v100"] * 3
    assert runs.number("batch").tolist() == [2] * 2 + [8] * 3
    assert runs.number("blocks").tolist() == [9] * 5


def test_a_file_whose_own_name_holds_an_at_sign(tmp_path: Path) -> None:
    path = write(tmp_path, TABLE, "a@gpu=k80.csv")
    assert gather_runs(str(path)).runs.text("gpu").tolist() == ["v100", "p100"]


def test_a_setting_fills_empty_cells_and_accepts_equal_ones(tmp_path: Path) -> None:
    path = write(tmp_path, START + "v100,resnet50,training,32.0,100\n,resnet50,,NA,100\n")
    runs = gather_runs(path, known={"gpu": "Tesla V100-SXM2-16GB", "phase": "train", "batch": 32}).runs
    assert runs.text("gpu").tolist() == ["v100", "Tesla V100-SXM2-16GB"]
    assert runs.number("batch").tolist() == [32, 32]
    assert runs.training.all()


def test_a_setting_that_contradicts_a_cell_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, TABLE)
    line = refused(path, known={"gpu": "v100"}, salvage=True)
    assert f"{path}, row 2: gpu is 'p100', but gpu=v100 was set" in line
    assert "row 1: batch is '32', but batch=16 was set" in refused(f"{path}@batch=16")


@pytest.mark.parametrize(
    ("known", "text"),
    [
        ({"bloks": 9}, "no column 'bloks' can be set; near names: blocks"),
        ({"file": "x"}, "no column 'file' can be set"),
        ({"batch": "four"}, "the setting batch is 'four', not a number"),
        ({"gpu": "v1000"}, "near names: "),
    ],
)
def test_broken_settings(tmp_path: Path, known: dict[str, object], text: str) -> None:
    assert text in refused(write(tmp_path, TABLE), known=known)


def test_spelled_settings_of_a_file_are_checked(tmp_path: Path) -> None:
    path = write(tmp_path, TABLE)
    assert "'' is not column=value" in refused(f"{path}@phase=train,")
    assert "blocks is set twice, to '9' and '6'" in refused(f"{path}@blocks=9,n_blocks=6")
    assert "no file" in refused(f"{path}.gz@blocks=9")


def test_a_file_name_that_tells_all_is_read_and_noted(tmp_path: Path) -> None:
    path = write(tmp_path, ITERATIONS, "VKITTI-KITTI_9blocks_batch4_v100.csv")
    found = gather_runs(path)
    assert found.notes == (
        f"{path.name}: data_pair VKITTI-KITTI, blocks 9, batch 4, gpu v100 read from the file's name",
    )
    assert found.runs.text("data_pair").tolist() == ["VKITTI-KITTI"] * 3
    assert found.runs.step_s.tolist() == pytest.approx([0.492, 0.484, 0.488])
    again = gather_runs(path, known={"gpu": "p100", "batch": 2})
    assert again.notes == (f"{path.name}: data_pair VKITTI-KITTI, blocks 9 read from the file's name",)
    assert again.runs.text("gpu").tolist() == ["p100"] * 3


def test_what_many_names_tell_is_noted_once(tmp_path: Path) -> None:
    paths = [write(tmp_path, ITERATIONS, f"VKITTI-KITTI_{n}blocks_batch4_v100.csv") for n in range(3, 10)]
    (note,) = gather_runs(paths).notes
    assert note.startswith("data_pair, blocks, batch, gpu read from the names of 7 files, such as VKITTI-KITTI_3blocks")
    assert str(tmp_path) not in note


@pytest.mark.parametrize(
    "name",
    [
        "VKITTI-KITTI_9blocks_v100.csv",
        "VKITTI-KITTI_9blocks_batch4_nosuch.csv",
        "copy of VKITTI-KITTI_9blocks_batch4_v100.csv",
        "v100.csv",
    ],
)
def test_a_file_name_that_tells_less_is_not_guessed_from(tmp_path: Path, name: str) -> None:
    found = gather_runs(write(tmp_path, ITERATIONS, name))
    assert found.notes == ()
    assert not any(found.runs.text("gpu"))
    assert not any(found.runs.text("blocks"))


def test_a_table_never_takes_its_card_from_its_name(tmp_path: Path) -> None:
    path = write(tmp_path, "model,latency_ms\nresnet50,3\n", "VKITTI-KITTI_9blocks_batch4_v100.csv")
    assert "gpu" not in gather_runs(path).runs.columns


BROKEN = [
    ("v100,resnet50,train,32,soon", "latency_ms is 'soon', not a number"),
    ("v100,resnet50,train,32,-3", "latency_ms is -3, not above 0"),
    ("v100,resnet50,train,32,0", "latency_ms is 0, not above 0"),
    ("v100,resnet50,train,32,nan", "latency_ms is nan"),
    ("v100,resnet50,train,32,inf", "latency_ms is inf"),
    ("v100,resnet50,train,-1,3", "batch is -1, not from 0 on"),
    ("v100,resnet50,train,many,3", "batch is 'many', not a number"),
    ("v100,resnet50,train,32", "line 3 has 4 cells under 5 columns"),
    ("v100,resnet50,train,32,3,4", "line 3 has 6 cells under 5 columns"),
    ("nosuch card,resnet50,train,32,3", "gpu is 'nosuch card': unknown GPU 'nosuch card'"),
]


@pytest.mark.parametrize(("row", "text"), BROKEN)
def test_a_broken_row_is_named_or_left_out(tmp_path: Path, row: str, text: str) -> None:
    path = write(tmp_path, f"{START}v100,resnet50,train,32,100\n{row}\nv100,resnet50,train,64,200\n")
    line = refused(path)
    assert line.startswith(f"{path}, row 2: {text}")
    assert "--salvage" in line
    found = gather_runs(path, salvage=True)
    assert found.runs.text("row").tolist() == ["1", "3"]
    assert [(one.file, one.row) for one in found.problems] == [(str(path), 2)]
    assert text in str(found.problems[0])


def test_the_refusal_counts_the_others(tmp_path: Path) -> None:
    path = write(tmp_path, START + "\n".join(row for row, _ in BROKEN) + "\nv100,resnet50,train,64,200\n")
    assert "row 1: latency_ms is 'soon', not a number (9 more broken cells)" in refused(path)
    found = gather_runs(path, salvage=True)
    assert len(found.problems) == 10
    assert [one.row for one in found.problems] == list(range(1, 11))
    assert found.problems[0].to_dict() == {
        "file": str(path), "row": 1, "column": "latency_ms", "text": "is 'soon', not a number"
    }  # fmt: skip


def test_a_file_of_broken_rows_only(tmp_path: Path) -> None:
    path = write(tmp_path, START + "v100,resnet50,train,32,soon\n")
    assert "every row is broken" in refused(path, salvage=True)


def test_unknown_cells_are_not_broken(tmp_path: Path) -> None:
    path = write(tmp_path, START + ",resnet50,,0.0,100\nNA,resnet50,,NaN,\nv100,,,-,7\n")
    runs = gather_runs(path).runs
    assert len(runs) == 3
    assert np.isnan(runs.number("batch")).all()


def test_the_file_s_own_title_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, "device,network,Step Time [s]\nv100,resnet50,x\n")
    assert "row 1: Step Time [s] is 'x', not a number" in refused(path)


def test_units_in_titles(tmp_path: Path) -> None:
    path = write(tmp_path, "GPU,Model,Latency [s],Data Time (ms),throughput (1/s)\nv100,resnet50,0.25,12,40\n")
    runs = gather_runs(path).runs
    assert (runs.text("latency_ms")[0], runs.text("data_ms")[0]) == ("250", "12")
    assert runs.text("throughput_per_s")[0] == "40"


def test_step_times_follow_from_image_times_only_where_the_batch_is_known(tmp_path: Path) -> None:
    path = write(tmp_path, "gpu,batch,image_ms,latency_ms\nv100,4,10,\nv100,,10,\nv100,4,10,44\n")
    assert gather_runs(path).runs.text("latency_ms").tolist() == ["40", "", "44"]


def test_cold_is_one_or_zero(tmp_path: Path) -> None:
    path = write(tmp_path, "gpu,latency_ms,cold\nv100,4,True\nv100,4,no\nv100,4,\n")
    assert gather_runs(path).runs.text("cold").tolist() == ["1", "0", ""]
    assert "cold is '2', not 1 or 0" in refused(write(tmp_path, "gpu,latency_ms,cold\nv100,4,2\n"))


def test_files_that_are_none(tmp_path: Path) -> None:
    assert f"is a folder, not a table; name the files in it, such as {tmp_path}/*.csv" in refused(tmp_path)
    path = write(tmp_path, "a,b\n1,2\n")
    assert "lacks a column of times" in refused(path)
    with pytest.raises(InputError, match="no file"):
        gather_runs([])
    with pytest.raises(InputError, match="given twice"):
        gather_runs([path, f"{path}@gpu=v100"])


def test_what_a_prediction_lacks_is_named_with_the_setting(tmp_path: Path) -> None:
    path = write(tmp_path, COMBINED)
    with pytest.raises(TableError, match=r"combined CycleGAN table .* lacks the column gpu; add it, or set gpu=VALUE"):
        gather_measured(path)
    with pytest.raises(TableError, match="lacks the column batch"):
        gather_measured(path, known={"gpu": "v100"})
    assert len(read_runs(path, known={"gpu": "v100", "batch": 4, "blocks": 9})) == 2


def test_formats_agree(tmp_path: Path, files: Mapping[str, Path]) -> None:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    plain = gather_runs(files["cyclegan-iterations"]).runs
    (tmp_path / "log.csv.gz").write_bytes(gzip.compress(ITERATIONS.encode()))
    lines = [line.split(",") for line in ITERATIONS.splitlines()]
    pq.write_table(pa.table({title: column for title, *column in zip(*lines, strict=True)}), tmp_path / "log.parquet")
    for other in ("log.csv.gz", "log.parquet"):
        again = gather_runs(tmp_path / other).runs
        for name in set(plain.columns) - {"file"}:
            assert again.text(name).tolist() == plain.text(name).tolist()


def test_gathered_rows_written_as_a_table_are_read_again(tmp_path: Path, files: Mapping[str, Path]) -> None:
    pytest.importorskip("pandas")
    first = gather_runs(list(files.values())).runs
    first.to_frame().to_csv(tmp_path / "all.csv", index=False)
    again = gather_runs(tmp_path / "all.csv").runs
    assert set(again.columns) == set(first.columns)
    for name in set(first.columns) - {"file", "row"}:
        assert again.text(name).tolist() == first.text(name).tolist(), name


def test_the_measured_table_takes_less_than_a_second_more_to_check(shared_data: Path) -> None:
    path = shared_data / "measurements" / "end_to_end.csv.gz"
    start = time.perf_counter()
    plain = read_runs(path)
    between = time.perf_counter()
    checked = gather_runs(path)
    assert (time.perf_counter() - between) - (between - start) < 1
    assert (len(plain), len(checked.runs), checked.problems) == (18384, 18384, ())


Cell = st.floats(0.001, 1e4).map(lambda value: f"{value:.6g}")


@given(st.lists(st.tuples(st.integers(1, 50), Cell, Cell), min_size=1, max_size=20), st.integers(1, 64))
def test_times_of_a_log_come_back_in_their_units(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, str, str]], batch: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "round.csv"
    lines = [f"{epoch},100,{compute},{data},{LOSS_CELLS}" for epoch, compute, data in rows]
    path.write_text("\n".join([f"Epoch,iters,time/iters,data/iters,{LOSSES}", *lines, ""]))
    runs = gather_runs(path, known={"batch": batch}).runs
    compute, data = (np.array([float(row[i]) for row in rows]) for i in (1, 2))
    np.testing.assert_allclose(runs.number("image_ms"), compute * 1e3, rtol=1e-9)
    np.testing.assert_allclose(runs.number("data_ms"), data * 1e3, rtol=1e-9)
    np.testing.assert_allclose(runs.step_s, compute * batch, rtol=1e-9)
    assert runs.number("epoch").tolist() == [row[0] for row in rows]


@st.composite
def mangled(draw: st.DrawFn) -> str:
    text = draw(st.sampled_from(list(LAYOUTS.values())))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 40)))
        new = draw(
            st.sampled_from(["", "\n", ",", '"', "nan", "-1", "x", "1e999", ";", "é", "(", "@"]) | st.text(max_size=5)
        )
        text = text[:start] + new + text[end:]
    return text[: draw(st.integers(0, len(text)))] if draw(st.booleans()) else text


@settings(max_examples=300, deadline=None)
@given(mangled(), st.booleans(), st.sampled_from([{}, {"batch": 4}, {"gpu": "v100", "blocks": 9}]))
def test_a_mangled_file_reads_or_gives_one_clear_line(
    tmp_path_factory: pytest.TempPathFactory, text: str, salvage: bool, known: dict[str, object]
) -> None:
    path = tmp_path_factory.getbasetemp() / "mangled.csv"
    path.write_bytes(text.encode("utf-8", errors="replace"))
    for read in (gather_runs, gather_measured):
        with suppress(PerfmodelError):  # any other error fails the test
            check_rows(read(path, known=known, salvage=salvage), checked=read is gather_runs)


def check_rows(found: Gathered, *, checked: bool) -> None:
    """Rows that were kept hold no broken time, and none of them is among the problems."""
    assert len({len(column) for column in found.runs.columns.values()}) <= 1
    for name in TIMES & set(found.runs.columns) if checked else ():
        values = found.runs.number(name)
        assert ((values > 0) & np.isfinite(values) | (found.runs.text(name) == "")).all()
    assert not {str(one.row) for one in found.problems} & set(found.runs.text("row"))
