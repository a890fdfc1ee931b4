// How trials learn: loss, accuracy, GMACs and strides over epochs, while they run.

import { get } from "./api.js";
import { atMostEvery, Chart } from "./chart.js";
import { format, h } from "./dom.js";
import { empty, loading, problem } from "./states.js";

const PERIOD = 2000;
const MOST_TRIALS = 12;

export class Curves {
  constructor(jobId) {
    this.base = `/v1/jobs/${encodeURIComponent(jobId)}`;
    this.chart = new Chart("Loss, accuracy, GMACs and strides over epochs");
    this.chart.node.classList.add("curves-chart");
    this.all = h("input", { type: "checkbox", on: { change: () => this.#ask() } });
    this.only = h("label", { class: "check" }, this.all, "only what is chosen");
    this.wanted = h("input", {
      type: "text",
      inputmode: "numeric",
      placeholder: "running and best",
      on: { change: () => this.#ask() },
    });
    this.state = h("div", null, loading("Drawing"));
    this.trials = h("div");
    this.node = h(
      "div",
      { class: "curves" },
      h("form", { class: "filters", on: { submit: (event) => event.preventDefault() } },
        h("label", null, "trials ", this.wanted), this.only),
      this.state,
      this.chart.node,
      this.trials,
    );
    this.refresh = atMostEvery(PERIOD, () => this.#ask());
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

  async #ask() {
    const query = new URLSearchParams(this.#numbers().map((number) => ["trial", number]));
    try {
      const [figure, trials] = await Promise.all([
        get(`${this.base}/figures/curves?${query}`),
        get(`${this.base}/trials?limit=100`),
      ]);
      const none = figure.data.length === 0;
      this.state.replaceChildren(...(none ? [nothing()] : []));
      this.chart.node.hidden = none;
      this.trials.replaceChildren(...(trials.items.length ? [trialTable(trials)] : []));
      if (!none) await this.chart.draw(figure);
    } catch (error) {
      this.chart.node.hidden = true;
      this.state.replaceChildren(problem(error, () => this.#ask()));
    }
  }

  dispose() {
    this.refresh.cancel();
    this.chart.dispose();
  }
}

const nothing = () =>
  empty("No epoch has ended yet", "The curves appear here with the first one, by themselves.");

function trialTable({ items, next_cursor: more }) {
  const row = (trial) => [
    trial.number,
    standing(trial),
    trial.aim ?? "–",
    format.share(trial.val_accuracy ?? trial.progress?.val_accuracy),
    format.gmacs(trial.gmacs ?? trial.progress?.gmacs),
    trial.reason ?? "",
  ];
  const titles = ["Trial", "State", "Aim", "Accuracy", "GMACs", "Why it ended"];
  return h(
    "details",
    { class: "trials", open: items.some((trial) => trial.state === "failed") },
    h("summary", null, more ? "The first 100 trials as a table" : "Trials as a table"),
    h(
      "div",
      { class: "table-scroll", tabindex: "0", role: "region", "aria-label": "Trials" },
      h(
        "table",
        null,
        h("thead", null, h("tr", null, titles.map((title) => h("th", { scope: "col" }, title)))),
        h("tbody", null, items.map((trial) => h("tr", null, row(trial).map((text) => h("td", null, text))))),
      ),
    ),
  );
}

function standing(trial) {
  const { epoch, epochs, phase } = trial.progress ?? {};
  return trial.state === "running" && epochs ? `${phase}, epoch ${epoch} of ${epochs}` : trial.state;
}
