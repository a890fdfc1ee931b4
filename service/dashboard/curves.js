// How trials learn: loss, accuracy, GMACs and strides over epochs, while they run.

import { aborted, get } from "./api.js";
import { Chart } from "./chart.js";
import { format, h } from "./dom.js";
import { atMostEvery, oneAtATime } from "./pace.js";
import { empty, loading, problem } from "./states.js";

const PERIOD = 2000;
const MOST_TRIALS = 12;

export class Curves {
  constructor(jobId) {
    this.base = `/v1/jobs/${encodeURIComponent(jobId)}`;
    this.chart = new Chart("Loss, accuracy, GMACs and strides over epochs");
    this.chart.node.classList.add("curves-chart");
    this.asked = new AbortController();
    this.all = h("input", { type: "checkbox", on: { change: () => this.#askNow() } });
    this.only = h("label", { class: "check" }, this.all, "only what is chosen");
    this.wanted = h("input", {
      type: "text",
      inputmode: "numeric",
      placeholder: "running and best",
      on: { change: () => this.#askNow() },
    });
    this.state = h("div", null, loading("Drawing"));
    this.trials = new TrialTable();
    this.node = h(
      "div",
      { class: "curves" },
      h("form", { class: "filters", on: { submit: (event) => event.preventDefault() } },
        h("label", null, "trials ", this.wanted), this.only),
      this.state,
      this.chart.node,
      this.trials.node,
    );
    this.ask = oneAtATime(() => this.#ask());
    this.refresh = atMostEvery(PERIOD, this.ask);
  }

  /** Shows the curves of this moment; asks again whenever something has happened since. */
  show({ selected, happened }) {
    this.selected = selected;
    const key = `${this.all.checked ? this.#numbers() : ""} ${happened}`;
    this.only.hidden = selected.length === 0;
    if (key !== this.shown) this.refresh();
    this.shown = key;
  }

  #numbers() {
    if (this.all.checked && this.selected.length) return this.selected.map((point) => point.trial);
    const typed = this.wanted.value.match(/\d+/g) ?? [];
    return [...new Set(typed.map(Number))].slice(0, MOST_TRIALS);
  }

  /** Asks for what the reader wants now; nobody waits for the answer to what was wanted before. */
  #askNow() {
    this.asked.abort();
    this.ask();
  }

  async #ask() {
    this.asked = new AbortController();
    const { signal } = this.asked;
    const query = new URLSearchParams(this.#numbers().map((number) => ["trial", number]));
    try {
      const [figure, trials] = await Promise.all([
        get(`${this.base}/figures/curves?${query}`, { signal }),
        get(`${this.base}/trials?limit=100`, { signal }),
      ]);
      const none = figure.data.length === 0;
      this.state.replaceChildren(...(none ? [nothing()] : []));
      this.chart.node.hidden = none;
      this.trials.show(trials);
      if (!none) await this.chart.draw(figure);
    } catch (error) {
      if (aborted(error)) return;
      this.chart.node.hidden = true;
      this.state.replaceChildren(problem(error, this.ask));
    }
  }

  dispose() {
    this.refresh.cancel();
    this.asked.abort();
    this.chart.dispose();
  }
}

const nothing = () =>
  empty("No epoch has ended yet", "The curves appear here with the first one, by themselves.");

const TITLES = ["Trial", "State", "Aim", "Accuracy", "GMACs", "Why it ended"];

/** The trials as a table, whose rows change while it stays open, or shut, as the reader left it. */
class TrialTable {
  constructor() {
    this.summary = h("summary");
    this.body = h("tbody");
    const head = h("thead", null, h("tr", null, TITLES.map((title) => h("th", { scope: "col" }, title))));
    const about = { class: "table-scroll", tabindex: "0", role: "region", "aria-label": "Trials" };
    this.node = h("details", { class: "trials", hidden: true }, this.summary, h("div", about, h("table", null, head, this.body)));
    this.opened = false;
  }

  /** Shows a page of trials; opens by itself once, when the first has failed. */
  show({ items, next_cursor: more }) {
    this.node.hidden = items.length === 0;
    this.summary.textContent = more ? "The first 100 trials as a table" : "Trials as a table";
    this.body.replaceChildren(...items.map(trialRow));
    if (this.opened || !items.some((trial) => trial.state === "failed")) return;
    this.opened = this.node.open = true;
  }
}

function trialRow(trial) {
  const cells = [
    trial.number,
    standing(trial),
    trial.aim ?? "–",
    format.share(trial.val_accuracy ?? trial.progress?.val_accuracy),
    format.gmacs(trial.gmacs ?? trial.progress?.gmacs),
    trial.reason ?? "",
  ];
  return h("tr", null, cells.map((text) => h("td", null, text)));
}

function standing(trial) {
  const { epoch, epochs, phase } = trial.progress ?? {};
  return trial.state === "running" && epochs ? `${phase}, epoch ${epoch} of ${epochs}` : trial.state;
}
