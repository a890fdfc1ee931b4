// Parallel coordinates: a line for every point across its figures, brushed by pointer or by number.

import { axesOf } from "./axes.js";
import { h, svg } from "./dom.js";
import { atMostEvery } from "./pace.js";
import { empty } from "./states.js";

const MOST_LINES = 2000;
const [TOP, BOTTOM, SIDE, HEIGHT] = [34, 26, 44, 320];
const LEAST_GAP = 92;
const REACH = 14; // pixels around an axis that brush it, and around a line that belong to it

export class Parallel {
  /** @param {{onSelect: (id: string, also: boolean) => void, onHover: (id: string|null) => void}} on */
  constructor({ onSelect, onHover }) {
    this.on = { onSelect, onHover };
    this.axes = [];
    this.points = [];
    this.picture = svg("svg", {
      class: "parallel",
      role: "img",
      on: {
        pointerdown: (event) => this.#press(event),
        pointermove: (event) => this.#move(event),
        pointerup: (event) => this.#release(event),
        pointercancel: () => this.#cancel(),
        pointerleave: () => this.on.onHover(null),
      },
    });
    this.told = h("p", { class: "parallel-told", role: "status" });
    this.typed = null; // the field that somebody types in
    const left = () => {
      this.typed = null;
    };
    this.fields = h("div", { class: "brushes", on: { focusout: left } });
    // Above the picture, so that thousands of lines are not painted again when one is lifted.
    this.over = svg("svg", { class: "parallel parallel-over", "aria-hidden": "true" });
    this.scroll = h("div", { class: "parallel-scroll" }, this.picture, this.over);
    this.node = h("div", { class: "settings" }, this.told, this.scroll, this.fields);
    this.redraw = atMostEvery(30, () => this.#draw());
    new ResizeObserver(this.redraw).observe(this.scroll);
  }

  /** Shows the points of the front as it stands, and keeps what is brushed. */
  show({ job, front, selected, hovered }) {
    this.marked = { selected: selected.map((point) => point.architecture_id), hovered };
    if (front === this.front) return this.mark(this.marked.selected, hovered);
    this.front = front;
    this.points = front.points;
    const before = new Map(this.axes.map((axis) => [axis.key, axis.range]));
    this.axes = axesOf(this.points, job.estimate.groups ?? []);
    for (const axis of this.axes) axis.range = before.get(axis.key) ?? null;
    const [efficient, beaten] = [this.points.filter((p) => !p.dominated), this.points.filter((p) => p.dominated)];
    const every = Math.max(1, Math.ceil(beaten.length / Math.max(1, MOST_LINES - efficient.length)));
    this.lines = [...beaten.filter((_, at) => at % every === 0), ...efficient].slice(-MOST_LINES);
    this.#offerFields();
    this.#draw();
  }

  /** Lifts the lines of these points out of the others. */
  mark(selected, hovered) {
    this.marked = { selected, hovered };
    if (!this.width) return;
    const lifted = [...selected, hovered].filter((id, at, all) => id && all.indexOf(id) === at);
    this.over.replaceChildren(
      ...lifted.map((id) => this.#lifted(id, selected.indexOf(id))).filter(Boolean),
    );
  }

  #lifted(id, at) {
    const point = this.points.find((one) => one.architecture_id === id);
    if (!point) return null;
    const kind = at < 0 ? "hovered" : `picked picked-${"ab"[at]}`;
    const ends = this.#ends(point);
    const word = at >= 0 && this.marked.selected.length > 1
      ? svg("text", { x: this.#x(0) - 14, y: ends[0]?.[1] ?? TOP, class: "letter" }, "AB"[at])
      : null;
    return svg("g", { class: kind }, svg("path", { d: this.#path(point) }), word);
  }

  #draw() {
    const few = this.points.length === 0 || this.axes.length === 0;
    this.scroll.hidden = this.fields.hidden = few;
    if (few) {
      this.told.replaceChildren(empty("No trial has completed yet", "Its settings appear here with the first one."));
      return;
    }
    this.width = Math.max(this.scroll.clientWidth, 2 * SIDE + LEAST_GAP * (this.axes.length - 1));
    for (const layer of [this.picture, this.over]) {
      layer.setAttribute("width", this.width);
      layer.setAttribute("height", HEIGHT);
    }
    this.picture.setAttribute("aria-label", `Parallel coordinates of ${this.points.length} points over ${this.axes.map((axis) => axis.title).join(", ")}`);
    const passing = new Set(this.lines.filter((point) => this.#passes(point)));
    const paths = (points) => points.map((point) => this.#path(point)).join("");
    this.picture.replaceChildren(
      svg("path", { class: "lines out", d: paths(this.lines.filter((point) => !passing.has(point))) }),
      svg("path", { class: "lines beaten", d: paths([...passing].filter((point) => point.dominated)) }),
      svg("path", { class: "lines", d: paths([...passing].filter((point) => !point.dominated)) }),
      ...this.axes.map((axis, at) => this.#axis(axis, at)),
    );
    this.mark(this.marked.selected, this.marked.hovered);
    this.#tell();
  }

  #axis(axis, at) {
    const x = this.#x(at);
    const brush = axis.range && axis.range.map((value) => this.#y(axis.at(this.#within(axis, value))));
    return svg(
      "g",
      { class: "axis", transform: `translate(${x} 0)` },
      svg("line", { y1: TOP, y2: HEIGHT - BOTTOM }),
      svg("text", { y: 14, class: "title" }, [axis.title, axis.unit].filter(Boolean).join(" ")),
      axis.ticks().map(({ share, text }) => svg("text", { x: 7, y: this.#y(share) + beside(share), class: "tick" }, text)),
      brush && svg("rect", { class: "brush", x: -6, width: 12, y: brush[1], height: Math.max(2, brush[0] - brush[1]) }),
      svg("rect", { class: "grip", x: -REACH, width: 2 * REACH, y: TOP - 8, height: HEIGHT - TOP - BOTTOM + 16, "data-axis": at }),
    );
  }

  #within(axis, value) {
    return Math.min(axis.ends[1], Math.max(axis.ends[0], value));
  }

  #x(at) {
    return SIDE + (at * (this.width - 2 * SIDE)) / Math.max(1, this.axes.length - 1);
  }

  #y(share) {
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM);
  }

  #ends(point) {
    const places = this.axes.map((axis, at) => [this.#x(at), axis.at(axis.of(point))]);
    return places.filter(([, share]) => share !== null).map(([x, share]) => [x, this.#y(share)]);
  }

  #path(point) {
    return this.#ends(point).map(([x, y], at) => `${at ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
  }

  #passes(point) {
    return this.axes.every((axis) => axis.admits(point));
  }

  #press(event) {
    const at = event.target.dataset.axis;
    if (at === undefined) return;
    event.preventDefault();
    this.picture.setPointerCapture(event.pointerId);
    this.brushing = { axis: this.axes[at], from: this.#share(event) };
  }

  #move(event) {
    if (!this.brushing) return this.on.onHover(this.#nearest(event)?.architecture_id ?? null);
    const { axis, from } = this.brushing;
    const to = this.#share(event);
    if (Math.abs(to - from) > 0.01) axis.range = [from, to].sort((a, b) => a - b).map((share) => axis.value(share));
    this.redraw();
  }

  #release(event) {
    if (!this.brushing) {
      const point = this.#nearest(event);
      if (point) this.on.onSelect(point.architecture_id, event.shiftKey);
      return;
    }
    const { axis, from } = this.brushing;
    if (Math.abs(this.#share(event) - from) <= 0.01) axis.range = null; // a click, no drag
    this.#cancel();
  }

  #cancel() {
    this.brushing = null;
    this.typed = null;
    this.#offerFields();
    this.redraw();
  }

  #place(event) {
    const box = this.picture.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  #share(event) {
    const [, y] = this.#place(event);
    return Math.min(1, Math.max(0, (HEIGHT - BOTTOM - y) / (HEIGHT - TOP - BOTTOM)));
  }

  /** The point whose line passes nearest to the pointer, of those that pass the brushes. */
  #nearest(event) {
    const [x, y] = this.#place(event);
    let [found, least] = [null, REACH];
    for (const point of this.lines) {
      const away = this.#passes(point) ? Math.abs(heightAt(this.#ends(point), x) - y) : Infinity;
      if (away <= least) [found, least] = [point, away];
    }
    return found;
  }

  #offerFields() {
    if (this.typed) return; // a number may be half written
    const held = this.fields.contains(document.activeElement) ? wordOf(document.activeElement) : null;
    const reset = () => {
      for (const axis of this.axes) axis.range = null;
      this.#cancel();
    };
    const clear = h("button", { type: "button", class: "quiet", on: { click: reset } }, "Clear all limits");
    this.fields.replaceChildren(...this.axes.map((axis) => this.#limits(axis)), clear);
    if (held) [...this.fields.querySelectorAll("input, button")].find((one) => wordOf(one) === held)?.focus();
  }

  #limits(axis) {
    const field = (end) => {
      const change = (event) => {
        this.typed = event.target;
        const present = this.axes.find((one) => one.key === axis.key); // new ones come with new points
        if (!present) return;
        const range = present.range ?? [-Infinity, Infinity];
        const typed = Number.parseFloat(event.target.value) / axis.factor;
        range[end] = Number.isFinite(typed) ? typed : [-Infinity, Infinity][end];
        present.range = range.some(Number.isFinite) ? range : null;
        this.redraw();
      };
      const value = axis.range && Number.isFinite(axis.range[end]) ? Number((axis.range[end] * axis.factor).toPrecision(3)) : "";
      const label = `${axis.title}, ${end ? "at most" : "at least"}`;
      return h("input", { type: "number", step: "any", placeholder: end ? "max" : "min", "aria-label": label, value, on: { input: change } });
    };
    const title = [axis.title, axis.unit].filter(Boolean).join(" ");
    return h("fieldset", null, h("legend", null, title), field(0), h("span", { "aria-hidden": "true" }, "–"), field(1));
  }

  #tell() {
    const count = this.points.filter((point) => this.#passes(point)).length;
    const left = this.lines.length < this.points.length ? ` ${this.lines.length} lines are drawn.` : "";
    this.told.textContent = `${count} of ${this.points.length} points lie within the limits.${left} Drag along an axis or type limits; a size is the side of the square that is as large.`;
  }

  dispose() {
    this.redraw.cancel();
  }
}

/** What a field or a button is called. */
const wordOf = (node) => node.getAttribute("aria-label") ?? node.textContent;

/** Where the text of a tick stands, so that no line that ends at the tick goes through it. */
const beside = (share) => (share === 0 ? 14 : share === 1 ? -4 : 4);

/** How high a line stands at `x`; infinitely high beside its ends. */
function heightAt(ends, x) {
  for (let at = 1; at < ends.length; at += 1) {
    const [[x0, y0], [x1, y1]] = [ends[at - 1], ends[at]];
    if (x >= x0 && x <= x1) return y0 + ((y1 - y0) * (x - x0)) / (x1 - x0);
  }
  return Infinity;
}
