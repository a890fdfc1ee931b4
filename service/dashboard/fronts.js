// Fronts of several jobs over one another.

import { href, replace } from "./address.js";
import { aborted, get } from "./api.js";
import { Chart } from "./chart.js";
import { format, h } from "./dom.js";
import { nameOf, stateMark } from "./jobrows.js";
import { empty, loading, problem } from "./states.js";

const [FEWEST, MOST] = [2, 8];
const LISTED = 100; // of the newest jobs, to be added

/** Shows the fronts of the jobs in an address, `job=A&job=B`. */
export function mount(root, place) {
  const view = {
    gone: new AbortController(),
    note: h("div", { role: "status" }),
    picker: h("div"),
    rows: h("div"),
    title: h("h1", { tabindex: "-1" }, "Fronts over one another"),
    jobOf: new Map(),
  };
  view.chart = new Chart("Fronts of several jobs", { onPoint: (id) => open(view, id) });
  view.chart.node.classList.add("front-chart");
  view.chart.node.hidden = true;
  const about = "Each stair is the front of one job. A click on a point opens it in its job.";
  root.append(
    h("div", { class: "fronts" }, view.title, h("p", { class: "dim" }, about),
      view.picker, view.note, view.chart.node, view.rows),
  );
  show(view, place);
  return {
    update: (next) => show(view, next),
    unmount: () => {
      view.gone.abort();
      view.chart.dispose();
    },
  };
}

async function show(view, place) {
  view.asked?.abort();
  view.asked = new AbortController();
  const signal = AbortSignal.any([view.gone.signal, view.asked.signal]);
  const ids = [...new Set(place.params.getAll("job"))];
  view.note.replaceChildren(loading("Loading the fronts"));
  try {
    const known = await Promise.all(ids.slice(0, MOST).map((id) => ofJob(id, signal)));
    signal.throwIfAborted();
    const found = known.filter(({ job }) => job);
    const told = [...known.filter(({ job }) => !job).map(missing), ids.length > MOST && tooMany(ids)];
    list(view, found);
    view.jobOf = new Map(found.flatMap(({ job, front }) => front.points.map((point) => [point.architecture_id, job.id])));
    await pick(view, found, signal);
    await draw(view, found, told.filter(Boolean), signal);
  } catch (error) {
    if (!aborted(error)) view.note.replaceChildren(problem(error, () => show(view, place)));
  }
}

async function draw(view, found, told, signal) {
  const enough = found.length >= FEWEST;
  view.chart.node.hidden = !enough;
  if (!enough) {
    const how = "Add jobs here, or choose them in the list of jobs.";
    const jobs = h("a", { class: "button", href: href("jobs") }, "See all jobs");
    view.note.replaceChildren(...told, empty("Two fronts at least", how, jobs));
    return;
  }
  const query = new URLSearchParams(found.map(({ job }) => ["job", job.id]));
  const figure = await get(`/v1/figures/fronts?${query}`, { signal });
  view.note.replaceChildren(...told);
  await view.chart.draw(figure, `Fronts of ${found.length} jobs: ${found.map(({ job }) => nameOf(job)).join("; ")}`);
}

/** A job and its front; of an id that is none's, only the id. */
async function ofJob(id, signal) {
  const path = `/v1/jobs/${encodeURIComponent(id)}`;
  try {
    const [job, front] = await Promise.all([get(path, { signal }), get(`${path}/front`, { signal })]);
    return { id, job, front };
  } catch (error) {
    if (error.status === 404) return { id };
    throw error;
  }
}

const missing = ({ id }) => h("p", { class: "dropped" }, `There is no job ${id}; it is left out.`);
const tooMany = (ids) => h("p", { class: "dropped" }, `Of ${ids.length} jobs the first ${MOST} are shown.`);

/** A field to add one of the newest jobs. */
async function pick(view, found, signal) {
  const { items } = await get(`/v1/jobs?limit=${LISTED}`, { signal });
  const ids = found.map(({ job }) => job.id);
  const more = items.filter((job) => !ids.includes(job.id) && job.trials_done > 0);
  const options = more.map((job) => h("option", { value: job.id }, `${nameOf(job)}, ${format.date(job.created_at)}`));
  const select = h("select", null, options);
  const add = (event) => {
    event.preventDefault();
    choose([...ids, select.value]);
  };
  const form = h("form", { class: "filters", on: { submit: add } },
    h("label", null, "One more job ", select), h("button", { type: "submit" }, "Add"));
  const full = ids.length >= MOST || more.length === 0;
  const held = view.picker.contains(document.activeElement);
  view.picker.replaceChildren(...(full ? [] : [form]));
  if (held) (full ? drops(view).at(-1) : select)?.focus();
}

function choose(ids) {
  replace(new URLSearchParams(ids.map((id) => ["job", id])), { entry: true });
}

/** The rows of what was found; who has left one out goes on at the one that has moved up. */
function list(view, found) {
  const at = drops(view).indexOf(document.activeElement);
  view.rows.replaceChildren(...(found.length ? [table(found), ...unlike(found)] : []));
  if (at >= 0) (drops(view)[at] ?? drops(view).at(-1) ?? view.title).focus();
}

const drops = (view) => [...view.rows.querySelectorAll("button")];

/** Whether their hypervolumes are measured from one corner, and can be compared. */
const areLike = (found) => new Set(found.map(({ front: { reference: r } }) => `${r.val_accuracy} ${r.gmacs}`)).size === 1;

function unlike(found) {
  if (areLike(found)) return [];
  const why = "Hypervolumes are left out: the most GMACs that can be reached differ between these jobs, and with them the corner that is measured from.";
  return [h("p", { class: "dim" }, why)];
}

function table(found) {
  const titles = ["Job", "State", "Points", "Cheapest", "Most accurate", "Best under its budget", "Hypervolume", ""];
  const ids = found.map(({ job }) => job.id);
  const like = areLike(found);
  const at = (point) => (point ? `${format.share(point.val_accuracy)} at ${format.gmacs(point.gmacs)}` : "–");
  const row = ({ job, front }) => {
    const drop = () => choose(ids.filter((id) => id !== job.id));
    const name = `${nameOf(job)}, ${format.date(job.created_at)}`;
    const cells = [stateMark(job.state), front.points.length, at(front.points[0]), at(front.points.at(-1)),
      at(front.best_under_budget), like ? front.hypervolume.toPrecision(4) : "–",
      h("button", { type: "button", class: "quiet", "aria-label": `Leave out ${name}`, on: { click: drop } }, "×")];
    return h("tr", null, h("th", { scope: "row" }, h("a", { href: href("job", job.id) }, name)), cells.map((cell) => h("td", null, cell)));
  };
  const label = "The jobs; accuracy at GMACs";
  return h(
    "div",
    { class: "table-scroll", tabindex: "0", role: "region", "aria-label": label },
    h("table", { "aria-label": label },
      h("thead", null, h("tr", null, titles.map((title) => (title ? h("th", { scope: "col" }, title) : h("td"))))),
      h("tbody", null, found.map(row))),
  );
}

function open(view, id) {
  const job = view.jobOf.get(id);
  if (job) location.hash = href("job", job, { select: id });
}
