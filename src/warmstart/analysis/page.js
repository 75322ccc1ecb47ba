"use strict";
// Pictures are drawn by Vega-Lite as SVG: those in sight at once, folded ones when they are opened.
// Their text is `currentColor`, so a change between light and dark needs nothing here.

async function draw(figure) {
  const place = figure.querySelector("div");
  if (place.dataset.drawn !== undefined) return;
  place.dataset.drawn = "";
  const spec = JSON.parse(figure.querySelector("script").textContent);
  const width = place.clientWidth;
  const narrow = { legend: { columns: 2 }, axisX: { titleAnchor: "end", titleLimit: width - 10 } };
  const config = width < 480 ? narrow : {};
  await vegaEmbed(place, spec, { renderer: "svg", actions: false, config });
  // one picture with one description, of which the table beside it has the numbers
  place.setAttribute("role", "img");
  place.querySelector("svg").setAttribute("aria-hidden", "true");
}

async function drawAll(within) {
  for (const figure of within.querySelectorAll("figure.chart")) {
    if (!figure.closest("details:not([open])")) await draw(figure);
  }
}

for (const details of document.querySelectorAll("details")) {
  details.addEventListener("toggle", () => drawAll(details));
}
drawAll(document);

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
