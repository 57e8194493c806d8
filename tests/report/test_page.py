from __future__ import annotations

import base64
import hashlib
import html
import io
import json
import os
import re
import stat
import subprocess
import sys
import types
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import perfmodel.report.page as page_module
from perfmodel.errors import FailureError, InputError
from perfmodel.report.content import Limits, Section, escape, tag
from perfmodel.report.documents import Document
from perfmodel.report.page import LIMIT, build, read_data
from perfmodel.report.sections import PARTS, Part, register

Write = Callable[..., Path]
HOSTILE = "</script><img src=x onerror=alert(1)>"


def text_of(page: str) -> str:
    """What a reader sees of a page, without its data, scripts and figures."""
    plain = re.sub(r"<(script|style|svg)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", plain)).split())


def test_the_answer_comes_first(compare_document: dict[str, Any], written: Write) -> None:
    page = build(written(compare_document))
    text = text_of(page.html)
    assert text.index("Rent the") < 300
    assert page.summary[0].startswith(
        "Rent the GeForce RTX 4090: an epoch (1 334 samples) of training CycleGAN".replace("1 334", "1\u00a0334")
    )
    assert "Evidence" in page.summary[0]
    row = next(
        r
        for r in compare_document["rows"]
        if (r["gpu"], r["precision"], r["batch"], r["blocks"]) == ("rtx4090", "fp32", 1, 9)
    )
    assert f"costs {row['cost_per_epoch']:.2g}" in page.summary[0]


def test_the_answer_does_not_name_what_does_not_fit(compare_document: dict[str, Any], written: Write) -> None:
    rows = [{**row, "fits": row["fits"] and row["gpu"] != "rtx4090"} for row in compare_document["rows"]]
    page = build(written({**compare_document, "rows": rows}))
    assert "Rent the GeForce" not in page.summary[0]
    assert "Too little memory: GeForce RTX 4090." in page.summary[0]


def test_nothing_points_outside_and_only_hashed_code_runs(
    compare_document: dict[str, Any], predict_document: dict[str, Any], written: Write
) -> None:
    page = build([written(compare_document, "a.json"), written(predict_document, "b.json")]).html
    assert not re.findall(r"""(?:src|href|action|data)\s*=\s*["']?(?:https?:|//|file:)""", page)
    assert "@import" not in page
    assert "eval(" not in page
    assert "innerHTML" not in page
    assert not re.findall(r"<[^>]*\s(?:style|on\w+)=", re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL))
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]+)"', page)
    rules = dict(rule.strip().split(" ", 1) for rule in html.unescape(policy).split(";"))
    assert rules["default-src"] == "'none'"
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert [rules["style-src"], rules["script-src"]] == [hashed(style), hashed(scripts[0])]
    assert len(scripts) == 1


def hashed(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_hostile_text_is_escaped_and_kept(predict_document: dict[str, Any], tmp_path: Path) -> None:
    document = json.loads(
        json.dumps(predict_document).replace("Tesla P100 PCIe 16 GB", HOSTILE).replace('"cyclegan"', f'"{HOSTILE}"')
    )
    path = tmp_path / "<img src=x>.json"
    path.write_text(json.dumps(document))
    page = build(path, title="<script>alert(1)</script>").html
    assert "<img" not in page
    assert "<script>alert" not in page
    assert page.count("</script>") == 2
    (kept,) = read_data(page)["inputs"]
    assert kept["sources"][0]["name"] == "<img src=x>.json"
    assert kept["document"]["gpu"]["name"] == HOSTILE


def test_the_data_is_the_document(predict_document: dict[str, Any], written: Write) -> None:
    path = written(predict_document)
    (kept,) = read_data(build(path).html)["inputs"]
    assert kept["document"] == predict_document
    assert kept["kind"] == "predict"
    assert kept["sources"] == [{"name": "document.json", "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}]


def test_the_data_of_a_comparison_is_its_rows(compare_document: dict[str, Any], written: Write) -> None:
    kept = read_data(build(written(compare_document)).html)["inputs"][0]["document"]
    for row in compare_document["rows"]:
        place = 0
        for axis in kept["order"]:
            place = place * len(kept["axes"][axis]) + kept["axes"][axis].index(row[axis])
        for name, other in (
            ("step_ms", "step_ms"),
            ("high_ms", "high_ms"),
            ("cost", "cost_per_epoch"),
            ("unit_s", "epoch_s"),
        ):
            value = kept["columns"][name][place]
            assert value is row[other] if row[other] is None else value == pytest.approx(row[other], rel=1e-4)
        assert kept["columns"]["fits"][place] == row["fits"]


def test_no_folder_or_user_is_published(predict_document: dict[str, Any], tmp_path: Path) -> None:
    folder = tmp_path / "secret folder"
    folder.mkdir()
    path = folder / "answer.json"
    path.write_text(
        json.dumps({**predict_document, "notes": [f"profile of {tmp_path}/secret/p.json", "from /home/jane/x/y.csv"]})
    )
    page = build(path).html
    assert "answer.json" in page
    assert "secret" not in page
    assert "jane" not in page
    assert str(tmp_path) not in page


def test_provenance(predict_document: dict[str, Any], written: Write) -> None:
    path = written(predict_document)
    text = text_of(build(path).html)
    assert hashlib.sha256(path.read_bytes()).hexdigest() in text
    assert "perfmodel predict" in text
    assert f"{predict_document['model']['step_rows']} measured steps" in text
    assert predict_document["model"]["date"] in text


def test_predictions_of_the_same_work_are_ranked(predict_document: dict[str, Any], written: Write) -> None:
    slower = json.loads(
        json.dumps(predict_document).replace("Tesla P100 PCIe 16 GB", "Old card").replace("p100-pcie-16", "old")
    )
    for name in ("median", "low", "high"):
        slower["epoch_s"][name] *= 30
    slower["cost"]["per_epoch"] *= 30
    page = build([written(slower, "a.json"), written(predict_document, "b.json")])
    assert page.summary[0].startswith("Rent the Tesla P100 PCIe 16 GB: an epoch")
    assert len(page.summary) == 1


def large(compare_document: dict[str, Any], batches: int, blocks: int) -> dict[str, Any]:
    """The compare_document on many more points."""
    wanted = [row for row in compare_document["rows"] if row["batch"] == 1 and row["blocks"] == 9]
    rows = [
        {**row, "batch": batch, "blocks": count, "step_ms": row["step_ms"] and row["step_ms"] * (1 + batch / 7919)}
        for row in wanted for batch in range(1, batches + 1) for count in range(1, blocks + 1)
    ]  # fmt: skip
    for row in rows:
        if row["step_ms"] is not None:
            row["high_ms"] = row["step_ms"] * 1.7
    return {**compare_document, "rows": rows}


def test_thousands_of_points_fit(compare_document: dict[str, Any], written: Write) -> None:
    document = large(compare_document, 60, 10)
    assert len(document["rows"]) == 4800
    page = build(written(document))
    assert len(page.html.encode()) < LIMIT
    kept = read_data(page.html)["inputs"][0]["document"]
    assert len(kept["columns"]["step_ms"]) == 4800
    assert "of 4800, the others are in the data" in text_of(page.html)


def test_too_many_points_are_left_out_aloud(compare_document: dict[str, Any], written: Write) -> None:
    document = large(compare_document, 400, 16)
    page = build(written(document, "huge.json"))
    assert len(page.html.encode()) < LIMIT
    kept = read_data(page.html)["inputs"][0]["document"]
    assert 0 < len(kept["columns"]["step_ms"]) < len(document["rows"])
    assert 9 in kept["axes"]["blocks"]
    text = text_of(page.html)
    assert "leaves out: huge.json: batch" in text
    assert all(len(kept["axes"][axis]) == len({row[axis] for row in document["rows"]}) for axis in ("gpu", "precision"))


def test_a_limit_that_cannot_be_kept_is_an_error(compare_document: dict[str, Any], written: Write) -> None:
    with pytest.raises(InputError, match=r"more than 0\.02 MB"):
        build(written(compare_document), limit=20_000)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: rows.append(dict(rows[0])), "repeats an earlier point"),
        (lambda rows: rows.clear(), "has no rows"),
        (lambda rows: rows[0].pop("epoch_s"), "lacks"),
        (lambda rows: rows[0].update(low_ms=None), "a time without its interval"),
        (lambda rows: rows[0].update(low_ms=rows[0]["high_ms"] * 2), "not in order"),
        (lambda rows: rows[0].update(step_ms=-1.0), "not in order"),
    ],
)
def test_rows_that_make_no_sense_are_named(
    change: Callable[[list[Any]], Any], said: str, compare_document: dict[str, Any], written: Write
) -> None:
    document = json.loads(json.dumps(compare_document))
    change(document["rows"])
    with pytest.raises(InputError, match=said) as caught:
        build(written(document, "c.json"))
    assert "c.json" in str(caught.value)


def test_a_network_without_blocks_and_without_prices(written: Write) -> None:
    from perfmodel.cli.compare import document
    from perfmodel.step.compare import compare

    found = document(compare("resnet50", gpu=["v100", "t4"], batch=(32,), precision=("fp32",), dataset_size=None))
    page = build(written(json.loads(json.dumps(found))))
    assert page.summary[0].startswith("The fastest is") or page.summary[0].startswith("The Tesla V100")
    assert "None blocks" not in page.html
    assert "1000 samples" in page.summary[0]


def test_a_part_is_added_by_a_row(written: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("traces_of_a_later_part")

    def section(documents: Sequence[Document], limits: Limits) -> Section:
        body = tag("p", f"{documents[0].content['kernels']} kernels ran")
        return Section(title="Trace", summary=(("It ran.",),), body=body, data=tuple(one.content for one in documents))

    module.NEEDED = {"kernels": int}  # type: ignore[attr-defined]
    module.section = section  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    before = list(PARTS)
    try:
        register(Part(kind="trace", verb="trace", marks={"kernels": int}, module=module.__name__), before="doctor")
        assert [part.kind for part in PARTS][-2:] == ["trace", "doctor"]
        page = build(written({"schema_version": 1, "kernels": 12}))
        assert page.title == "Trace"
        assert "12 kernels ran" in text_of(page.html)
        with pytest.raises(InputError, match="kernels is text"):
            build(written({"schema_version": 1, "kind": "trace", "kernels": "many"}))
    finally:
        PARTS[:] = before


def test_every_part_has_its_module() -> None:
    for part in PARTS:
        assert isinstance(part.needed, dict), part.kind


def test_text_cannot_become_markup() -> None:
    assert tag("p", "<b>", title='"&') == '<p title="&quot;&amp;">&lt;b&gt;</p>'
    assert (
        tag("option", "x", value=0, selected=False, hidden=True, tabindex=None) == '<option value="0" hidden>x</option>'
    )
    assert escape(tag("b", "x")) == "<b>x</b>"


def test_saving_is_whole_or_not_at_all(
    predict_document: dict[str, Any], written: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = build(written(predict_document))
    target = tmp_path / "page.html"
    target.write_text("before")

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(page_module.os, "replace", interrupted)
        with pytest.raises(KeyboardInterrupt):
            page.save(target)
    assert target.read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["document.json", "page.html"]
    page.save(target)
    assert target.read_text(encoding="utf-8") == page.html
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(target.stat().st_mode) == 0o666 & ~mask


def test_an_input_is_never_overwritten(predict_document: dict[str, Any], written: Write, tmp_path: Path) -> None:
    path = written(predict_document)
    page = build(path)
    (tmp_path / "link.html").symlink_to(path)
    for target in (path, tmp_path / "." / path.name, tmp_path / "link.html"):
        with pytest.raises(InputError, match="is an input of this report"):
            page.save(target)
    assert json.loads(path.read_text()) == predict_document
    with pytest.raises(FailureError, match="cannot write"):
        page.save(tmp_path / "absent" / "page.html")


def test_the_same_input_gives_the_same_page(
    compare_document: dict[str, Any], predict_document: dict[str, Any], written: Write
) -> None:
    inputs = [written(compare_document, "a.json"), written(predict_document, "b.json")]
    assert build(inputs).html == build(inputs).html


def test_a_table_of_runs(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    rows = [
        f"{gpu},cyclegan,training,{batch},fp32,{time * batch},cyclegan" for gpu, time in CARDS for batch in (1, 2, 4)
    ]
    path.write_text("gpu,model,phase,batch,precision,latency_ms,source\n" + "\n".join(rows) + "\n")
    page = build(path)
    kinds = [one["kind"] for one in read_data(page.html)["inputs"]]
    assert kinds == ["runs", "fit", "validate"]
    text = text_of(page.html)
    assert "18 measured rows" in text.replace("\u00a0", " ")
    assert "Each group predicted by the law fitted to all others" in text
    assert page.html.count('role="img"') >= 5
    assert str(tmp_path) not in page.html


CARDS = (("p100", 240.0), ("v100", 140.0), ("t4", 410.0), ("rtx3090", 95.0), ("a100", 88.0), ("rtx2080ti", 190.0))


def test_a_table_that_allows_no_fit_is_still_shown(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_text("gpu,model,phase,batch,latency_ms\nv100,cyclegan,training,1,140\n")
    page = build(path)
    assert "no law is fitted" in text_of(page.html)
    assert read_data(page.html)["inputs"][0]["document"]["boxes"][0]["n"] == 1


def test_standard_input(predict_document: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(buffer=io.BytesIO(json.dumps(predict_document).encode())))
    page = build("-")
    assert "standard input" in text_of(page.html)
    table = b"gpu,model,phase,batch,latency_ms\nv100,cyclegan,training,1,140\n"
    monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(buffer=io.BytesIO(table)))
    assert "standard input" in text_of(build(["-"]).html)


def test_a_page_of_documents_needs_no_torch_or_statsmodels(predict_document: dict[str, Any], written: Write) -> None:
    heavy = "{'torch', 'statsmodels', 'pandas'}"
    code = (
        f"import sys; from perfmodel.report import build; build(sys.argv[1]); print(sorted(set(sys.modules) & {heavy}))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(written(predict_document))], capture_output=True, text=True, timeout=120
    )
    assert (result.returncode, result.stdout.strip()) == (0, "[]"), result.stderr
