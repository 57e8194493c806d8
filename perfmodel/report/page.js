"use strict";
(() => {
  const source = document.getElementById("data");
  const data = JSON.parse(source.textContent);
  const comparisons = data.inputs.filter((one) => one.kind === "compare").map((one) => one.document);
  const UNITS = [[1e-3, 1e6, "µs"], [1, 1e3, "ms"], [120, 1, "s"], [7200, 1 / 60, "min"], [Infinity, 1 / 3600, "h"]];
  const SVG = "http://www.w3.org/2000/svg";

  // The same words as perfmodel/report/words.py.
  function number(value) {
    if (value === null || value === undefined) return "-";
    const rounded = Number(value.toPrecision(3));
    if (rounded !== 0 && Math.abs(rounded) < 1e-4) return rounded.toExponential().replace(/e-(\d)$/, "e-0$1");
    return String(Number(rounded.toFixed(12)));
  }
  const unitOf = (seconds) => UNITS.find((unit) => seconds < unit[0]);
  function duration(seconds, unit = unitOf(seconds)) {
    return `${number(seconds * unit[1])}\u00a0${unit[2]}`;
  }
  function span(low, high, unit = unitOf(Math.sqrt(low * high))) {
    return `${number(low * unit[1])} to ${number(high * unit[1])}\u00a0${unit[2]}`;
  }

  function element(name, text, className) {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  }

  function pointAt(comparison, gpu, setting) {
    let place = 0;
    comparison.order.forEach((axis, at) => {
      place = place * comparison.axes[axis].length + (at === 0 ? gpu : setting[at - 1]);
    });
    const point = { gpu };
    for (const name of Object.keys(comparison.columns)) point[name] = comparison.columns[name][place];
    return point;
  }

  // Price of one card for an hour that a document's costs stand for; null where it has none.
  function documentPrice(comparison, gpu) {
    const all = comparison.columns.step_ms.length / comparison.axes.gpu.length;
    for (let at = gpu * all; at < (gpu + 1) * all; at += 1) {
      const cost = comparison.columns.cost[at], time = comparison.columns.unit_s[at];
      if (cost !== null && time) return (cost * 3600) / time / comparison.gpus;
    }
    return null;
  }

  function interval(point, scale, low, high) {
    const drawing = document.createElementNS(SVG, "svg");
    const width = Math.log(high / low) || 1;
    const x = (value) => (6 + (148 * Math.log(value / low)) / width).toFixed(1);
    const put = (name, attributes) => {
      const made = document.createElementNS(SVG, name);
      for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
      drawing.append(made);
    };
    for (const [key, value] of [["viewBox", "0 0 160 16"], ["width", 160], ["height", 16], ["class", "interval"], ["aria-hidden", "true"]]) drawing.setAttribute(key, value);
    put("line", { x1: x(point.low_ms * scale), x2: x(point.high_ms * scale), y1: 8, y2: 8 });
    put("circle", { cx: x(point.step_ms * scale), cy: 8, r: 4 });
    return drawing;
  }

  function start(form) {
    const comparison = comparisons[Number(form.dataset.comparison)];
    const name = form.id.replace(/-form$/, "");
    const body = document.querySelector(`#${name}-cards tbody`);
    const caption = document.getElementById(`${name}-cards-caption`);
    const output = document.getElementById(`${name}-result`);
    const price = form.elements.price;
    const prices = comparison.axes.gpu.map((_, gpu) => documentPrice(comparison, gpu));
    const typed = new Set();
    const job = comparison.unit === "epoch" ? "an epoch" : "1000 samples";
    const coverage = `${Math.round(100 * comparison.coverage)}\u00a0%`;

    const chosen = (axis) => (form.elements[axis] ? Number(form.elements[axis].value) : 0);
    const setting = () => comparison.order.slice(1).map(chosen);
    const nameOf = (gpu) => comparison.names[comparison.axes.gpu[gpu]];
    function cost(point, time) {
      if (time === null || prices[point.gpu] === null) return null;
      if (!typed.has(point.gpu)) return point.cost;
      return (time * prices[point.gpu] * comparison.gpus) / 3600;
    }
    function said(choice) {
      const [precision, batch, blocks] = comparison.order.slice(1).map((axis, at) => comparison.axes[axis][choice[at]]);
      return `${precision}, batch ${batch}${blocks === null ? "" : `, ${blocks} blocks`}`;
    }

    function row(point, low, high, unit, current) {
      const made = element("tr");
      made.dataset.key = comparison.axes.gpu[point.gpu];
      if (current) made.setAttribute("aria-current", "true");
      const head = element("th", nameOf(point.gpu));
      head.scope = "row";
      made.append(head);
      const scale = point.unit_s / point.step_ms;
      const cell = (text, className) => made.append(element("td", text, className));
      cell(duration(point.unit_s, unit), "number");
      cell(span(point.low_ms * scale, point.high_ms * scale, unit), "number");
      cell(number(cost(point, point.unit_s)), "number");
      const drawing = element("td");
      drawing.append(interval(point, scale, low, high));
      made.append(drawing);
      cell(duration(point.step_ms / 1e3), "number");
      cell(number(point.memory_gb), "number");
      cell(point.fits ? "yes" : "NO", point.fits ? "" : "no");
      cell(point.evidence);
      return made;
    }

    function cards(points, choice, gpu) {
      const time = (point, key) => (point.unit_s / point.step_ms) * point[key];
      const low = Math.min(...points.map((point) => time(point, "low_ms")));
      const high = Math.max(...points.map((point) => time(point, "high_ms")));
      const unit = unitOf(Math.min(...points.map((point) => point.unit_s)));
      const rank = (point) => {
        const money = cost(point, point.unit_s);
        return [point.fits ? 0 : 1, money === null ? 1 : 0, money === null ? 0 : money, point.unit_s];
      };
      const order = points.map((point) => [rank(point), point]).sort((a, b) => {
        const at = a[0].findIndex((value, i) => value !== b[0][i]);
        return at < 0 ? 0 : a[0][at] - b[0][at];
      });
      body.replaceChildren(...order.map(([, point]) => row(point, low, high, unit, point.gpu === gpu)));
      caption.textContent = `The cards at ${said(choice)}: time and cost of ${job}, cost in the money of the prices`;
    }

    function result(point, choice) {
      const lines = [];
      const what = `${nameOf(point.gpu)}, ${said(choice)}`;
      if (point.step_ms === null) {
        lines.push(element("p", `${what}: this card lacks that precision.`, "big"));
      } else {
        const scale = point.unit_s / point.step_ms;
        const money = cost(point, point.unit_s);
        const costs = money === null ? " (type a price to see the cost)" : ` and costs ${number(money)}`;
        lines.push(element("p", `${what}: ${job} takes ${duration(point.unit_s)}${costs}.`, "big"));
        lines.push(element("p", `${coverage} interval: ${span(point.low_ms * scale, point.high_ms * scale)}. A step: ${duration(point.step_ms / 1e3)} (${span(point.low_ms / 1e3, point.high_ms / 1e3)}).`));
        lines.push(element("p", `Memory: ${number(point.memory_gb)} GB, which ${point.fits ? "fits" : "does NOT fit"}. Evidence grade ${point.evidence}.`));
      }
      const place = comparison.order.slice(1).reduce((sum, axis, at) => sum * comparison.axes[axis].length + choice[at], 0);
      const same = choice.every((at, axis) => at === comparison.start[axis]);
      if (typed.size > 0) lines.push(element("p", "Costs follow the prices that you typed; the answer at the top of the page does not."));
      else if (!same) lines.push(element("p", `For this choice: ${comparison.answers[place]}`));
      output.replaceChildren(...lines);
    }

    function update() {
      const choice = setting(), gpu = chosen("gpu");
      const points = comparison.axes.gpu.map((_, at) => pointAt(comparison, at, choice));
      cards(points.filter((point) => point.step_ms !== null), choice, gpu);
      result(points[gpu], choice);
    }
    function showPrice() {
      const known = prices[chosen("gpu")];
      price.value = known === null ? "" : String(Number(known.toPrecision(4)));
    }
    form.addEventListener("submit", (event) => event.preventDefault());
    price.addEventListener("input", () => {
      const value = price.valueAsNumber, gpu = chosen("gpu");
      prices[gpu] = Number.isFinite(value) && value >= 0 ? value : null;
      typed.add(gpu);
      update();
    });
    form.addEventListener("change", (event) => {
      if (event.target.name === "gpu") showPrice();
      if (event.target !== price) update();
    });
    form.hidden = false;
    showPrice();
    update();
  }

  for (const form of document.querySelectorAll("form[data-comparison]")) start(form);

  const download = document.getElementById("download");
  if (download) {
    download.hidden = false;
    download.addEventListener("click", () => {
      const link = element("a");
      link.href = URL.createObjectURL(new Blob([source.textContent], { type: "application/json" }));
      link.download = "report.json";
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    });
  }
})();
