// The page of one job: its front, what is chosen of it, and everything about the choice.

import { href, replace } from "./address.js";
import { aborted, get } from "./api.js";
import { Choice } from "./choice.js";
import { Compare } from "./compare.js";
import { Curves } from "./curves.js";
import { announce, h } from "./dom.js";
import { TakeIt } from "./downloads.js";
import { FrontPanel } from "./front.js";
import { JobHead } from "./jobhead.js";
import { STATES } from "./jobrows.js";
import { Shapes } from "./ladder.js";
import { limitOf } from "./limit.js";
import { follow } from "./live.js";
import { atMostEvery, oneAtATime } from "./pace.js";
import { Parallel } from "./parallel.js";
import { chosenOf, filtersOf, paramsOf, queryOf } from "./place.js";
import { Points } from "./selection.js";
import { loading, problem } from "./states.js";
import { FrontTable } from "./table.js";
import { Tabs } from "./tabs.js";

const TABS = [
  { key: "shapes", title: "Shapes" },
  { key: "curves", title: "Curves" },
  { key: "settings", title: "All settings" },
  { key: "compare", title: "Compare" },
  { key: "take", title: "Take it" },
];

/** Shows the job of an address. */
export function mount(root, place) {
  const page = new JobPage(place);
  root.append(page.node);
  page.start();
  return { update: (next) => page.update(next), unmount: () => page.dispose() };
}

class JobPage {
  constructor(place) {
    this.place = place;
    this.base = `/v1/jobs/${encodeURIComponent(place.id)}`;
    this.gone = new AbortController();
    this.hovered = null;
    this.selected = [];
    this.happened = 0;
    this.lost = false;
    this.stop = () => {};
    this.known = new Points(place.id, this.gone.signal);
    this.head = new JobHead((job) => this.#changed(job));
    const on = {
      onSelect: (id, also) => this.#select(id, also),
      onHover: (id) => this.#hover(id),
      onFilter: (filters) => this.#go({ filters }),
      onDrop: (id) => this.#choose(this.#ids().filter((other) => other !== id)),
      onClear: () => this.#choose([]),
    };
    this.on = on;
    this.front = new FrontPanel(on);
    this.table = new FrontTable(on);
    this.choice = new Choice(on);
    this.points = h("section", { class: "points", "aria-label": "Points" }, this.choice.node, this.table.node);
    this.tabs = new Tabs(TABS, (tab) => this.#go({ tab }));
    this.views = new Map();
    // One for each thing that can go wrong, so that none says what another one has to say.
    const notice = () => h("div", { role: "status" });
    this.notices = { job: notice(), front: notice(), choice: notice() };
    this.body = h("div", { class: "job-body" }, loading("Loading the front"));
    this.node = h("div", { class: "job" }, this.head.node, ...Object.values(this.notices), this.body);
    this.reload = oneAtATime(() => this.#refresh());
    this.refresh = atMostEvery(1000, this.reload);
    this.refreshJob = atMostEvery(2000, oneAtATime(() => this.#refreshJob()));
  }

  /** Loads everything for the first time: the job first, so that no event of it is missed. */
  async start() {
    try {
      const job = await this.#get(this.base);
      this.happened = job.events;
      this.#showJob(job);
      await this.#load();
      this.body.replaceChildren(
        h("div", { class: "overview" }, this.front.node, this.points),
        this.tabs.node,
      );
      await this.#show();
      this.#follow();
      if (this.#isNarrowed()) this.reload();
    } catch (error) {
      if (!aborted(error)) this.body.replaceChildren(...this.#failed(error));
    }
  }

  #failed(error) {
    const all = h("a", { class: "button", href: href("jobs") }, "See all jobs");
    if (error.status === 404) return [problem(error), all];
    return [problem(error, () => this.start())];
  }

  /** Goes to another place of the same job. */
  update(place) {
    this.place = place;
    if (!this.loaded) return;
    if (!this.#isNarrowed()) {
      this.#showChoice();
      return;
    }
    this.asked.abort();
    this.reload();
  }

  /** Whether the address asks for another part of the front than was asked for. */
  #isNarrowed() {
    return JSON.stringify(this.filters) !== JSON.stringify(filtersOf(this.place.params));
  }

  #get(path) {
    return get(path, { signal: this.gone.signal });
  }

  /** The front and its picture, as the address narrows them. */
  async #load() {
    this.filters = filtersOf(this.place.params);
    this.asked = new AbortController();
    const signal = AbortSignal.any([this.gone.signal, this.asked.signal]);
    const limit = limitOf(this.job.spec, this.filters);
    const query = queryOf(this.filters);
    const [front, figure] = await Promise.all([
      get(`${this.base}/front?${query}`, { signal }),
      get(`${this.base}/figures/front?${query}`, { signal }),
    ]);
    this.loaded = { front, figure, limit };
  }

  async #refresh() {
    try {
      await this.#load();
      this.notices.front.replaceChildren();
      await this.#show();
    } catch (error) {
      if (!aborted(error)) this.notices.front.replaceChildren(problem(error, this.reload));
    }
  }

  async #refreshJob() {
    const before = this.job;
    try {
      const job = await this.#get(this.base);
      this.notices.job.replaceChildren();
      if (this.job === before) this.#showJob(job);
      else this.refreshJob(); // it was cancelled or queued again meanwhile
    } catch (error) {
      if (!aborted(error) && error.status !== 0) this.notices.job.replaceChildren(problem(error));
    }
  }

  #showJob(job) {
    this.job = job;
    this.head.show(job);
  }

  async #show() {
    const { front, figure, limit } = this.loaded;
    this.front.write(filtersOf(this.place.params));
    this.points.hidden = front.points.length === 0;
    this.table.show(front, limit);
    const drawn = this.front.show(figure, front, this.job, limit);
    drawn.catch((error) => this.notices.front.replaceChildren(problem(error, () => this.#show())));
    await this.#showChoice();
  }

  /** Shows what the address chooses, and the tab, which waits for no answer about the choice. */
  async #showChoice() {
    const asked = chosenOf(this.place.params);
    if (this.views.size) this.#showTab();
    else this.tabs.show(this.place.params.get("tab")); // what it offers is not asked for in vain
    try {
      const answer = await this.known.find(asked, this.loaded.front);
      if (asked.join() === chosenOf(this.place.params).join()) this.#take(answer);
    } catch (error) {
      if (aborted(error)) return;
      this.notices.choice.replaceChildren(problem(error, () => this.#showChoice()));
    }
    const { front, limit } = this.loaded;
    this.choice.show({ front, selected: this.selected, limit });
    this.#mark();
    this.#showTab();
  }

  /** Takes up what was found of the choice, and says what there is not. */
  #take({ found, missing }) {
    this.selected = found;
    this.notices.choice.querySelector(".problem")?.remove();
    if (missing.length === 0) return;
    const text = `This job has no architecture ${missing.join(" and ")}; the choice goes on without it.`;
    this.notices.choice.replaceChildren(h("p", { class: "dropped" }, text));
    this.#choose(this.#ids(), { entry: false });
  }

  #showTab() {
    const key = this.tabs.show(this.place.params.get("tab"));
    if (!this.views.has(key)) {
      this.views.set(key, this.#view(key));
      this.tabs.panel(key).append(this.views.get(key).node);
    }
    const { front } = this.loaded;
    const offered = front.best_under_budget ?? front.knee ?? front.points[0];
    const shown = this.selected.length ? this.selected : [offered].filter(Boolean);
    const { job, selected, hovered, happened } = this;
    this.views.get(key).show({ job, front, selected, shown, hovered, happened });
  }

  #view(key) {
    if (key === "curves") return new Curves(this.job.id);
    if (key === "settings") return new Parallel(this.on);
    if (key === "compare") return new Compare();
    if (key === "take") return new TakeIt({ jobId: this.job.id, chart: this.front.chart });
    return new Shapes();
  }

  #mark() {
    const ids = this.#ids();
    for (const view of [this.front, this.table, this.views.get("settings")]) view?.mark(ids, this.hovered);
  }

  #ids() {
    return this.selected.map((point) => point.architecture_id);
  }

  #hover(id) {
    if (id === this.hovered) return;
    this.hovered = id;
    this.#mark();
  }

  #select(id, also) {
    const ids = this.#ids();
    const second = also || this.choice.waiting;
    if (ids.includes(id)) this.#choose(ids.filter((other) => other !== id));
    else if (second && ids.length) this.#choose([ids[0], id], { tab: this.choice.waiting ? "compare" : null });
    else this.#choose([id]);
  }

  #choose(ids, { entry = true, tab = null } = {}) {
    this.choice.wait(false);
    if (entry) this.notices.choice.replaceChildren();
    if (entry) announce(["Nothing is chosen", "One point is chosen", "Two points are chosen"][ids.length]);
    this.#go({ chosen: ids, ...(tab && { tab }) }, entry);
  }

  /** Changes the address, which in turn changes what is shown. */
  #go({ filters, chosen, tab }, entry = false) {
    const { params } = this.place;
    const next = paramsOf(filters ?? filtersOf(params), chosen ?? chosenOf(params), tab ?? params.get("tab"));
    replace(next, { entry });
  }

  #follow() {
    this.stop();
    if (STATES[this.job.state]?.ended) return;
    this.stop = follow(this.job.id, {
      after: this.happened,
      onEvent: (event) => this.#heard(event),
      onState: (line) => this.#line(line),
    });
  }

  #heard({ id, event }) {
    this.happened = id;
    this.refreshJob();
    if (event !== "epoch") this.refresh();
    if (this.tabs.open === "curves") this.#showTab();
  }

  #line(line) {
    this.head.showLine(line);
    const found = this.lost && (line.connected || line.ended);
    this.lost = !line.connected && !line.ended;
    if (found || line.ended) this.refreshJob();
    if (found) this.refresh();
  }

  #changed(job) {
    this.#showJob(job);
    this.#follow();
    this.refresh();
    this.refreshJob();
  }

  dispose() {
    this.stop();
    this.gone.abort();
    this.refresh.cancel();
    this.refreshJob.cancel();
    this.front.dispose();
    for (const view of this.views.values()) view.dispose();
  }
}
