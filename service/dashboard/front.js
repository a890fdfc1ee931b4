// The front as a chart, with what narrows it down.

import { Chart } from "./chart.js";
import { format, h } from "./dom.js";
import { empty } from "./states.js";

const WAIT = 400; // after a key press, before the server is asked

export class FrontPanel {
  /**
   * @param {{
   *   onSelect: (id: string, also: boolean) => void,
   *   onHover: (id: string|null) => void,
   *   onFilter: (filters: {dominated: boolean, max_gmacs: string, min_accuracy: string}) => void,
   * }} on
   */
  constructor({ onSelect, onHover, onFilter }) {
    this.on = { onFilter };
    this.chart = new Chart("The front", {
      onPoint: (id, event) => onSelect(id, event.shiftKey),
      onHover,
    });
    this.chart.node.classList.add("front-chart");
    this.dominated = h("input", { type: "checkbox", on: { change: () => this.#filter() } });
    this.most = this.#number({ min: "0" });
    this.least = this.#number({ min: "0", max: "100" });
    this.told = h("p", { class: "front-told", role: "status" });
    this.instead = h("div");
    this.node = h(
      "section",
      { class: "front-panel", "aria-label": "Front" },
      h("h2", null, "Accuracy against cost"),
      h(
        "form",
        { class: "filters", on: { submit: (event) => event.preventDefault() } },
        h("label", { class: "check" }, this.dominated, "dominated trials too"),
        h("label", null, "at most ", this.most, " GMACs"),
        h("label", null, "at least ", this.least, " % accuracy"),
      ),
      this.instead,
      this.chart.node,
      this.told,
    );
  }

  /** What is filtered now, as it stands in the address. */
  read() {
    const share = Number.parseFloat(this.least.value) / 100;
    return {
      dominated: this.dominated.checked,
      max_gmacs: Number(this.most.value) > 0 ? this.most.value : "",
      min_accuracy: share >= 0 && share <= 1 ? String(Number(share.toFixed(6))) : "",
    };
  }

  /** Puts the filters of the address into the fields, except where somebody types. */
  write({ dominated, max_gmacs: most, min_accuracy: least }) {
    this.dominated.checked = dominated;
    if (document.activeElement !== this.most) this.most.value = most;
    const percent = least === "" ? "" : String(Number((100 * least).toFixed(4)));
    if (document.activeElement !== this.least) this.least.value = percent;
  }

  /** Draws `figure` of `front`, or says why there is nothing; `limit` has the words for the best. */
  async show(figure, front, job, limit) {
    const none = front.points.length === 0;
    this.instead.replaceChildren(...(none ? [nothing(job, this.read())] : []));
    this.chart.node.hidden = none;
    this.told.textContent = none ? "" : said(front, limit);
    if (!none) await this.chart.draw(figure, said(front, limit));
  }

  /** Rings the chosen points. */
  mark(selected, hovered) {
    this.chart.mark(selected, hovered);
  }

  dispose() {
    clearTimeout(this.asking);
    this.chart.dispose();
  }

  #number(limits) {
    const typed = () => {
      clearTimeout(this.asking);
      this.asking = setTimeout(() => this.#filter(), WAIT);
    };
    const field = { type: "number", inputmode: "decimal", step: "any", placeholder: "any" };
    return h("input", { ...field, ...limits, on: { input: typed } });
  }

  #filter() {
    clearTimeout(this.asking);
    this.on.onFilter(this.read());
  }
}

/** The front in a sentence, for those who do not see it, and as a caption. */
function said(front, limit) {
  const efficient = front.points.filter((point) => !point.dominated);
  const beaten = front.points.length - efficient.length;
  const unknown = front.points.filter((point) => !Number.isFinite(point.val_accuracy)).length;
  const best = front.best_under_budget;
  const count = efficient.length === 1 ? "One point on the front" : `${efficient.length} points on the front`;
  return [
    beaten ? `${count}, ${beaten} dominated.` : `${count}.`,
    best
      ? `${limit.caption}: ${format.share(best.val_accuracy)} at ${format.gmacs(best.gmacs)} GMACs.`
      : limit.none,
    unknown ? `${unknown} without an accuracy that is a number: listed, not drawn.` : "",
    front.thinned ? `Of ${front.total} trials some dominated ones are left out here.` : "",
  ]
    .filter(Boolean)
    .join(" ");
}

const ENDED = ["succeeded", "failed", "cancelled"];

function nothing(job, filters) {
  if (filters.max_gmacs !== "" || filters.min_accuracy !== "") {
    return empty("No point passes the filters", "Raise the GMACs or lower the accuracy above.");
  }
  if (ENDED.includes(job.state)) {
    return empty("No trial has completed", `The job is ${job.state}; there is no front to see.`);
  }
  return empty("No trial has completed yet", "The front appears here with the first one, by itself.");
}
