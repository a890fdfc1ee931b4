// Handing in a job: what is asked for, and beside it what that comes to.

import { go } from "./address.js";
import { aborted, get, post } from "./api.js";
import { budgetField } from "./budget.js";
import { announce, clear, format, h } from "./dom.js";
import { choice, field, fieldOf, number, numberIn, suggested, ticks, wordsOf } from "./fields.js";
import { loading, problem } from "./states.js";

const QUIET = 350; // milliseconds without typing after which the server is asked
const FIRST = { backbone: "vgg_small", dataset: "digits", resizer: "dynopool", strategy: "sweep" };

/** Show the form; parameters of the address fill it in. */
export async function mount(root, place) {
  const waiting = loading("Loading what there is to choose from");
  root.append(h("h1", null, "Submit a job"), waiting);
  const asked = new AbortController();
  const view = { root, asked, timers: {}, running: {}, fields: [], sent: null };
  load(view, place.params, waiting);
  return {
    update: () => {},
    unmount: () => {
      asked.abort();
      Object.values(view.timers).forEach(clearTimeout);
      Object.values(view.running).forEach((running) => running.abort());
    },
  };
}

async function load(view, params, waiting) {
  const names = ["backbones", "datasets", "resizers", "strategies"];
  try {
    const pages = await Promise.all(names.map((name) => get(`/v1/${name}`, { signal: view.asked.signal })));
    const lists = Object.fromEntries(names.map((name, at) => [name, pages[at].items]));
    view.lists = { ...lists, patterns: pages[0].patterns };
    waiting.remove();
    build(view, params);
    changed(view);
  } catch (error) {
    if (aborted(error)) return;
    waiting.replaceWith(problem(error, () => view.root.replaceChildren() || mount(view.root, { params })));
  }
}

function build(view, params) {
  const told = () => changed(view);
  const from = (name) => params.get(name) ?? FIRST[name];
  const number_ = (path, label, value, limits, hint) => field(path, label, number(value, limits, told), hint);
  const typed = () => told() || soon(view, "names", () => offer(view));
  view.backbone = suggested("backbone", "Backbone", from("backbone"), view.lists.backbones, typed);
  view.dataset = suggested("dataset", "Data set", from("dataset"), view.lists.datasets, told);
  view.budget = budgetField(Number(params.get("budget_gmacs")) || null, told);
  view.resizer = ticks("resizer", "Resizers", view.lists.resizers, params.getAll("resizer").concat(params.has("resizer") ? [] : FIRST.resizer), told);
  view.strategy = field("strategy", "Strategy", choice(view.lists.strategies, from("strategy"), told));
  view.trials = number_("trials", "Trials", null, { min: "1", max: "1000", placeholder: "by strategy" });
  view.epochs = number_("training/epochs", "Epochs of each", 15, { min: "1", max: "1000" });
  view.batch = number_("training/batch_size", "Batch size", 64, { min: "1", max: "8192" });
  view.seed = number_("seed", "Seed", 0, { min: "0" });
  view.fields = [view.backbone, view.dataset, view.budget, view.resizer, view.strategy, view.trials, view.epochs, view.batch, view.seed];
  view.answer = h("div");
  view.button = h("button", { type: "submit", class: "primary" }, "Submit the job");
  view.estimate = h("div", { class: "figures" });
  view.root.append(layout(view));
}

function layout(view) {
  const group = (...fields) => h("div", { class: "group" }, ...fields.map(({ node }) => node));
  return h(
    "form",
    { class: "submit", novalidate: true, on: { submit: (event) => submit(event, view) } },
    h(
      "div",
      { class: "form" },
      group(view.backbone, view.dataset),
      view.budget.node,
      group(view.strategy, view.trials),
      group(view.epochs, view.batch, view.seed),
      h("details", { class: "more" }, h("summary", null, "Resizers: what learns the sizes"), view.resizer.node),
    ),
    h(
      "aside",
      { class: "estimate", "aria-label": "What it comes to" },
      h("h2", null, "What it comes to"),
      view.estimate,
      view.answer,
      view.button,
    ),
  );
}

/** The thousand models of timm and torchvision are offered once a part of a name stands there. */
async function offer(view) {
  const text = view.backbone.control.value;
  const prefixes = (view.lists.patterns ?? []).map((pattern) => pattern.split("/")[0]);
  const [library, model] = text.split("/");
  if (!prefixes.includes(library) || model === undefined) return view.backbone.offer(view.lists.backbones);
  const match = model.includes("*") ? text : `${text}*`;
  const { items } = await get(`/v1/backbones?match=${encodeURIComponent(match)}`, { signal: ours(view, "names") });
  view.backbone.offer(items.slice(0, 100));
}

/** What stands in the form, as the server reads it. */
function specOf(view) {
  return {
    backbone: view.backbone.control.value.trim(),
    dataset: view.dataset.control.value.trim(),
    budget_gmacs: view.budget.value(),
    resizer: view.resizer.chosen(),
    strategy: view.strategy.control.value,
    trials: numberIn(view.trials.control),
    training: { epochs: numberIn(view.epochs.control), batch_size: numberIn(view.batch.control) },
    seed: numberIn(view.seed.control),
  };
}

function changed(view) {
  const about = (entries, name) => entries.find((entry) => entry.name === name)?.about ?? "";
  const spec = specOf(view);
  view.backbone.hint.textContent = about(view.lists.backbones, spec.backbone) || hintOf(view.lists.patterns);
  view.dataset.hint.textContent = about(view.lists.datasets, spec.dataset.split(":")[0]);
  view.strategy.hint.textContent = about(view.lists.strategies, spec.strategy);
  wait(view);
  soon(view, "estimate", () => estimate(view));
}

/** Say that an estimate is on its way; the one before stays until then. */
function wait(view) {
  view.estimate.setAttribute("aria-busy", "true");
  if (!view.estimate.hasChildNodes()) view.estimate.append(loading("Estimating"));
}

const hintOf = (patterns) => (patterns?.length ? `Also ${patterns.join(", ")}: type the first letters` : "");

/** Do something once the reader pauses; a mistake of it is told at its field. */
function soon(view, name, act) {
  clearTimeout(view.timers[name]);
  view.timers[name] = setTimeout(() => act().catch((error) => aborted(error) || complain(view, error)), QUIET);
}

/** A signal for one question of a kind; the one before is not waited for any more. */
function ours(view, name) {
  view.running[name]?.abort();
  view.running[name] = new AbortController();
  return view.running[name].signal;
}

/** Ask what can be reached, then what the job as it stands would come to. */
async function estimate(view) {
  const signal = ours(view, "estimate");
  const { backbone, dataset, resizer } = specOf(view);
  const reach = await post("/v1/estimates", { backbone, dataset, resizer }, { signal });
  view.budget.reach(reach);
  showEstimate(view, reach, null);
  const plan = await post("/v1/jobs?validate_only=true", specOf(view), { signal });
  for (const one of view.fields) one.complain();
  clear(view.answer);
  showEstimate(view, reach, plan.cost);
}

function showEstimate(view, reach, cost) {
  view.estimate.removeAttribute("aria-busy");
  const fact = (term, figure, more) => h("div", null, h("dt", null, term), h("dd", null, figure, h("span", { class: "dim" }, more)));
  const rows = [
    fact("Human", format.gmacs(reach.human_gmacs), " GMACs, as its authors made it"),
    fact("Can be reached", `${format.gmacs(reach.min_gmacs)} – ${format.gmacs(reach.max_gmacs)}`, " GMACs"),
    cost && fact("Training", String(cost.training_epochs), ` epochs: ${cost.trials} trials × ${cost.epochs}`),
    fact("Sizes to learn", String(reach.groups.length), ` of ${reach.input_size.slice(1).join("×")} pictures`),
  ];
  clear(view.estimate).append(h("dl", null, ...rows.filter(Boolean)));
}

/** Tell a problem where it is: at its field, or above the button. */
function complain(view, error) {
  view.estimate.removeAttribute("aria-busy");
  view.estimate.querySelector(".loading")?.remove();
  for (const one of view.fields) one.complain();
  clear(view.answer);
  const at = fieldOf(error, view.fields);
  if (at === null) return view.answer.append(problem(error));
  at.node.closest("details")?.setAttribute("open", "");
  at.complain(wordsOf(error), ...nearest(view, error));
  return at;
}

/** Buttons for the costs next to a budget that cannot be reached. */
function nearest(view, { min_gmacs: least, below_gmacs: below, above_gmacs: above }) {
  const costs = least ? [least * 1.001] : [below, above].filter(Boolean);
  return costs.map((gmacs) => {
    const text = String(Number(gmacs.toPrecision(4)));
    return h("button", { type: "button", class: "nearest", on: { click: () => view.budget.use(Number(text)) } }, `Use ${text}`);
  });
}

async function submit(event, view) {
  event.preventDefault();
  clearTimeout(view.timers.estimate);
  view.running.estimate?.abort();
  view.button.disabled = true;
  const spec = specOf(view);
  try {
    await post("/v1/jobs?validate_only=true", spec, { signal: view.asked.signal });
    const headers = { "Idempotency-Key": keyOf(view, JSON.stringify(spec)) };
    const job = await post("/v1/jobs", spec, { headers, signal: view.asked.signal });
    announce("The job is accepted");
    go({ view: "job", id: job.id });
  } catch (error) {
    if (aborted(error)) return;
    const at = complain(view, error);
    at?.control?.focus();
    announce(wordsOf(error));
  } finally {
    view.button.disabled = false;
  }
}

/** The same for the same job, so that pressing twice, or again after a lost answer, makes one. */
function keyOf(view, text) {
  if (view.sent?.text !== text) {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    view.sent = { text, key: Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("") };
  }
  return view.sent.key;
}
