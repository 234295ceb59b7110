"use strict";
// The page of a board. Every text enters the document as text, never as markup.
(async () => {
  const byId = (id) => document.getElementById(id);
  const element = (name, text, attributes = {}) => {
    const node = document.createElement(name);
    if (text !== undefined && text !== null) node.textContent = text;
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    return node;
  };
  const drawn = (name, attributes, text) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    if (text !== undefined) node.textContent = text;
    return node;
  };
  const fail = (text) => {
    byId("failure").textContent = text;
    byId("failure").hidden = false;
  };
  const short = (value) =>
    value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential(2) : String(Number(value.toPrecision(3)));
  const number = (value) => (value === null || value === undefined ? "-" : short(value));
  const kind = (label) => label.split("(")[0];
  const FIELDS = ["system", "model", "trainer", "level", "metric", "axis", "budget", "search"];
  const SAME = ["submission", "system", "data", "model", "trainer"]; // of the runs of a method on a system
  const PAGE = 200; // methods that are shown at first
  const AXES = ["training time", "forcing interval"];

  // A page of 20,000 runs would read its dozens of metrics for a second, so that each is read when it is first chosen.
  const COLUMNS = ["submission", "system", "data", "model", "trainer", "seed", "status", "train_seconds"];
  const columnsOf = (metric) => [metric, metric + ".floor"];
  const read = new Set(); // the first of the columns that are read together

  let content, parquet, runs;
  try {
    content = JSON.parse(byId("content").textContent);
  } catch (error) {
    fail("The content of this page is damaged, so nothing can be shown: " + error.message);
    return;
  }
  byId("title").textContent = content.suite + ": leaderboard";
  const counted = (count, noun) => count + " " + noun + (count === 1 ? "" : "s");
  byId("subtitle").textContent =
    counted(content.systems.length, "system") + ", " + counted(content.submissions.length, "submission") + "; state of " + content.state;
  showStandings();
  showSubmissions();
  try {
    parquet = decoded(byId("parquet").textContent.trim());
    runs = await hyparquet.parquetReadObjects({ file: parquet, columns: [...COLUMNS, ...columnsOf(content.metrics[0])] });
    read.add(content.metrics[0]);
  } catch (error) {
    fail("The table of runs in this page is damaged, so single runs cannot be shown: " + error.message);
    return;
  }

  function decoded(text) {
    if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text).buffer;
    const binary = atob(text);
    const bytes = new Uint8Array(binary.length);
    for (let index = 0; index < binary.length; index += 1) bytes[index] = binary.charCodeAt(index);
    return bytes.buffer;
  }

  async function load(columns) {
    if (read.has(columns[0])) return;
    const rows = await hyparquet.parquetReadObjects({ file: parquet, columns });
    rows.forEach((values, index) => Object.assign(runs[index], values));
    read.add(columns[0]);
  }

  const fill = (id, values, every) => {
    const select = byId(id);
    select.replaceChildren();
    if (every) select.append(element("option", every, { value: "" }));
    for (const value of values) select.append(element("option", value, { value }));
  };
  const distinct = (name, short = (one) => one) => [...new Set([...new Set(runs.map(name))].map(short))].sort();
  const systemOf = (run) => (run.data === "data" ? run.system : run.system + ", " + run.data);
  fill("system", distinct(systemOf), "all");
  fill("model", distinct((run) => run.model, kind), "all");
  fill("trainer", distinct((run) => run.trainer, kind), "all");
  const levels = new Map(content.submissions.map((one) => [one.folder, one.level]));
  for (const run of runs) run.level = levels.get(run.submission);
  fill("level", [...new Set(levels.values())].sort(), "all");
  fill("metric", content.metrics);
  fill("axis", AXES);
  const opened = new Set(); // rows whose runs are shown, counted from 1
  const numbers = new Map(content.submissions.map((one, index) => [one.folder, index]));
  let limit = PAGE;
  let plotting;
  let sorted = { column: 0, down: false };
  restore();
  const afresh = () => { limit = PAGE; opened.clear(); show(); };
  byId("filters").addEventListener("input", afresh);
  byId("filters").addEventListener("reset", () => setTimeout(afresh));
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("more").addEventListener("click", () => { limit += PAGE; show(); });
  window.addEventListener("hashchange", () => { restore(); show(); });
  await show();
  document.documentElement.setAttribute("data-ready", String(Math.round(performance.now()))); // [ms] since loading began

  function restore() {
    const wanted = new URLSearchParams(location.hash.slice(1));
    const order = /^([0-8])(-?)$/.exec(wanted.get("sort") ?? "0");
    if (order) sorted = { column: Number(order[1]), down: order[2] === "-" };
    opened.clear();
    for (const place of (wanted.get("open") ?? "").split(",").filter(Boolean)) opened.add(place);
    for (const id of FIELDS) {
      const input = byId(id);
      const value = wanted.get(id);
      if (value === null) continue;
      if (input.tagName !== "SELECT" || [...input.options].some((option) => option.value === value)) input.value = value;
    }
  }

  function remember() {
    const set = new URLSearchParams();
    for (const id of FIELDS) {
      const input = byId(id);
      const first = input.tagName === "SELECT" ? input.options[0].value : "";
      if (input.value !== first) set.set(id, input.value);
    }
    if (sorted.column || sorted.down) set.set("sort", sorted.column + (sorted.down ? "-" : ""));
    if (opened.size) set.set("open", [...opened].join(","));
    const hash = set.toString();
    history.replaceState(null, "", hash ? "#" + hash : location.pathname);
    const digests = content.submissions.map((one) => one.digest.slice(0, 8)).join(", ");
    byId("cite").textContent =
      "chaosbench leaderboard " + content.suite + ", state of " + content.state + ", submissions " + digests +
      (hash ? ", view #" + hash : "");
  }

  function chosen() {
    const value = Object.fromEntries(FIELDS.map((id) => [id, byId(id).value]));
    const text = value.search.toLowerCase();
    const budget = value.budget === "" ? Infinity : Number(value.budget);
    return runs.filter(
      (run) =>
        (!value.system || systemOf(run) === value.system) &&
        (!value.model || kind(run.model) === value.model) &&
        (!value.trainer || kind(run.trainer) === value.trainer) &&
        (!value.level || run.level === value.level) &&
        (run.train_seconds === null || run.train_seconds <= budget) &&
        (!text || (run.model + " " + run.trainer + " " + systemOf(run) + " " + run.submission).toLowerCase().includes(text)),
    );
  }

  function grouped(rows, metric) {
    const groups = new Map();
    let last, current;
    for (const run of rows) {
      // The table is sorted, so that the runs of a method on a system mostly follow each other.
      if (last && SAME.every((name) => last[name] === run[name])) {
        current.push(run);
        continue;
      }
      const key = SAME.map((name) => run[name]).join("\u0000"); // no label has this character
      current = groups.get(key) ?? [];
      if (!current.length) groups.set(key, current);
      current.push(run);
      last = run;
    }
    return [...groups.values()].map((own) => {
      const worst = content.better[metric] === "higher" ? -Infinity : Infinity;
      const values = own.map((run) => (run.status === "ok" && run[metric] !== null ? run[metric] : worst)).sort((a, b) => a - b);
      const middle = (values[Math.floor((values.length - 1) / 2)] + values[Math.ceil((values.length - 1) / 2)]) / 2;
      return {
        runs: own,
        system: systemOf(own[0]),
        model: own[0].model,
        trainer: own[0].trainer,
        median: Number.isFinite(middle) ? middle : null,
        floor: own[0][metric + ".floor"],
        lost: own.filter((run) => run.status !== "ok").length,
        seconds: own[0].train_seconds,
        level: own[0].level,
        submission: own[0].submission,
      };
    });
  }

  async function show() {
    const metric = byId("metric").value;
    await load(columnsOf(metric));
    if (metric !== byId("metric").value) return; // another was chosen meanwhile
    const groups = grouped(chosen(), metric);
    const sign = content.better[metric] === "higher" ? -1 : 1;
    const cost = (group) => (group.median === null ? Infinity : sign * group.median);
    const keys = [
      (group) => group.system, (group) => group.model, (group) => group.trainer, cost, (group) => group.floor ?? Infinity,
      (group) => group.lost, (group) => group.seconds ?? Infinity, (group) => group.level, (group) => group.submission,
    ];
    const key = keys[sorted.column];
    groups.sort((one, other) => {
      const [a, b] = [key(one), key(other)];
      const order = a < b ? -1 : a > b ? 1 : cost(one) - cost(other) || 0;
      return sorted.down ? -order : order;
    });
    byId("count").textContent =
      groups.length + " methods on systems, " + groups.reduce((sum, group) => sum + group.runs.length, 0) + " runs";
    showMethods(groups, metric);
    remember();
    clearTimeout(plotting);
    plotting = setTimeout(() => showPlot(groups, metric)); // the table comes first
  }

  function showMethods(groups, metric) {
    const unit = content.units[metric];
    const heads = [
      "system", "model", "trainer", metric.replaceAll("_", " ") + " [" + unit + "], median", "of the truth", "lost",
      "training per seed [s]", "level", "submission",
    ];
    const table = byId("methods");
    const head = element("tr");
    heads.forEach((text, column) => {
      const cell = element("th", null, { scope: "col" });
      if (column > 2 && column < 7) cell.setAttribute("data-number", "");
      if (column === sorted.column) cell.setAttribute("aria-sort", sorted.down ? "descending" : "ascending");
      const button = element("button", text, { type: "button" });
      button.addEventListener("click", () => {
        sorted = { column, down: sorted.column === column && !sorted.down };
        opened.clear();
        show().then(() => byId("methods").querySelectorAll("th button")[column].focus());
      });
      cell.append(button);
      head.append(cell);
    });
    const top = element("thead");
    top.append(head);
    const body = element("tbody");
    for (const [index, group] of groups.slice(0, limit).entries()) {
      const place = String(index + 1);
      const row = element("tr");
      row.append(element("td", group.system), labelled(group.model), labelled(group.trainer));
      const details = element("td", null, { class: "number" });
      const box = element("details");
      const below = element("tr");
      const cell = element("td", null, { colspan: heads.length, class: "runs" });
      below.append(cell);
      below.hidden = true;
      box.append(element("summary", group.median === null ? "diverged" : number(group.median)));
      box.addEventListener("toggle", () => {
        below.hidden = !box.open;
        if (box.open && !cell.childElementCount) showRuns(cell, group.runs, metric);
        opened[box.open ? "add" : "delete"](place);
        remember();
      });
      box.open = opened.has(place);
      details.append(box);
      row.append(details, element("td", number(group.floor), { class: "number" }));
      row.append(element("td", group.lost + " of " + group.runs.length, { class: "number" }));
      row.append(element("td", number(group.seconds), { class: "number" }));
      row.append(element("td", group.level), element("td", group.submission.slice(-8), { title: group.submission }));
      body.append(row, below);
    }
    table.replaceChildren(element("caption", "Methods on each system; a diverged or failed run counts as worst"), top, body);
    byId("more").hidden = groups.length <= limit;
  }

  // Single runs are drawn when somebody opens them.
  async function showRuns(cell, own, metric) {
    await load(["experiment", "message"]);
    if (document.readyState === "loading") { // the pictures come after the program
      document.addEventListener("DOMContentLoaded", () => showRuns(cell, own, metric), { once: true });
      return;
    }
    let pictures = 0;
    for (const run of own) {
      const what = run.status === "ok" ? number(run[metric]) : run.status;
      const line = element("div", null, { class: "seed" });
      line.append(element("span", "seed " + run.seed + ": " + what + (run.message ? " (" + run.message + ")" : "")));
      const figures = runPictures(numbers.get(run.submission), run);
      pictures += figures.length;
      line.append(...figures);
      cell.append(line);
    }
    if (!pictures) cell.append(element("div", "The submission holds neither series over training nor scores on single orbits."));
  }

  function labelled(label) {
    const short = content.labels[label] ?? label;
    const cell = element("td", kind(short), short === label ? {} : { title: label });
    const settings = short.slice(kind(short).length);
    if (settings) cell.append(element("small", settings));
    return cell;
  }

  function showPlot(groups, metric) {
    const byInterval = byId("axis").value === AXES[1];
    const name = metric.replaceAll("_", " ");
    const x = (group) => (byInterval ? content.intervals[group.trainer] ?? null : group.seconds);
    const points = groups.filter((group) => x(group) > 0);
    const known = points.filter((group) => group.median !== null);
    const svg = byId("plot");
    const title = drawn("title", { id: "plot-title" }, name + " against " + byId("axis").value);
    svg.replaceChildren(title);
    byId("plot-caption").textContent =
      name + " (" + content.better[metric] + " is better) against " +
      (byInterval ? "the forcing interval in units of the predictability time" : "training time per seed") +
      ", one circle per method and system, none below the floor; open circles at the edge: the median run diverged. " +
      (points.length ? "" : "No method of this selection has such a number.");
    if (!points.length) return;
    const lower = content.better[metric] === "lower";
    // An estimate below the floor, which may be negative, is as good as the floor, and is drawn there.
    const height = (group) => (lower && group.floor > group.median ? group.floor : group.median);
    const logarithmic = known.every((group) => height(group) > 0);
    const scale = (values, low, high, log) => {
      const moved = values.map((value) => (log ? Math.log10(value) : value));
      const [least, most] = moved.length ? [Math.min(...moved), Math.max(...moved)] : [0, 1];
      const width = most > least ? most - least : 1;
      return { place: (value) => low + ((log ? Math.log10(value) : value) - least) / width * (high - low), least, most, log };
    };
    const across = scale(points.map(x), 70, 690, true);
    const up = scale(known.map(height), 270, 30, logarithmic);
    svg.append(drawn("line", { x1: 60, y1: 280, x2: 700, y2: 280 }), drawn("line", { x1: 60, y1: 20, x2: 60, y2: 280 }));
    for (const [axis, horizontal] of [[across, true], [up, false]]) {
      for (let step = 0; step <= 4; step += 1) {
        const moved = axis.least + (axis.most - axis.least) * step / 4;
        const value = axis.log ? 10 ** moved : moved;
        const at = axis.place(value);
        svg.append(
          horizontal
            ? drawn("text", { x: at, y: 298, "text-anchor": "middle" }, number(value))
            : drawn("text", { x: 54, y: at + 4, "text-anchor": "end" }, number(value)),
        );
      }
    }
    const label = byInterval ? "forcing interval [tau_pred]" : "training per seed [s]";
    svg.append(drawn("text", { x: 380, y: 316, "text-anchor": "middle" }, label));
    svg.append(drawn("text", { x: 60, y: 14 }, name + " [" + content.units[metric] + "]"));
    for (const group of points.slice(0, 3000)) {
      const lost = group.median === null;
      const edge = content.better[metric] === "higher" ? 276 : 24;
      const circle = drawn("circle", {
        cx: across.place(x(group)), cy: lost ? edge : up.place(height(group)), r: 4, class: lost ? "lost" : "run",
      });
      circle.append(drawn("title", {}, kind(group.trainer) + " on " + kind(group.model) + ", " + group.system + ": " + number(group.median)));
      svg.append(circle);
    }
  }

  function showStandings() {
    const found = content.overall;
    if (!found) {
      byId("ranking-note").textContent = "Fewer than two systems have the same methods, so there is no ranking over systems.";
      return;
    }
    byId("ranking-note").textContent =
      "Over " + found.boards.length + " systems, by " + found.metrics.join(", ").replaceAll("_", " ") + ". " + content.legend +
      " Bars: the open ranks on these systems (wide) and on systems like these (narrow). A line begins a tier.";
    byId("shared").replaceChildren(...content.shared.map((text) => element("li", text)));
    byId("shared").parentElement.hidden = content.shared.length === 0;
    const count = found.standings.length;
    const head = element("tr");
    for (const text of ["tier", "ranks", "on systems like these", "open ranks", "model", "trainer", "wins [%]", "lost [%]"]) {
      const words = ["open ranks", "model", "trainer"].includes(text);
      head.append(element("th", text, words ? { scope: "col" } : { scope: "col", "data-number": "" }));
    }
    const top = element("thead");
    top.append(head);
    const body = element("tbody");
    let tier = 0;
    const between = ([low, high]) => (low === high ? String(low) : low + "\u2013" + high);
    for (const one of found.standings) {
      const row = element("tr", null, one.tier !== tier ? { class: "tier" } : {});
      tier = one.tier;
      row.append(element("td", one.tier, { class: "number" }), element("td", between(one.on_these), { class: "number" }));
      row.append(element("td", between(one.on_others), { class: "number" }));
      const cell = element("td");
      const bar = element("div", null, { class: "bar", "aria-hidden": "true" });
      for (const [range, name] of [[one.on_these, "these"], [one.on_others, "other"]]) {
        const part = element("span", null, { class: name });
        part.style.left = (100 * (range[0] - 1)) / count + "%";
        part.style.width = (100 * (range[1] - range[0] + 1)) / count + "%";
        bar.append(part);
      }
      cell.append(bar);
      row.append(cell, labelled(one.model), labelled(one.trainer));
      row.append(element("td", (100 * one.wins).toFixed(0), { class: "number" }));
      row.append(element("td", (100 * one.lost).toFixed(0), { class: "number" }));
      body.append(row);
    }
    byId("standings").replaceChildren(element("caption", "Best first"), top, body);
    if (found.missing.length) {
      const names = found.missing.map((one) => kind(one.trainer) + " on " + kind(one.model) + " (lacks " + one.boards.length + ")");
      byId("standings").after(element("p", "Not ranked, because they lack systems: " + names.join("; ")));
    }
  }

  function showSubmissions() {
    const head = element("tr");
    for (const text of ["submission", "level", "authors", "code", "saw before"]) head.append(element("th", text, { scope: "col" }));
    const top = element("thead");
    top.append(head);
    const body = element("tbody");
    for (const one of content.submissions) {
      const row = element("tr");
      row.append(element("td", one.folder), element("td", one.level), element("td", one.authors.join(", ")));
      row.append(element("td", one.code || "none, so it has no rank"), element("td", one.saw));
      body.append(row);
    }
    byId("submissions").replaceChildren(top, body);
  }
})().catch((error) => {
  const failure = document.getElementById("failure");
  failure.textContent = "This page cannot be shown: " + error.message;
  failure.hidden = false;
});
