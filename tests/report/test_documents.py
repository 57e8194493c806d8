from __future__ import annotations

import copy
import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from perfmodel.errors import InputError, PerfmodelError, TableError
from perfmodel.report.content import Limits
from perfmodel.report.documents import Source, read_documents, recognise, without_paths

Write = Callable[..., Path]


@pytest.mark.parametrize(
    ("fixture", "kind"), [("compare_document", "compare"), ("predict_document", "predict"), ("card_document", "gpu")]
)
def test_a_document_is_recognised_by_its_content(
    fixture: str, kind: str, written: Write, request: pytest.FixtureRequest
) -> None:
    (found,) = read_documents([written(request.getfixturevalue(fixture), "named_anyhow.txt")])
    assert found.part.kind == kind
    assert found.name == "named_anyhow.txt"
    assert len(found.sources[0].sha256) == 64


def test_several_documents_in_one_file(
    predict_document: dict[str, Any], card_document: dict[str, Any], written: Write
) -> None:
    path = written(json.dumps(predict_document) + "\n\n" + json.dumps(card_document, indent=2) + "\n")
    assert [one.part.kind for one in read_documents([path])] == ["predict", "gpu"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"step_ms": 1', "not readable as JSON"),
        ('{"schema_version": 1, "x": NaN}', "NaN"),
        ("[1, 2]", "a list, not a document"),
        ("{}", "no document that this perfmodel knows"),
        ('{"a": 1, "b": [2]}', "no document that this perfmodel knows"),
        ('{"gpu": {"key": "p100"}, "workload": {}}', "predict but lacks step_ms (an object)"),
        ("{" * 100_000, "not readable as JSON"),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_no_document_gets_one_line_with_its_name(text: str, said: str, written: Write) -> None:
    with pytest.raises(InputError) as caught:
        read_documents([written(text, "odd.json")])
    assert "odd.json" in str(caught.value)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "path", [["step_ms", "low"], ["workload", "model"], ["evidence"], ["memory_gb", "parts"], ["fits"]]
)
def test_a_lacking_field_is_named(path: list[str], predict_document: dict[str, Any], written: Write) -> None:
    broken = copy.deepcopy(predict_document)
    place = broken
    for name in path[:-1]:
        place = place[name]
    del place[path[-1]]
    with pytest.raises(InputError, match=f"cut.json.*lacks {path[-1]}"):
        read_documents([written(broken, "cut.json")])


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (["step_ms", "median"], "long", "median is text, not a whole number or a number"),
        (["step_ms", "median"], True, "median is true or false"),
        (["evidence", "grade"], None, "grade is null"),
        (["workload", "batch"], 1.5, "batch is a number, not a whole number"),
        (["schema_version"], 7, "schema_version 7, and this perfmodel reads up to 1"),
        (["schema_version"], None, "lacks schema_version"),
    ],
)
def test_a_wrong_field_is_named(
    path: list[str], value: Any, said: str, predict_document: dict[str, Any], written: Write
) -> None:
    broken = copy.deepcopy(predict_document)
    place = broken
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    with pytest.raises(InputError) as caught:
        read_documents([written(broken, "odd.json")])
    assert said in str(caught.value)


def test_a_broken_row_is_named(compare_document: dict[str, Any], written: Write) -> None:
    broken = copy.deepcopy(compare_document)
    del broken["rows"][5]["evidence"]
    with pytest.raises(InputError, match=r"c.json \(compare\): rows\[5\] lacks evidence"):
        read_documents([written(broken, "c.json")])


def test_a_missing_file_and_one_that_is_no_table(tmp_path: Path, written: Write) -> None:
    with pytest.raises(TableError, match=r"absent\.json"):
        read_documents([tmp_path / "absent.json"])
    with pytest.raises(TableError, match=r"words\.txt"):
        read_documents([written("nothing of this is a table", "words.txt")])
    (tmp_path / "odd.csv.gz").write_bytes(gzip.compress(b"a,b\n1,2\n"))
    with pytest.raises(TableError, match=r"odd\.csv\.gz"):
        read_documents([tmp_path / "odd.csv.gz"])
    with pytest.raises(InputError, match="needs an input"):
        read_documents([])


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("/home/jane/runs/a.csv", "a.csv"),
        ("read from /home/jane/runs/a.csv, row 3", "read from a.csv, row 3"),
        ("C:\\Users\\jane\\a.csv", "a.csv"),
        ("home is /home/jane", "home is ~"),
        ("900 GB/s of TFLOP/s and and/or", "900 GB/s of TFLOP/s and and/or"),
        ("https://example.org/a/b/c", "https://example.org/a/b/c"),
        ("PCIe 4.0 x16 / NVLink", "PCIe 4.0 x16 / NVLink"),
    ],
)
def test_paths_are_cut_to_their_last_step(text: str, kept: str) -> None:
    assert without_paths({"note": [text]}) == {"note": [kept]}


def test_a_path_with_spaces_under_a_key_for_paths() -> None:
    assert without_paths({"source": {"files": ["/home/jane doe/my runs/a.csv"]}}) == {"source": {"files": ["a.csv"]}}


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of all values in a document; of a list only its first two."""
    items = value.items() if isinstance(value, dict) else enumerate(value[:2]) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from places(item, (*path, key))


@pytest.mark.parametrize("fixture", ["compare_document", "predict_document", "card_document"])
def test_no_mangled_document_is_a_defect(fixture: str, request: pytest.FixtureRequest) -> None:
    document = request.getfixturevalue(fixture)
    refused: list[str] = []
    for path in places(document):
        for value in (None, "text", -1, [], {"a": 1}, ...):
            broken = copy.deepcopy(document)
            place = broken
            for step in path[:-1]:
                place = place[step]
            place[path[-1]] = value
            if value is ...:
                del place[path[-1]]
            try:
                found = recognise(broken, Source("mangled.json", "0"))
                found.part.section([found], Limits(figures=False))
            except PerfmodelError as error:
                refused.append(str(error))
    assert len(refused) > 50
    assert all("mangled.json" in text for text in refused)
    assert not [text for text in refused if "cannot be shown" in text], "a field that NEEDED does not name"
