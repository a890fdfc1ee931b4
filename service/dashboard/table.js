// The front as a table: the same points, the same choice, for eyes, keyboard and screen reader.

import { clear, format, h } from "./dom.js";

const MOST_ROWS = 200; // more are there when asked for; a page of thousands of rows is slow

const COLUMNS = [
  { key: "gmacs", title: "GMACs", of: (point) => point.gmacs, text: (point) => format.gmacs(point.gmacs) },
  { key: "accuracy", title: "Accuracy", of: (point) => point.val_accuracy, text: accuracyOf },
  { key: "remark", title: "Remark", text: (point, front, limit) => wordsOf(point, front, limit).join(", ") },
  { key: "test", title: "Test", of: (point) => point.test_accuracy, text: (point) => format.share(point.test_accuracy) },
  { key: "aim", title: "λ", of: (point) => point.lam, text: aimOf },
  { key: "resizer", title: "Resizer", of: (point) => point.resizer, text: (point) => point.resizer },
  { key: "sizes", title: "Sizes", of: (point) => area(point.sizes), text: (point) => sizesOf(point.sizes) },
];

/** Validation accuracy, with one standard error where that is known. */
export function accuracyOf(point) {
  const known = Number.isFinite(point.val_accuracy) && Number.isFinite(point.spread);
  const spread = known ? ` ± ${(100 * point.spread).toFixed(1)}` : "";
  return format.share(point.val_accuracy) + spread;
}

/** What set the cost of a point: its λ, or the words of its plan. */
export function aimOf(point) {
  if (Number.isFinite(point.lam)) return Number(point.lam.toPrecision(3)).toString();
  return point.aim ?? "–";
}

/** Sizes by site, `32×32` where height and width are given. */
export function sizesOf(sizes) {
  const all = Object.values(sizes ?? {}).map(([height, width]) => `${height}×${width}`);
  return all.length ? all.join(" ") : "–";
}

/** What is special about a point, in words. */
function wordsOf(point, front, limit) {
  const is = (other) => other?.architecture_id === point.architecture_id;
  return [
    is(front.best_under_budget) && limit.name,
    is(front.knee) && "knee",
    point.dominated && "dominated",
  ].filter(Boolean);
}

const area = (sizes) => Object.values(sizes ?? {}).reduce((sum, [high, wide]) => sum + high * wide, 0);

export class FrontTable {
  /** @param {{onSelect: (id: string, also: boolean) => void, onHover: (id: string|null) => void}} on */
  constructor({ onSelect, onHover }) {
    this.on = { onSelect, onHover };
    this.sorted = { key: "gmacs", down: false };
    this.most = MOST_ROWS;
    this.rows = new Map();
    this.marked = { selected: [], hovered: null };
    this.head = h("tr");
    this.body = h("tbody", {
      on: {
        click: (event) => this.#choose(event, event.shiftKey),
        keydown: (event) => this.#key(event),
        mouseover: (event) => this.on.onHover(idOf(event)),
        mouseleave: () => this.on.onHover(null),
        focusin: (event) => this.on.onHover(idOf(event)),
        focusout: (event) => this.body.contains(event.relatedTarget) || this.on.onHover(null),
      },
    });
    this.more = h("p", { class: "table-more" });
    const grid = { class: "front-table", role: "grid", "aria-multiselectable": "true" };
    this.table = h(
      "table",
      { ...grid, "aria-label": "Points of the front; Enter chooses one, Shift and Enter a second" },
      h("thead", null, this.head),
      this.body,
    );
    this.node = h("div", { class: "table-scroll" }, this.table, this.more);
  }

  /** Shows the points of `front`, sorted as before; `limit` has the words for the best. */
  show(front, limit) {
    this.front = front;
    this.limit = limit;
    const several = new Set(front.points.map((point) => point.resizer)).size > 1;
    this.columns = COLUMNS.filter(({ key }) => key !== "resizer" || several);
    this.#draw();
  }

  /** Marks the rows of `selected` (A, B) and `hovered`. */
  mark(selected, hovered) {
    const before = this.marked;
    this.marked = { selected, hovered };
    if (selected.some((id) => !this.rows.has(id) && this.#lists(id))) this.#draw();
    for (const id of new Set([...before.selected, before.hovered, ...selected, hovered])) {
      if (this.rows.has(id)) this.#markRow(this.rows.get(id), id);
    }
    this.#rove();
    const fresh = selected.find((id) => !before.selected.includes(id));
    if (fresh) this.#bring(this.rows.get(fresh));
  }

  #lists(id) {
    return this.front.points.some((point) => point.architecture_id === id);
  }

  /** Scrolls the table, and nothing else, to where a row is seen. */
  #bring(row) {
    if (!row || row === document.activeElement) return;
    const [from, height] = [row.offsetTop - this.head.offsetHeight, this.node.clientHeight];
    const seen = from >= this.node.scrollTop && row.offsetTop + row.offsetHeight <= this.node.scrollTop + height;
    const above = Math.min(height / 3, height - this.head.offsetHeight - row.offsetHeight);
    if (!seen) this.node.scrollTop = from - Math.max(0, above);
  }

  #markRow(row, id) {
    const at = this.marked.selected.indexOf(id);
    row.setAttribute("aria-selected", String(at >= 0));
    row.classList.toggle("hovered", id === this.marked.hovered);
    const name = this.marked.selected.length > 1 ? "AB"[at] : "●";
    row.firstChild.textContent = at >= 0 ? name : "";
  }

  #draw() {
    const focused = this.body.contains(document.activeElement) && document.activeElement.dataset.id;
    const points = this.#ordered();
    const shown = points.filter(({ architecture_id: id }, at) => at < this.most || this.marked.selected.includes(id));
    this.rows.clear();
    clear(this.head);
    this.head.append(h("th", { scope: "col" }, h("span", { class: "unseen" }, "Chosen")));
    this.head.append(...this.columns.map((column) => this.#title(column)));
    const rows = shown.map((point) => this.#row(point));
    this.body.replaceChildren(...rows);
    this.#showMore(points.length);
    this.#rove();
    if (focused) this.rows.get(focused)?.focus();
  }

  #ordered() {
    const { of } = COLUMNS.find((column) => column.key === this.sorted.key);
    const way = this.sorted.down ? -1 : 1;
    const known = (value) => value !== null && value !== undefined && !Number.isNaN(value);
    return [...this.front.points].sort((one, other) => {
      const [a, b] = [of(one), of(other)];
      if (!known(a) || !known(b)) return known(b) - known(a); // what is unknown comes last
      return way * (a < b ? -1 : a > b ? 1 : 0);
    });
  }

  #title({ key, title, of }) {
    if (!of) return h("th", { scope: "col", class: `column-${key}` }, title);
    const { down } = this.sorted;
    const here = this.sorted.key === key;
    const sort = () => {
      this.sorted = { key, down: here ? !down : key === "accuracy" || key === "test" };
      this.#draw();
      this.head.querySelector(`[data-key="${key}"]`).focus();
    };
    const arrow = h("span", { class: "arrow", "aria-hidden": "true" }, here ? (down ? "↓" : "↑") : "");
    const button = h("button", { type: "button", class: "sort", dataset: { key }, on: { click: sort } }, title, arrow);
    const sorted = here ? (down ? "descending" : "ascending") : "none";
    return h("th", { scope: "col", class: `column-${key}`, "aria-sort": sorted }, button);
  }

  #row(point) {
    const id = point.architecture_id;
    const cells = this.columns.map(({ key, text }) => h("td", { class: `column-${key}` }, text(point, this.front, this.limit)));
    const row = h(
      "tr",
      { class: point.dominated ? "dominated" : "efficient", tabindex: "-1", dataset: { id } },
      h("td", { class: "pick" }),
      ...cells,
    );
    this.rows.set(id, row);
    this.#markRow(row, id);
    return row;
  }

  #showMore(total) {
    clear(this.more);
    if (total <= this.most) return;
    const all = () => {
      this.most += 5 * MOST_ROWS;
      this.#draw();
    };
    const button = h("button", { type: "button", class: "quiet", on: { click: all } }, "Show more");
    this.more.append(`The first ${this.most} of ${total} points. `, button);
  }

  /** One row alone is reached by Tab: the first chosen one, else the first. */
  #rove() {
    this.reached?.setAttribute("tabindex", "-1");
    const chosen = this.marked.selected.map((id) => this.rows.get(id)).find(Boolean);
    const focused = this.body.contains(document.activeElement) ? document.activeElement : null;
    this.reached = focused ?? chosen ?? this.body.firstElementChild;
    this.reached?.setAttribute("tabindex", "0");
  }

  #choose(event, also) {
    const id = idOf(event);
    if (id) this.on.onSelect(id, also);
  }

  #key(event) {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.#choose(event, event.shiftKey);
    }
    const row = event.target.closest("tr");
    const next = {
      ArrowDown: row.nextElementSibling,
      ArrowUp: row.previousElementSibling,
      Home: this.body.firstElementChild,
      End: this.body.lastElementChild,
    }[event.key];
    if (!next) return;
    event.preventDefault();
    next.focus();
    this.#rove();
  }
}

function idOf(event) {
  return event.target.closest?.("tr")?.dataset.id ?? null;
}
