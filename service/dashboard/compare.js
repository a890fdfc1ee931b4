// Two architectures beside each other: what they achieve, cost, and where their sizes differ.

import { Chart } from "./chart.js";
import { format, h } from "./dom.js";
import { fetched, heading, profile, rowHeight } from "./ladder.js";
import { empty, loading, problem } from "./states.js";
import { accuracyOf, aimOf } from "./table.js";

export class Compare {
  constructor() {
    this.node = h("div", { class: "compare" });
    this.shown = null;
    this.chart = null;
  }

  /** Compares the two that are chosen, or says how to choose them. */
  show({ selected }) {
    const key = selected.map((point) => point.architecture_id).join();
    if (key === this.shown) return;
    this.dispose();
    this.shown = key;
    if (selected.length < 2) {
      const how = "Press “Compare with…” above, then a point or a row. With Shift, a click or Enter does the same.";
      this.node.replaceChildren(empty("Choose two points", how));
      return;
    }
    this.#draw(...selected);
  }

  #draw(a, b) {
    this.chart = new Chart("The maps of both architectures to scale, one above the other", {
      heightOf: ({ height }, width) => 2 * rowHeight({ height: height / 2 + 40 }, width) + 60,
    });
    this.chart.node.classList.add("ladders-chart");
    const path = `/v1/figures/ladders?${new URLSearchParams({ a: a.architecture_id, b: b.architecture_id })}`;
    const sizes = h("div", null, loading("Comparing the sizes"));
    const inside = h(
      "div",
      { class: "inside" },
      h("h4", null, "Maps, height × width to scale"),
      fetched(this.chart, path),
      h("h4", null, "Where they differ"),
      sizes,
    );
    this.node.replaceChildren(h("h3", null, heading(a, "A")), h("h3", null, heading(b, "B")), figures(a, b), inside);
    Promise.all([profile(a.architecture_id), profile(b.architecture_id)]).then(
      ([one, other]) => sizes.replaceChildren(differences(one, other)),
      (error) => inside.replaceChildren(problem(error, () => this.#again(a, b))), // said once
    );
  }

  #again(a, b) {
    this.chart.dispose();
    this.#draw(a, b);
  }

  dispose() {
    this.chart?.dispose();
    this.chart = null;
    this.shown = null;
  }
}

function figures(a, b) {
  const rows = [
    ["Accuracy", accuracyOf(a), accuracyOf(b), points(b.val_accuracy, a.val_accuracy)],
    ["Test", format.share(a.test_accuracy), format.share(b.test_accuracy), points(b.test_accuracy, a.test_accuracy)],
    ["GMACs", format.gmacs(a.gmacs), format.gmacs(b.gmacs), times(b.gmacs, a.gmacs)],
    ["λ", aimOf(a), aimOf(b), ""],
    ["Resizer", a.resizer, b.resizer, a.resizer === b.resizer ? "the same" : "another"],
    ["Seed", a.seed ?? "–", b.seed ?? "–", a.seed === b.seed ? "the same" : "another"],
  ];
  const note = within(a, b);
  return h("div", null, table(["", "A", "B", "B against A"], rows, "A and B"), note && h("p", { class: "dim" }, note));
}

/** Whether a difference is more than chance, where the spread of both is known. */
function within(a, b) {
  const spread = Math.hypot(a.spread ?? NaN, b.spread ?? NaN);
  const apart = Math.abs(a.val_accuracy - b.val_accuracy);
  if (!Number.isFinite(spread)) return null;
  const measured = `They are ${(100 * apart).toFixed(1)} points apart; the standard error of that difference is ${(100 * spread).toFixed(1)}`;
  return apart <= 2 * spread ? `${measured}, so it may be chance.` : `${measured}.`;
}

function points(to, from) {
  if (!Number.isFinite(to) || !Number.isFinite(from)) return "–";
  return `${signed(100 * (to - from), 1)} points`;
}

const times = (to, from) => (from > 0 ? `× ${(to / from).toFixed(2)}` : "–");
const signed = (value, digits) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(digits)}`;

const sizeOf = (size) => (size ? `${size[0]}×${size[1]}` : "–");
const millions = (macs) => (Number.isFinite(macs) ? (macs / 1e6).toFixed(3) : "–");

/** Whether a map only follows the one before, such as a norm's. */
const isFree = ({ macs, human_macs: human }) => !macs && !human;

/** The layers whose maps have another size or cost, by name; those of one network only as well. */
function differences(one, other) {
  const [left, right] = [one, other].map(({ maps }) => new Map(maps.map((map) => [map.name, map])));
  const names = [...new Set([...left.keys(), ...right.keys()])].filter((name) => !isFree(left.get(name) ?? right.get(name)));
  const rows = names
    .map((name) => [name, left.get(name), right.get(name)])
    .filter(([, a, b]) => sizeOf(a?.size) !== sizeOf(b?.size) || a?.macs !== b?.macs)
    .map(([name, a, b]) => [
      name, sizeOf(a?.size), sizeOf(b?.size), sizeOf((a ?? b).human_size),
      millions(a?.macs), millions(b?.macs), a && b ? signed((b.macs - a.macs) / 1e6, 3) : "–",
    ]);
  if (rows.length === 0) return h("p", null, "Every map has the same size in both, and every layer the same cost.");
  const titles = ["Layer", "Size A", "Size B", "Human", "MMACs A", "MMACs B", "Difference"];
  const same = names.length - rows.length;
  const rest = same ? h("p", { class: "dim" }, `${same === 1 ? "One layer is" : `${same} layers are`} the same in both.`) : null;
  return h("div", null, table(titles, rows, "Differences by layer"), rest);
}

function table(titles, rows, label) {
  const line = ([first, ...others]) =>
    h("tr", null, h("th", { scope: "row" }, first), others.map((text) => h("td", null, text)));
  const title = (text) => (text ? h("th", { scope: "col" }, text) : h("td"));
  return h(
    "div",
    { class: "table-scroll", tabindex: "0", role: "region", "aria-label": label },
    h("table", { "aria-label": label }, h("thead", null, h("tr", null, titles.map(title))), h("tbody", null, rows.map(line))),
  );
}
