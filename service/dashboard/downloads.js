// Taking an architecture along: as a network file, as JSON, the front as CSV, the chart as a picture.

import { blob, get, post } from "./api.js";
import { announce, format, h } from "./dom.js";
import { nameOf } from "./jobrows.js";
import { heading } from "./ladder.js";
import { copyable, snippets } from "./snippets.js";
import { empty } from "./states.js";

const FORMATS = [
  ["onnx", "ONNX", "for other runtimes, on phones and servers"],
  ["safetensors", "safetensors", "the weights, to be loaded in Python"],
  ["pt2", "pt2", "for torch.export.load, without this library"],
];
const PERIOD = 700;

export class TakeIt {
  /** @param {{jobId: string, chart: import("./chart.js").Chart}} of whose front, and its chart */
  constructor({ jobId, chart }) {
    this.jobId = jobId;
    this.chart = chart;
    this.alive = new AbortController();
    this.network = h("div");
    this.code = h("div", { class: "snippets" });
    this.none = h("p", { class: "dim", role: "status" });
    this.whole = this.#wholeFront();
    this.node = h("div", { class: "take" }, this.network, this.whole, this.code);
    this.shown = null;
  }

  /** Offers the first of the points that are chosen, else the one that is offered. */
  show({ job, front, shown }) {
    this.front = front;
    this.title = nameOf(job);
    this.#allow();
    const key = shown.map((point) => point.architecture_id).join();
    if (key === this.shown) return;
    this.shown = key;
    if (shown.length === 0) {
      this.network.replaceChildren(empty("There is no architecture yet", "It can be taken along as soon as a trial has completed."));
      this.code.replaceChildren();
      return;
    }
    this.network.replaceChildren(...shown.map((point, at) => this.#one(point, shown.length > 1 ? "AB"[at] : "")));
    const asked = { origin: location.origin, jobId: this.jobId, architectureId: shown[0].architecture_id };
    this.code.replaceChildren(h("h3", null, "The same without this page"), ...snippets(asked).map(copyable));
  }

  #one(point, name) {
    const id = point.architecture_id;
    const json = async () => save(await get(`/v1/architectures/${encodeURIComponent(id)}`).then(asJson), `${fileName(point)}.json`);
    return h(
      "section",
      null,
      h("h3", null, heading(point, name)),
      h(
        "ul",
        { class: "downloads" },
        FORMATS.map(([kind, title, use]) => this.#button(title, use, (tell) => this.#export(id, kind, tell))),
        this.#button("JSON", "its sizes, strides and figures", json),
      ),
    );
  }

  #wholeFront() {
    const picture = (kind) => async () => {
      save(decoded(await this.chart.image(kind, this.title)), `front-${this.jobId.slice(0, 8)}.${kind}`);
    };
    const csv = () => save(new Blob([csvOf(this.front)], { type: "text/csv" }), `front-${this.jobId.slice(0, 8)}.csv`);
    return h(
      "section",
      null,
      h("h3", null, "The front"),
      this.none,
      h(
        "ul",
        { class: "downloads" },
        this.#button("CSV", "every point that is shown", csv),
        this.#button("PNG", "the chart as it stands", picture("png")),
        this.#button("SVG", "the chart, to be drawn at any size", picture("svg")),
      ),
    );
  }

  /** Offers to save the front only where there is one. */
  #allow() {
    const none = this.front.points.length === 0;
    this.none.hidden = !none;
    this.none.textContent = none ? "There is no front to save." : "";
    for (const button of this.whole.querySelectorAll("button")) {
      button.disabled = none || button.hasAttribute("aria-busy");
    }
  }

  #button(title, use, act) {
    const told = h("span", { class: "dim told", role: "status" }, use);
    const button = h("button", { type: "button" }, title);
    const tell = (text) => {
      told.textContent = text;
    };
    button.addEventListener("click", async () => {
      button.disabled = true;
      button.setAttribute("aria-busy", "true");
      try {
        tell("preparing …");
        await act(tell);
        tell("saved");
        announce(`${title} saved`);
      } catch (error) {
        if (!this.alive.signal.aborted) tell([error.detail ?? error.message, error.next_step].filter(Boolean).join(". "));
      } finally {
        button.removeAttribute("aria-busy");
        button.disabled = false;
        this.#allow();
      }
    });
    return h("li", null, button, told);
  }

  async #export(id, kind, tell) {
    const { signal } = this.alive;
    const headers = { "Idempotency-Key": crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}` };
    let made = await post(`/v1/architectures/${encodeURIComponent(id)}/exports`, { format: kind }, { headers, signal });
    for (const started = Date.now(); made.state === "queued" || made.state === "running"; ) {
      tell(`${made.state === "queued" ? "waiting for its turn" : "written and verified"}, ${format.seconds((Date.now() - started) / 1000)} …`);
      await pause(PERIOD, signal);
      made = await get(`/v1/exports/${encodeURIComponent(made.id)}`, { signal });
    }
    if (made.state !== "succeeded") {
      const { found = `It is ${made.state}`, next_step = "Ask for it again" } = made.error ?? {};
      throw new Error(`${found}. ${next_step}`);
    }
    tell(`fetching ${kilobytes(made.size)} …`);
    save(await blob(`/v1/exports/${encodeURIComponent(made.id)}/content`, { signal }), made.filename);
  }

  dispose() {
    this.alive.abort();
  }
}

const kilobytes = (size) => `${Math.max(1, Math.round((size ?? 0) / 1000))} kB`;
const asJson = (value) => new Blob([JSON.stringify(value, null, 2)], { type: "application/json" });
const fileName = (point) => `architecture-${point.architecture_id.slice(0, 8)}`;

/** What a data address holds. */
function decoded(address) {
  const [, type, base64, data] = /^data:([^;,]*)[^,]*?(;base64)?,(.*)$/s.exec(address);
  const bytes = base64 ? Uint8Array.from(atob(data), (one) => one.charCodeAt(0)) : decodeURIComponent(data);
  return new Blob([bytes], { type });
}

function pause(milliseconds, signal) {
  return new Promise((done, fail) => {
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      fail(signal.reason);
    }, { once: true });
  });
}

function save(content, name) {
  const source = URL.createObjectURL(content);
  h("a", { href: source, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(source), 60_000); // the browser may still be reading it
}

/** The points of a front, a row each, with a column for every site. */
export function csvOf({ points }) {
  const known = ["architecture_id", "trial", "gmacs", "val_accuracy", "spread", "test_accuracy", "lam", "aim", "resizer", "seed", "dominated"];
  const sites = [...new Set(points.flatMap((point) => Object.keys(point.sizes ?? {})))];
  const row = (point) => [
    ...known.map((name) => point[name]),
    ...sites.flatMap((site) => point.sizes?.[site] ?? ["", ""]),
  ];
  const titles = [...known, ...sites.flatMap((site) => [`${site} height`, `${site} width`])];
  return [titles, ...points.map(row)].map((cells) => `${cells.map(cell).join(",")}\r\n`).join("");
}

function cell(value) {
  const text = String(value ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
