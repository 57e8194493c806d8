"""Files of measured profiles: versioned JSON, replaced as a whole, refused with one line where they cannot be used."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from perfmodel.errors import FailureError, InputError


@dataclass(frozen=True, kw_only=True)
class ProfileFile:
    """A kind of profile.

    Attributes
    ----------
    kind : str
        Its word in the file.
    of : str
        The same for people.
    version : int
        Of the schema.
    made_by : str
        Command that measures one.
    """

    kind: str
    of: str
    version: int
    made_by: str

    def write(self, path: Path, document: Mapping[str, Any]) -> None:
        """Write a profile, replacing an earlier one as a whole."""
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
        text = json.dumps(dict(document), indent=1, sort_keys=True)
        temporary.write_text(text + "\n", encoding="utf-8")
        temporary.replace(path)

    def read(self, path: Path) -> dict[str, Any]:
        """Return the document of a file.

        Raises
        ------
        InputError
            When it is missing or no profile of this kind.
        FailureError
            When its schema is another version's.
        """
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise InputError(f"no profile {path}", f"{self.made_by} writes one") from None
        except (OSError, UnicodeDecodeError, json.JSONDecodeError):
            raise InputError(f"{path} is not a profile", self._again) from None
        if not isinstance(document, dict) or document.get("kind") != self.kind:
            raise InputError(f"{path} is not a profile of {self.of}", self._again)
        if document.get("schema_version") != self.version:
            raise FailureError(f"{path} has another schema version", f"{self.made_by} writes a new one")
        return document

    def refuse(self, path: Path, error: Exception) -> NoReturn:
        """Raise an InputError for content that makes no profile."""
        raise InputError(f"{path} is damaged ({type(error).__name__}: {error})", self._again) from None

    @property
    def _again(self) -> str:
        return f"delete it; {self.made_by} writes another"
