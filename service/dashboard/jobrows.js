// One row for each job, which changes in place, so that a refresh takes nobody's focus away.

import { href } from "./address.js";
import { format, h } from "./dom.js";

/** States of a job: a symbol, which is not needed to tell them apart, and whether it has ended. */
export const STATES = {
  queued: { symbol: "○", ended: false },
  running: { symbol: "◐", ended: false },
  cancelling: { symbol: "◌", ended: false },
  succeeded: { symbol: "●", ended: true },
  failed: { symbol: "✕", ended: true },
  cancelled: { symbol: "–", ended: true },
};

/** What a job is called. */
export const nameOf = (job) => `${job.spec.backbone} on ${job.spec.dataset}`;

/** A state as its symbol and its word. */
export function stateMark(state) {
  const symbol = STATES[state]?.symbol ?? "·";
  return h("span", { class: "job-state", dataset: { state } }, h("span", { "aria-hidden": "true" }, symbol), ` ${state}`);
}

/** The table without its rows; the roles keep it a table where CSS lays it out as cards. */
export function tableOf(body) {
  const head = ["Compare", "Job", "State", "Budget, GMACs", "Best under the budget", "Trials", "Time left", "Created", "Actions"];
  const cells = head.map((text) =>
    h("th", { scope: "col", role: "columnheader" }, h("span", { class: QUIET.has(text) && "unseen" }, text)),
  );
  return h(
    "table",
    { class: "jobs", role: "table" },
    h("caption", { class: "unseen" }, "Jobs, newest first; budgets and costs in GMACs"),
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, ...cells)),
    body,
  );
}

const QUIET = new Set(["Compare", "Actions"]);

/** A row: `{node, update(job)}`; `acts` has `choose(job, chosen)`, `cancel(job)`, `retry(job)`. */
export function rowOf(first, chosen, acts) {
  let job = first;
  const box = h("input", {
    type: "checkbox",
    checked: chosen,
    "aria-label": `Compare the front of ${nameOf(first)}, created ${format.date(first.created_at)}`,
    on: { change: () => acts.choose(job, box.checked) },
  });
  const cells = Object.fromEntries(
    ["standing", "budget", "best", "trials", "left", "created", "action"].map((name) => [name, cell(name)]),
  );
  const node = h(
    "tr",
    { role: "row", dataset: { id: first.id } },
    cell("choose", h("label", { class: "choose" }, box)),
    h("th", { scope: "row", role: "rowheader", class: "name" }, name(first)),
    ...Object.values(cells),
  );
  const update = (next) => {
    job = next;
    fill(cells, job);
    act(cells.action, job, () => job, acts);
  };
  update(first);
  return { node, update, release: () => (box.checked = false) };
}

function cell(name, ...children) {
  return h("td", { role: "cell", class: name }, ...children);
}

function name(job) {
  return h(
    "a",
    { href: href("job", job.id) },
    h("span", null, job.spec.backbone),
    h("span", { class: "dim" }, " on "),
    h("span", null, job.spec.dataset),
  );
}

function fill(cells, job) {
  put(cells.standing, job.state + why(job), stateMark(job.state), why(job) && h("span", { class: "why dim" }, why(job)));
  put(cells.budget, job.spec.budget_gmacs, format.gmacs(job.spec.budget_gmacs), unit());
  put(cells.best, JSON.stringify(job.best), ...best(job.best));
  put(cells.trials, `${job.trials_done}/${job.trials_total}`, ...progress(job));
  put(cells.left, job.seconds_left, ...left(job));
  put(cells.created, job.created_at, h("time", { datetime: job.created_at }, format.date(job.created_at)));
}

/** Change what a cell says only where it says something else. */
function put(into, key, ...children) {
  if (into.dataset.key === String(key)) return;
  into.dataset.key = String(key);
  into.replaceChildren(...children.filter(Boolean));
}

/** Why it failed, or is not done yet; nothing where it went well all the same. */
function why({ error, state }) {
  if (!error || state === "succeeded") return "";
  return STATES[state]?.ended ? error.found : `tried again: ${error.found}`;
}

const unit = () => h("span", { class: "unit dim" }, " GMACs");

function best(point) {
  if (!point) return [h("span", { class: "dim" }, "–")];
  return [
    h("strong", null, format.share(point.val_accuracy)),
    h("span", { class: "dim" }, " at "),
    format.gmacs(point.gmacs),
    unit(),
  ];
}

function progress({ trials_done: done, trials_total: total }) {
  return [
    h("progress", { max: String(total || 1), value: done, "aria-label": "Trials done" }),
    h("span", null, `${done}/${total}`),
  ];
}

function left(job) {
  if (typeof job.seconds_left !== "number") return [];
  return [format.seconds(job.seconds_left), h("span", { class: "unit dim" }, " left")];
}

function act(into, job, present, acts) {
  const [word, perform] = doable(job.state, acts);
  if (into.dataset.word === word) return;
  into.dataset.word = word;
  into.replaceChildren();
  if (!word) return;
  const label = `${word} ${nameOf(job)}`;
  into.append(
    h("button", { type: "button", class: "quiet", "aria-label": label, on: { click: () => perform(present()) } }, word),
  );
}

function doable(state, acts) {
  if (state === "queued" || state === "running") return ["Cancel", acts.cancel];
  if (state === "failed") return ["Retry", acts.retry];
  return ["", null];
}
