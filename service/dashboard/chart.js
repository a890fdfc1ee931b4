// A plotly figure on the page: in the page's colours, with rings over the points that are chosen.
//
// Rings lie on a layer of their own above the figure, so that choosing one of thousands of points
// moves a ring and draws nothing again.

import { h, svg } from "./dom.js";
import { atMostEvery } from "./pace.js";
import * as theme from "./theme.js";

const CONFIG = { displaylogo: false, displayModeBar: false, responsive: false };
const PAPER = { text: "#1a1a1a", muted: "#555555", grid: "#e3e3e3", surface: "#ffffff" };

let loading = null;

/** Plotly, fetched when the first chart needs it. */
export function plotly() {
  loading ??= new Promise((done, fail) => {
    const script = document.createElement("script");
    script.src = document.getElementById("plotly").href;
    script.async = true;
    script.onload = () => done(globalThis.Plotly);
    script.onerror = () => {
      loading = null;
      script.remove();
      fail(new Error("The charts could not be loaded: the server did not answer. Try again"));
    };
    document.head.append(script);
  });
  return loading;
}

const charts = new Set();
theme.onchange(() => charts.forEach((chart) => chart.retheme()));

export class Chart {
  /**
   * @param {string} label what a reader who sees no pictures is told
   * @param {{onPoint?: (id: string, event: Event) => void, onHover?: (id: string|null) => void,
   *   heightOf?: (layout: object, width: number) => number}} on what happens to it, and how high it
   *   is at a width; else as the figure or the style sheet says
   */
  constructor(label, { onPoint, onHover, heightOf } = {}) {
    this.label = label;
    this.canvas = h("div", { class: "chart-canvas", role: "img", "aria-label": label });
    this.rings = svg("svg", { class: "chart-rings", "aria-hidden": "true" });
    this.node = h("div", { class: "chart" }, this.canvas, this.rings);
    this.on = { onPoint, onHover };
    this.heightOf = heightOf;
    this.places = new Map();
    this.marked = { selected: [], hovered: null };
    this.drawing = Promise.resolve();
    this.resized = new ResizeObserver(atMostEvery(60, () => this.resize()));
    charts.add(this);
  }

  /** Draws `figure` in place of the one before. */
  draw(figure, label) {
    this.figure = figure;
    if (label) this.canvas.setAttribute("aria-label", label);
    this.canvas.setAttribute("aria-busy", "true");
    const drawing = this.drawing.catch(() => {}).then(() => this.#draw());
    const done = () => {
      if (this.drawing === drawing) this.canvas.removeAttribute("aria-busy");
    };
    drawing.then(done, done);
    this.drawing = drawing;
    return drawing;
  }

  async #draw() {
    const Plotly = await plotly();
    if (!charts.has(this)) return;
    const known = this.canvas.on !== undefined;
    const { least_width: least } = this.figure.layout.meta ?? {};
    this.node.style.minWidth = least ? `${least}px` : ""; // its box scrolls where there is less
    await Plotly.react(this.canvas, this.figure.data, this.#layout(), CONFIG);
    if (!known) this.#listen();
    this.#locate();
  }

  #layout() {
    const layout = themed(untitled(this.figure.layout), colours());
    if (this.heightOf) layout.height = Math.round(this.heightOf(this.figure.layout, this.node.clientWidth));
    return layout;
  }

  #listen() {
    const id = (event) => [event.points?.[0]?.customdata].flat()[0] ?? null;
    this.canvas.on("plotly_click", (event) => {
      if (id(event)) this.on.onPoint?.(id(event), event.event);
    });
    this.canvas.on("plotly_hover", (event) => this.on.onHover?.(id(event)));
    this.canvas.on("plotly_unhover", () => this.on.onHover?.(null));
    this.canvas.on("plotly_afterplot", () => this.#locate());
    this.canvas.on("plotly_relayouting", () => this.#ring());
    this.resized.observe(this.node);
  }

  #locate() {
    this.places.clear();
    for (const trace of this.canvas._fullData ?? []) {
      if (!trace.customdata || trace.visible === false) continue;
      trace.customdata.forEach((id, at) => {
        this.places.set([id].flat()[0], [trace.x[at], trace.y[at]]);
      });
    }
    this.#ring();
  }

  /** Rings `selected` (named A and B) and `hovered`; ids that the figure has not are no error. */
  mark(selected, hovered = null) {
    this.marked = { selected, hovered };
    this.#ring();
  }

  #ring() {
    const { selected, hovered } = this.marked;
    const rings = selected.map((id, at) => this.#ringAt(id, selected.length > 1 ? "AB"[at] : ""));
    if (hovered && !selected.includes(hovered)) rings.push(this.#ringAt(hovered, null));
    this.rings.replaceChildren(...rings.filter(Boolean));
  }

  #ringAt(id, name) {
    const place = this.places.get(id);
    const axes = this.canvas._fullLayout;
    if (!place || !axes?.xaxis?.l2p) return null;
    const [across, up] = [axes.xaxis.d2p(place[0]), axes.yaxis.d2p(place[1])];
    const inside = across >= 0 && across <= axes.xaxis._length && up >= 0 && up <= axes.yaxis._length;
    if (!inside) return null;
    const at = `translate(${across + axes.xaxis._offset} ${up + axes.yaxis._offset})`;
    const word = name ? svg("text", { x: 12, y: -10 }, name) : null;
    const kind = name === null ? "ring ring-hovered" : "ring";
    return svg("g", { class: kind, transform: at }, svg("circle", { r: 10 }), word);
  }

  /** Fits the figure to the room that it has now. */
  resize() {
    if (!charts.has(this) || !this.canvas._fullLayout || !this.canvas.offsetWidth) return;
    if (this.heightOf) this.draw(this.figure);
    else globalThis.Plotly.Plots.resize(this.canvas);
  }

  /** Takes on the page's colours after they have changed. */
  retheme() {
    if (this.canvas._fullLayout) this.draw(this.figure);
  }

  /** The figure as a picture on white, `format` png or svg, as a data address. */
  async image(format, title) {
    const Plotly = await plotly();
    await this.drawing;
    const named = { ...this.figure.layout, title: { ...this.figure.layout.title, text: escaped(title) } };
    const layout = { ...themed(named, PAPER), paper_bgcolor: "#ffffff" };
    const size = { width: 1000, height: 640 };
    return Plotly.toImage({ data: this.figure.data, layout }, { format, scale: 2, ...size });
  }

  /** Forgets the figure; the chart is of no use afterwards. */
  dispose() {
    charts.delete(this);
    this.resized.disconnect();
    if (this.canvas._fullLayout) globalThis.Plotly.purge(this.canvas);
  }
}

/** What the style sheet says at this moment. */
function colours() {
  const style = getComputedStyle(document.documentElement);
  const of = (name, other) => style.getPropertyValue(name).trim() || other;
  return {
    text: of("--text", PAPER.text),
    muted: of("--muted", PAPER.muted),
    grid: of("--grid", PAPER.grid),
    surface: of("--surface", PAPER.surface),
  };
}

/** A text as plotly shows it letter by letter, whatever markup it holds. */
const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/** `layout` without its title, which stands over the chart in the page. */
function untitled(layout) {
  return { ...layout, title: { text: "" }, margin: { l: 8, r: 8, t: 16, b: 40 } };
}

/** `layout` with the page's colours, font and habits; the figure's own settings stay. */
function themed(layout, { text, muted, grid, surface }) {
  const family = getComputedStyle(document.body).fontFamily;
  const shown = {
    autosize: true,
    hovermode: "closest",
    uirevision: "kept", // a part that was zoomed into stays when new trials arrive
    ...layout,
    dragmode: globalThis.matchMedia("(pointer: coarse)").matches ? false : layout.dragmode ?? "zoom",
    font: { ...layout.font, family, size: 12, color: text },
    hoverlabel: {
      ...layout.hoverlabel,
      align: "left",
      bgcolor: surface,
      bordercolor: muted,
      font: { family, size: 12, color: text },
    },
  };
  const axes = new Set(["xaxis", "yaxis", ...Object.keys(layout).filter((key) => /^[xy]axis\d*$/.test(key))]);
  for (const axis of axes) {
    const given = layout[axis] ?? {};
    const line = { gridcolor: grid, zerolinecolor: grid, linecolor: grid };
    shown[axis] = { automargin: true, ...given, ...line, tickfont: { ...given.tickfont, color: muted } };
  }
  return shown;
}
