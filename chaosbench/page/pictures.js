"use strict";
// Small pictures of single runs; the texts of the page are never read as markup.
const runPictures = (() => {
  const drawn = (name, attributes, text) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    if (text !== undefined) node.textContent = text;
    return node;
  };
  const number = (value) => String(Number(Number(value).toPrecision(3)));
  const [width, height, levels, first] = [160, 40, 64, 48];
  let pictures = null;

  // The block of data is parsed when the first picture is asked for.
  function all() {
    if (pictures === null) {
      try {
        pictures = JSON.parse(document.getElementById("pictures").textContent);
      } catch {
        pictures = {};
      }
    }
    return pictures;
  }

  function framed(label, parts) {
    const svg = drawn("svg", { class: "run", role: "img", viewBox: "0 0 " + width + " " + height, width, height });
    svg.append(drawn("title", {}, label), ...parts);
    const figure = document.createElement("figure");
    const caption = document.createElement("figcaption");
    caption.textContent = label;
    figure.className = "run";
    figure.append(svg, caption);
    return figure;
  }

  function series(name, [low, high, logarithmic, last, letters]) {
    const x = (index) => 2 + (width - 4) * (letters.length > 1 ? index / (letters.length - 1) : 0.5);
    const y = (letter) => height - 2 - (height - 4) * (letter.charCodeAt(0) - first) / (levels - 1);
    const parts = [];
    let line = [];
    const close = () => {
      if (line.length) parts.push(drawn("polyline", { points: line.join(" "), class: "curve" }));
      line = [];
    };
    [...letters].forEach((letter, index) => (letter === " " ? close() : line.push(x(index).toFixed(1) + "," + y(letter).toFixed(1))));
    close();
    const scale = logarithmic ? ", logarithmic" : "";
    return framed(name.replaceAll("_", " ") + " over " + last + " updates, " + number(low) + " to " + number(high) + scale, parts);
  }

  function orbits(name, values, floor) {
    const all = floor > 0 ? [...values, floor] : values;
    const logarithmic = all.every((value) => value > 0);
    const moved = (value) => (logarithmic ? Math.log(value) : value);
    const [least, most] = [Math.min(...all.map(moved)), Math.max(...all.map(moved))];
    const x = (value) => 6 + (width - 12) * (most > least ? (moved(value) - least) / (most - least) : 0.5);
    const parts = values.map((value) => drawn("circle", { cx: x(value).toFixed(1), cy: height / 2, r: 4 }));
    if (floor > 0) parts.unshift(drawn("line", { x1: x(floor), x2: x(floor), y1: 4, y2: height - 4 }));
    const truth = floor > 0 ? "; line: two true orbits" : "";
    return framed(name.replaceAll("_", " ") + " on each test orbit, " + values.map(number).join(", ") + truth, parts);
  }

  // What is drawn of a run: its series, else its scores on single test orbits; nothing where neither is stored.
  return (submission, run) => {
    const own = all()[submission + ":" + run.experiment.slice(0, 16) + ":" + run.seed];
    if (!own) return [];
    if (own.series) return Object.entries(own.series).map(([name, coded]) => series(name, coded));
    return Object.entries(own.orbits).map(([name, values]) => orbits(name, values, run[name + ".floor"] ?? 0));
  };
})();
