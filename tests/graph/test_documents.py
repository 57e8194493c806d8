from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from perfmodel.errors import FailureError
from perfmodel.graph import load
from perfmodel.graph.documents import Pack, dumps, from_document, to_document, write_pack

NAMES = ("cyclegan", "pilotnet", "resnet18", "bert_base")


@pytest.mark.parametrize("name", NAMES)
def test_a_document_survives_json(name: str) -> None:
    graph = load(name)
    again = from_document(json.loads(dumps(to_document(graph))))
    assert dumps(to_document(again)) == dumps(to_document(graph))
    np.testing.assert_array_equal(again.polynomials, graph.polynomials)
    assert again.tables.keys() == graph.tables.keys()


def test_packs_keep_every_document(tmp_path: Path) -> None:
    documents = {name: to_document(load(name)) for name in NAMES}
    documents["alias"] = {**documents["pilotnet"], "name": "alias"}
    path = tmp_path / "some.pack"
    write_pack(path, documents, group=2)
    pack = Pack(path)
    assert set(pack.names()) == set(documents)
    for name, document in documents.items():
        assert name in pack
        assert dumps(pack.document(name)) == dumps(document)
    assert "other" not in pack


def test_another_file_is_no_pack(tmp_path: Path) -> None:
    path = tmp_path / "other.pack"
    path.write_bytes(b"something else")
    with pytest.raises(FailureError, match="not a pack"):
        Pack(path)


def test_another_schema_is_refused() -> None:
    document = {**to_document(load("pilotnet")), "schema_version": 99}
    with pytest.raises(FailureError, match="schema version 99"):
        from_document(document)


def test_shipped_data_is_small() -> None:
    from perfmodel.graph.catalogue import DATA

    assert sum(path.stat().st_size for path in DATA.iterdir()) < 8e6
