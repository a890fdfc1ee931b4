// Elements from values: text stays text, whatever it holds.

const SVG = "http://www.w3.org/2000/svg";

/** An element. Props: `class`, `on: {click}`, `dataset`, `style` (properties), any attribute. */
export function h(tag, props = null, ...children) {
  return filled(document.createElement(tag), props, children);
}

/** An element of a drawing; as `h`. */
export function svg(tag, props = null, ...children) {
  return filled(document.createElementNS(SVG, tag), props, children);
}

/** Take everything out of a node. */
export function clear(node) {
  node.replaceChildren();
  return node;
}

/** Say something to who listens rather than looks. */
export function announce(text) {
  const announcer = document.getElementById("announcer");
  announcer.textContent = "";
  // A text that was there already is not read again.
  requestAnimationFrame(() => {
    announcer.textContent = text;
  });
}

/** The figures of this page, as people write them. */
export const format = {
  gmacs: (value) => (known(value) ? significant(value) : "–"),
  share: (value) => (known(value) ? `${(100 * value).toFixed(1)} %` : "–"),
  milliseconds: (value) => (known(value) ? `${significant(value)} ms` : "–"),
  seconds: (value) => (known(value) ? duration(Math.round(value)) : "–"),
  date: (text) => (text ? moment(new Date(text)) : "–"),
};

function filled(node, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) set(node, name, value);
  node.append(...children.flat(Infinity).filter(shown).map(asNode));
  return node;
}

function set(node, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name === "on") for (const [event, act] of Object.entries(value)) node.addEventListener(event, act);
  else if (name === "dataset") Object.assign(node.dataset, value);
  else if (name === "style") for (const [property, to] of Object.entries(value)) node.style.setProperty(property, to);
  else if (name === "value" || name === "checked") node[name] = value;
  else node.setAttribute(name, value === true ? "" : String(value));
}

const shown = (child) => child !== null && child !== undefined && child !== false;
const asNode = (child) => (child instanceof Node ? child : document.createTextNode(String(child)));
const known = (value) => typeof value === "number" && Number.isFinite(value);

/** Four digits that count, as the command line has them. */
const significant = (value) => String(Number(value.toPrecision(4)));

function duration(seconds) {
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${minutes % 60} min`;
  return `${Math.round(hours / 24)} days`;
}

function moment(date) {
  if (Number.isNaN(date.getTime())) return "–";
  const time = date.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" });
  if (date.toDateString() === new Date().toDateString()) return time;
  return `${date.toLocaleDateString(undefined, { day: "numeric", month: "short", year: "numeric" })}, ${time}`;
}
