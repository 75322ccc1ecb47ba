"use strict";
// Pictures are drawn by Vega-Lite as SVG: those in sight at once, folded ones when they are opened.
// Their text is `currentColor`, so a change between light and dark needs nothing here.

const widths = new WeakMap();

/** As wide as its place: what stands alone by itself, views side by side in as many columns as fit. */
function fitted(spec, width) {
  spec.autosize = { type: "fit-x", contains: "padding", resize: true };
  return spec;
}

async function draw(figure) {
  const place = figure.querySelector("div");
  const width = Math.floor(place.clientWidth);
  if (!width || widths.get(figure) === width) return;
  widths.set(figure, width);
  const spec = JSON.parse(figure.querySelector("script").textContent);
  await vegaEmbed(place, fitted(spec, width), { renderer: "svg", actions: false });
  place.dataset.drawn = "";
}

const inSight = (figure) => !figure.closest("details:not([open])");

async function drawAll() {
  for (const figure of document.querySelectorAll("figure.chart")) {
    if (inSight(figure)) await draw(figure);
  }
}

for (const details of document.querySelectorAll("details")) {
  details.addEventListener("toggle", drawAll);
}

let waiting;
addEventListener("resize", () => {
  clearTimeout(waiting);
  waiting = setTimeout(drawAll, 200);
});
drawAll();

/** Once ascending, twice descending, three times as it was. */
function sort(header) {
  const table = header.closest("table");
  const body = table.tBodies[0];
  body.given ??= [...body.rows];
  const order = { none: "ascending", ascending: "descending", descending: "none" };
  const wanted = order[header.ariaSort ?? "none"];
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  const rows = [...body.given];
  if (wanted !== "none") {
    header.ariaSort = wanted;
    const sign = wanted === "ascending" ? 1 : -1;
    const value = ({ cells }) => {
      const cell = cells[header.cellIndex];
      return cell.dataset.value === undefined ? cell.textContent : Number(cell.dataset.value);
    };
    const missing = (v) => v === "–" || Number.isNaN(v);
    rows.sort((one, other) => {
      const [a, b] = [value(one), value(other)];
      if (missing(a) || missing(b)) return missing(a) - missing(b);
      if (typeof a === "number" && typeof b === "number") return sign * (a - b);
      return sign * String(a).localeCompare(String(b), "en", { numeric: true });
    });
  }
  body.append(...rows);
}

for (const header of document.querySelectorAll("thead th")) {
  header.querySelector("button").addEventListener("click", () => sort(header));
}
