// The shapes inside one architecture: every map to scale, and what every layer costs.

import { get } from "./api.js";
import { Chart } from "./chart.js";
import { format, h } from "./dom.js";
import { loading, problem } from "./states.js";
import { accuracyOf, aimOf } from "./table.js";

/** The tab "Shapes": of the chosen architectures, one beside the other. */
export class Shapes {
  constructor() {
    this.node = h("div", { class: "shapes" });
    this.shown = "";
    this.charts = [];
  }

  /** Shows the points that are chosen, else the one that is offered. */
  show({ shown }) {
    const key = shown.map((point) => point.architecture_id).join();
    if (key === this.shown) return;
    this.dispose();
    this.shown = key;
    this.node.replaceChildren(...shown.map((point, at) => this.#one(point, shown.length > 1 ? "AB"[at] : "")));
  }

  #one(point, name) {
    const base = `/v1/architectures/${encodeURIComponent(point.architecture_id)}`;
    const ladder = this.#figure(`${base}/figures/ladder`, "ladder-chart", "Every map to scale, the human design in outline", rowHeight);
    const layers = this.#figure(`${base}/figures/layers`, "layers-chart", "GMACs by layer beside the human design");
    const facts = h("dl", { class: "facts" }, factsOf(point, null));
    const list = h("details", { class: "maps" }, h("summary", null, "As a table"));
    const inside = h(
      "div",
      { class: "inside" },
      h("h4", null, "Maps, height × width to scale"),
      ladder,
      h("h4", null, "Cost by layer"),
      layers,
      list,
    );
    const article = h("article", { class: "shape" }, h("h3", null, heading(point, name)), facts, inside);
    profile(point.architecture_id).then(
      (known) => {
        facts.replaceChildren(...factsOf(point, known));
        list.append(mapsTable(known));
      },
      (error) => {
        // Of a network that cannot be built nothing can be drawn: that is said once.
        inside.replaceChildren(problem(error, () => article.replaceWith(this.#one(point, name))));
      },
    );
    return article;
  }

  #figure(path, kind, label, heightOf) {
    const chart = new Chart(label, { heightOf });
    chart.node.classList.add(kind);
    this.charts.push(chart);
    return fetched(chart, path);
  }

  dispose() {
    for (const chart of this.charts) chart.dispose();
    this.charts = [];
    this.shown = "";
  }
}

const [PAGE, AROUND] = [900, 180]; // a figure's height is meant for that width, so much around a row

/** How high a row of maps is at a width, so that they fill it. */
export function rowHeight({ height }, width) {
  return (height - AROUND) * Math.min(1.4, width / PAGE) + AROUND / 2;
}

/** `chart` with the figure at `path` as soon as that is there; until then, what goes on. */
export function fetched(chart, path) {
  const about = { class: "figure", tabindex: "0", role: "region", "aria-label": chart.label };
  const box = h("div", about, loading("Drawing"));
  const ask = async () => {
    box.replaceChildren(loading("Drawing"));
    try {
      const figure = await get(path);
      box.replaceChildren(chart.node);
      await chart.draw(figure);
    } catch (error) {
      box.replaceChildren(problem(error, ask));
    }
  };
  ask();
  return box;
}

const profiles = new Map();

/** The maps and costs of an architecture; it never changes, so it is asked for once. */
export function profile(id) {
  if (!profiles.has(id)) {
    const asked = get(`/v1/architectures/${encodeURIComponent(id)}/profile`);
    asked.catch(() => profiles.delete(id));
    profiles.set(id, asked);
  }
  return profiles.get(id);
}

/** An architecture in a line. */
export function heading(point, name = "") {
  const words = `Trial ${point.trial}: ${format.share(point.val_accuracy)} at ${format.gmacs(point.gmacs)} GMACs`;
  return name ? [h("span", { class: "letter" }, name), words] : words;
}

function factsOf(point, known) {
  const human = known ? `${format.gmacs(known.human_gmacs)} GMACs` : "–";
  const part = known ? `${(known.gmacs / known.human_gmacs).toFixed(2)} of human` : "";
  const facts = [
    ["GMACs", [format.gmacs(point.gmacs), part].filter(Boolean).join(", ")],
    ["Human", human],
    ["Accuracy", accuracyOf(point)],
    ["Test", format.share(point.test_accuracy)],
    ["λ", aimOf(point)],
    ["Resizer", point.resizer],
    ["Seed", point.seed ?? "–"],
  ];
  return facts.map(([name, value]) => h("div", null, h("dt", null, name), h("dd", null, value)));
}

const sizeOf = (size) => (size ? `${size[0]}×${size[1]}` : "–");
const millions = (macs) => (macs === null || macs === undefined ? "–" : (macs / 1e6).toFixed(3));

function mapsTable(known) {
  const titles = ["Layer", "Kind", "Channels", "Size", "Human", "MMACs", "Human"];
  const row = (map) =>
    [map.name, map.kind, map.channels ?? "–", sizeOf(map.size), sizeOf(map.human_size), millions(map.macs), millions(map.human_macs)];
  return h(
    "div",
    { class: "table-scroll", tabindex: "0", role: "region", "aria-label": "Layers" },
    h(
      "table",
      null,
      h("thead", null, h("tr", null, titles.map((title) => h("th", { scope: "col" }, title)))),
      h("tbody", null, known.maps.map((map) => h("tr", null, row(map).map((text) => h("td", null, text))))),
    ),
  );
}
