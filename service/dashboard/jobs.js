// All jobs: how each stands, and the best that it has found.

import { href, read } from "./address.js";
import { aborted, get, post } from "./api.js";
import { confirmed } from "./confirm.js";
import { announce, clear, h } from "./dom.js";
import { nameOf, rowOf, STATES, tableOf } from "./jobrows.js";
import { empty, loading, problem } from "./states.js";

const PAGE = 25;
const SOON = 2_500;
const LATER = 15_000; // while every job has ended, only a new one can change anything
const MOST = 8;

/** Show the jobs of an address. */
export function mount(root, place) {
  const view = frame(root);
  Object.assign(view, { place, rows: new Map(), states: new Map(), chosen: new Map(), timer: 0, asked: null, at: null });
  view.acts = {
    choose: (job, chosen) => choose(view, job, chosen),
    cancel: (job) => cancel(view, job),
    retry: (job) => retry(view, job),
  };
  const back = () => document.hidden || refresh(view);
  document.addEventListener("visibilitychange", back);
  start(view);
  return {
    update: (next) => {
      view.place = next;
      start(view);
    },
    unmount: () => {
      document.removeEventListener("visibilitychange", back);
      view.asked?.abort();
      clearTimeout(view.timer);
    },
  };
}

function frame(root) {
  const view = {
    filter: h("div", { class: "filter", role: "group", "aria-label": "State" }),
    note: h("p", { class: "note", role: "status" }),
    list: h("div"),
    pages: h("nav", { class: "pages", "aria-label": "Pages" }),
    bar: h("section", { class: "chosen", "aria-label": "Fronts to compare", hidden: true }),
    body: h("tbody", { role: "rowgroup" }),
  };
  view.table = tableOf(view.body);
  view.more = h("a", { class: "button primary", href: href("submit") }, "Submit a job");
  root.append(
    h("div", { class: "head" }, h("h1", null, "Jobs"), view.more),
    view.filter,
    view.note,
    view.list,
    view.pages,
    view.bar,
  );
  return view;
}

/** Begin anew, with the filter and the page of the address. */
function start(view) {
  const wanted = view.place.params.get("state") ?? "";
  const link = (state, ...words) =>
    h("a", { href: href("jobs", null, { state }), "aria-current": wanted === state && "true" }, ...words);
  clear(view.filter).append(
    link("", "all"),
    ...Object.entries(STATES).map(([state, { symbol }]) => link(state, h("span", { "aria-hidden": "true" }, `${symbol} `), state)),
  );
  view.rows.clear();
  view.at = null;
  view.note.textContent = "";
  clear(view.pages);
  clear(view.list).append(loading("Loading jobs"));
  return refresh(view);
}

async function refresh(view) {
  clearTimeout(view.timer);
  view.asked?.abort();
  view.asked = new AbortController();
  const query = new URLSearchParams({ limit: String(PAGE) });
  for (const name of ["state", "cursor"]) {
    const value = view.place.params.get(name);
    if (value) query.set(name, value);
  }
  try {
    show(view, await get(`/v1/jobs?${query}`, { signal: view.asked.signal }));
  } catch (error) {
    if (!aborted(error)) fail(view, error);
  }
}

function show(view, { items, next_cursor: next }) {
  view.at = new Date();
  view.note.textContent = "";
  tellChanges(view, items);
  // Where there is no job at all, there is nothing to choose from but to submit one.
  view.filter.hidden = view.more.hidden = items.length === 0 && view.place.params.size === 0;
  if (items.length === 0) clear(view.list).append(nothing(view.place.params));
  else fill(view, items);
  showPages(view, next);
  again(view, items.some((job) => !STATES[job.state]?.ended) ? SOON : LATER);
}

/** Keep what is shown while the server is away, and say from when it is. */
function fail(view, error) {
  if (error.status === 401) return;
  if (view.at === null) {
    clear(view.list).append(problem(error, () => start(view)));
    return;
  }
  view.note.textContent = `Reconnecting; data from ${view.at.toLocaleTimeString()}.`;
  again(view, Math.max(SOON, 1000 * (error.retryAfter ?? 0)));
}

function again(view, milliseconds) {
  view.timer = setTimeout(() => document.hidden || refresh(view), milliseconds);
}

function fill(view, items) {
  const rows = items.map((job) => {
    const known = view.rows.get(job.id);
    if (known) known.update(job);
    else view.rows.set(job.id, rowOf(job, view.chosen.has(job.id), view.acts));
    return view.rows.get(job.id).node;
  });
  const there = [...view.body.children];
  if (rows.length !== there.length || rows.some((row, at) => row !== there[at])) view.body.replaceChildren(...rows);
  if (!view.table.isConnected) clear(view.list).append(view.table);
}

function tellChanges(view, items) {
  const changed = items.filter((job) => view.states.has(job.id) && view.states.get(job.id) !== job.state);
  for (const job of items) view.states.set(job.id, job.state);
  if (changed.length) announce(changed.map((job) => `${nameOf(job)}: ${job.state}`).join("; "));
}

function nothing(params) {
  if (params.get("cursor")) return empty("No older jobs", "This was the last page.", h("a", { class: "button", href: href("jobs") }, "Newest jobs"));
  const state = params.get("state");
  if (state) return empty(`No job is ${state}`, "Jobs in other states are not shown here.", h("a", { class: "button", href: href("jobs") }, "All jobs"));
  return empty(
    "No jobs yet",
    "A job takes a backbone, a data set and a budget of GMACs. Its trials trace the front: the best accuracy for every cost. Then choose one architecture of it.",
    h("a", { class: "button primary", href: href("submit") }, "Submit the first job"),
  );
}

function showPages(view, next) {
  const { params } = view.place;
  const state = params.get("state");
  view.pages.replaceChildren(
    ...[
      params.get("cursor") && h("a", { href: href("jobs", null, { state }) }, "← Newest"),
      next && h("a", { href: href("jobs", null, { state, cursor: next }) }, "Older →"),
    ].filter(Boolean),
  );
}

function choose(view, job, chosen) {
  if (chosen) view.chosen.set(job.id, nameOf(job));
  else view.chosen.delete(job.id);
  showChosen(view);
}

function showChosen(view) {
  const ids = [...view.chosen.keys()];
  const enough = ids.length >= 2 && ids.length <= MOST;
  const words = ids.length < 2 ? "Choose one more front to lay over it." : `At most ${MOST} fronts fit over one another.`;
  view.bar.hidden = ids.length === 0;
  clear(view.bar).append(
    h("span", null, `${ids.length} chosen`),
    enough
      ? h("a", { class: "button primary", href: href("fronts", null, { job: ids }) }, "Lay the fronts over one another")
      : h("span", { class: "dim" }, words),
    h("button", { type: "button", class: "quiet", on: { click: () => chooseNone(view) } }, "Clear"),
  );
}

function chooseNone(view) {
  view.chosen.clear();
  for (const row of view.rows.values()) row.release();
  showChosen(view);
  view.body.querySelector("input")?.focus();
}

async function cancel(view, job) {
  const text = `${kept(job)}A cancelled job cannot be taken up again.`;
  if (await confirmed(`Cancel ${nameOf(job)}?`, text, "Cancel the job", "Let it run")) await perform(view, job, "cancel");
}

async function retry(view, job) {
  const text = `${job.error ? `It failed: ${job.error.found}. ` : ""}${kept(job)}It is queued again.`;
  if (await confirmed(`Retry ${nameOf(job)}?`, text, "Retry the job", "Leave it")) await perform(view, job, "retry");
}

const kept = ({ trials_done: done }) => (done === 0 ? "" : `What its ${done} finished trials found stays. `);

async function perform(view, job, action) {
  try {
    const next = await post(`/v1/jobs/${job.id}:${action}`);
    view.rows.get(job.id)?.update(next);
    announce(`${nameOf(job)}: ${next.state}`);
  } catch (error) {
    view.list.before(problem(error));
  }
  // Where the reader has gone on to another view, there is nothing to bring up to date.
  if (read().view === "jobs") refresh(view);
  const row = view.rows.get(job.id)?.node;
  (row?.querySelector("button") ?? row?.querySelector("a"))?.focus();
}
