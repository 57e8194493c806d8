"""Documents that figures and pages are made of, as the verbs print them, and a headless Chromium.

The browser is driven over the DevTools protocol, through a pipe: no driver, no port, no package.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import perfmodel as pm
from perfmodel.cli.compare import document
from perfmodel.cli.gpus import gpu_document
from perfmodel.report.style import svg

SVG = "{http://www.w3.org/2000/svg}"


class Drawing:
    """A figure as SVG, parsed."""

    def __init__(self, figure: Any) -> None:
        self.source = svg(figure)
        self.root = ElementTree.fromstring(self.source)

    def texts(self) -> list[str]:
        """All words on the figure, line by line."""
        return ["".join(node.itertext()) for node in self.root.iter(f"{SVG}text")]

    def has(self, words: str) -> bool:
        """Whether some text holds these words."""
        return words in " ".join(self.texts())

    def groups(self, name: str) -> list[ElementTree.Element]:
        """Groups of that id, or whose id begins with it and a dash."""
        return [
            node
            for node in self.root.iter(f"{SVG}g")
            if node.get("id") == name or str(node.get("id", "")).startswith(f"{name}-")
        ]

    def marks(self, name: str) -> int:
        """Marks drawn in the groups of a name."""
        found = 0
        for group in self.groups(name):
            # Marks of one size are drawn once and used often, those of many sizes one by one.
            shared = {id(path) for defs in group.iter(f"{SVG}defs") for path in defs.iter(f"{SVG}path")}
            used = sum(1 for _ in group.iter(f"{SVG}use"))
            found += used + sum(1 for path in group.iter(f"{SVG}path") if id(path) not in shared)
        return found

    def size(self) -> tuple[float, float]:
        width, height = self.root.attrib["viewBox"].split()[2:]
        return float(width), float(height)


@pytest.fixture
def drawing() -> type[Drawing]:
    return Drawing


@pytest.fixture(scope="session")
def prediction() -> dict[str, Any]:
    return pm.predict("bert_large_squad", gpu="v100", gpus=8, batch=4, precision="amp").to_dict()


@pytest.fixture(scope="session")
def comparison() -> dict[str, Any]:
    prices = {"p100": 0.5, "v100": 1.2, "a100": 2.5, "h100": 4.0}
    found = pm.compare("cyclegan", gpu=list(prices), batch=[1, 2, 4, 8, 16, 32], blocks=[9], price=prices)
    return document(found)


@pytest.fixture(scope="session")
def fit_rows() -> list[dict[str, Any]]:
    """Twelve rows on each of six cards: time falls with cores, spread 10 %."""
    random = np.random.default_rng(7)
    found = []
    for key in ("p4", "p100-pcie-16", "v100-sxm2-16", "rtx3090", "a100-sxm-80", "h100-sxm"):
        cores = float(pm.find_gpu(key).cuda_cores)
        for _ in range(12):
            fitted = 8e5 / cores
            measured = fitted * float(np.exp(0.1 * random.standard_normal()))
            low, high = fitted * np.exp(-0.165), fitted * np.exp(0.165)
            found.append({"row": len(found), "gpu": key, "measured": measured, "fitted": fitted, "low": float(low),
                          "high": float(high), "cores": cores})  # fmt: skip
    return found


@pytest.fixture(scope="session")
def fit_document(fit_rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "schema_version": 1, "kind": "fit", "formula": "log(step_ms) ~ log(cores)", "response": "log(step_ms)",
        "n": len(fit_rows), "residual_sd": 0.1, "rows": fit_rows,
    }  # fmt: skip


@pytest.fixture(autouse=True)
def _no_state_is_left() -> Iterator[None]:
    """Drawing leaves matplotlib's settings as they were."""
    import matplotlib

    before = dict(matplotlib.rcParams)
    yield
    assert dict(matplotlib.rcParams) == before


PRICES = {"p100": 0.5, "v100": 1.2, "rtx4090": 0.4, "h100": 2.5}


@pytest.fixture(scope="session")
def compare_document() -> dict[str, Any]:
    """A ``compare --json`` document: four cards (one lacks amp_bf16), two precisions, three batches, three blocks."""
    found = pm.compare(
        "cyclegan", gpu=list(PRICES), batch=(1, 2, 64), blocks=(3, 6, 9), precision=("fp32", "amp_bf16"), price=PRICES,
        dataset_size=1334,
    )  # fmt: skip
    found_document: dict[str, Any] = json.loads(json.dumps(document(found)))
    return found_document


@pytest.fixture(scope="session")
def predict_document() -> dict[str, Any]:
    """A ``predict --explain --json`` document."""
    found = pm.predict("cyclegan", gpu="p100", blocks=6, dataset_size=1334, price=0.5)
    found_document: dict[str, Any] = json.loads(
        json.dumps(found.to_dict() | {"explanation": pm.explain(found).to_dict()})
    )
    return found_document


@pytest.fixture(scope="session")
def card_document() -> dict[str, Any]:
    """A ``gpus show --json`` document."""
    found_document: dict[str, Any] = json.loads(
        json.dumps({"schema_version": 1, "gpu": gpu_document(pm.find_gpu("a100"))})
    )
    return found_document


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """Write a document to a file and return its path."""

    def write(document: Any, name: str = "document.json") -> Path:
        path = tmp_path / name
        path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def browser() -> Iterator[Chromium]:
    """A browser; tests that need one are skipped where there is none."""
    if chromium_path() is None:
        pytest.skip("no Chromium here (apt-get install chromium)")
    with Chromium() as found:
        yield found


_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-default-apps",
    "--disable-extensions", "--disable-dev-shm-usage", "--hide-scrollbars", "--force-color-profile=srgb",
    "--remote-debugging-pipe",
)  # fmt: skip
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def chromium_path() -> str | None:
    """The browser on this machine, if there is one."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Chromium:
    """A browser with one empty page and an empty profile; use it in a ``with`` statement."""

    def __init__(self) -> None:
        self.home = tempfile.mkdtemp(prefix="perfmodel-chromium-")
        there, self._write = os.pipe()
        self._read, back = os.pipe()
        # The browser reads commands from descriptor 3 and answers on 4.
        script = f'exec "$0" "$@" 3<&{there} 4>&{back} </dev/null >/dev/null 2>&1'
        command = [
            "bash",
            "-c",
            script,
            chromium_path() or "chromium",
            *_FLAGS,
            f"--user-data-dir={self.home}",
            "about:blank",
        ]
        environment = {**os.environ, "HOME": self.home, "XDG_CONFIG_HOME": self.home, "XDG_CACHE_HOME": self.home}
        self._process = subprocess.Popen(command, pass_fds=(there, back), env=environment)
        os.close(there)
        os.close(back)
        self._buffer = b""
        self._last = 0
        self.events: list[dict[str, Any]] = []
        self._session = ""

    def __enter__(self) -> Chromium:
        pages = self.call("Target.getTargets")["targetInfos"]
        target = next(one for one in pages if one["type"] == "page")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "Accessibility", "DOM", "Audits"):
            self.call(f"{domain}.enable")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._write)  # ends the browser
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        os.close(self._read)
        shutil.rmtree(self.home, ignore_errors=True)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method and wait for its answer; what happens meanwhile is added to `events`."""
        self._last += 1
        message: dict[str, Any] = {"id": self._last, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next(30.0)
            if answer.get("id") == self._last:
                assert "error" not in answer, (method, answer["error"])
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def _next(self, patience: float) -> dict[str, Any]:
        end = time.monotonic() + patience
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                raise TimeoutError("the browser does not answer")
            read = os.read(self._read, 1 << 20)
            if not read:
                raise ConnectionError("the browser ended")
            self._buffer += read
        line, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        return message

    def wait_for(self, event: str, patience: float = 30.0) -> dict[str, Any]:
        """Wait for an event that has not happened yet."""
        while True:
            message = self._next(patience)
            self.events.append(message)
            if message.get("method") == event:
                return message

    def open(self, page: Path) -> None:
        """Open a file and wait until it is loaded."""
        self.events.clear()
        self.call("Page.navigate", url=page.as_uri())
        if not any(one.get("method") == "Page.loadEventFired" for one in self.events):
            self.wait_for("Page.loadEventFired")

    def size(self, width: int, height: int = 900) -> None:
        """Set the size of the window, CSS pixels."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def media(self, **features: str) -> None:
        """Emulate media features such as ``prefers_color_scheme="dark"``."""
        named = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.call("Emulation.setEmulatedMedia", features=named)

    def run(self, expression: str) -> Any:
        """Value of a JavaScript expression in the page."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def press(self, key: str, *, text: str = "", modifiers: int = 0) -> None:
        """Press and release a key."""
        codes = {"Tab": 9, "Enter": 13, "ArrowDown": 40, "ArrowUp": 38, "Space": 32, "End": 35, "Home": 36}
        common = {
            "key": " " if key == "Space" else key,
            "code": key,
            "windowsVirtualKeyCode": codes.get(key, 0),
            "modifiers": modifiers,
        }
        self.call("Input.dispatchKeyEvent", type="keyDown", **common, **({"text": text} if text else {}))
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def type(self, text: str) -> None:
        """Type text where the focus is."""
        self.call("Input.insertText", text=text)

    def screenshot(self, path: Path, *, whole: bool = True) -> None:
        """Write a picture of the page as PNG."""
        found = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(found["data"]))

    def complaints(self) -> list[str]:
        """Console messages, log entries and issues of level warning or error, and uncaught exceptions."""
        self.call("Runtime.evaluate", expression="0")  # lets what is under way arrive
        found = []
        for one in self.events:
            method, values = one.get("method"), one.get("params", {})
            if method == "Runtime.exceptionThrown":
                found.append(values["exceptionDetails"]["text"])
            if method == "Runtime.consoleAPICalled" and values["type"] in ("error", "warning", "assert"):
                found.append(str(values["args"]))
            if method == "Log.entryAdded" and values["entry"]["level"] in ("error", "warning"):
                found.append(values["entry"]["text"])
            if method == "Audits.issueAdded":
                found.append(str(values["issue"]["code"]))
        return found

    def requests(self) -> list[str]:
        """URLs of all requests since the page was opened."""
        return [
            one["params"]["request"]["url"] for one in self.events if one.get("method") == "Network.requestWillBeSent"
        ]
