// The axes of the parallel coordinates: which figures of a point, on which scale.

import { format } from "./dom.js";

const plain = (value) => Number(value.toPrecision(3)).toString();
const percent = (value) => (100 * value).toFixed(1);

/** One upright axis: from the least value of the points to the greatest, 0 to 1. */
export class Axis {
  constructor({ key, title, of, unit = "", factor = 1, log = false, text = plain }, points) {
    Object.assign(this, { key, title, of, unit, factor, log, text });
    const values = points.map(of).filter((value) => this.#knows(value));
    this.used = values.length > 0;
    const least = values.reduce((a, b) => Math.min(a, b), Infinity);
    const most = values.reduce((a, b) => Math.max(a, b), -Infinity);
    const room = least < most ? 0 : Math.abs(least) / 2 || 1;
    this.ends = log ? [least / (room ? 2 : 1), most * (room ? 2 : 1)] : [least - room, most + room];
    this.range = null; // what is brushed: [from, to], in the values' own unit
  }

  #knows(value) {
    return Number.isFinite(value) && (!this.log || value > 0);
  }

  /** How far up a value stands; null where it is unknown. */
  at(value) {
    if (!this.#knows(value)) return null;
    const [low, high] = this.ends.map((end) => this.#scaled(end));
    return (this.#scaled(value) - low) / (high - low);
  }

  /** The value that stands so far up. */
  value(share) {
    const [low, high] = this.ends.map((end) => this.#scaled(end));
    const found = low + Math.min(1, Math.max(0, share)) * (high - low);
    return this.log ? 10 ** found : found;
  }

  #scaled(value) {
    return this.log ? Math.log10(value) : value;
  }

  /** Whether a point lies within what is brushed. */
  admits(point) {
    if (!this.range) return true;
    const value = this.of(point);
    return Number.isFinite(value) && value >= this.range[0] && value <= this.range[1];
  }

  /** Both ends and the middle, with their words. */
  ticks() {
    return [0, 0.5, 1].map((share) => ({ share, text: this.text(this.value(share)) }));
  }
}

/** The axes that say something about these points: cost, accuracy, λ, and a size a group. */
export function axesOf(points, groups) {
  const known = [
    { key: "gmacs", title: "GMACs", of: (point) => point.gmacs, text: (value) => format.gmacs(value) },
    { key: "accuracy", title: "Accuracy", of: (point) => point.val_accuracy, unit: "%", factor: 100, text: percent },
    { key: "lam", title: "λ", of: (point) => point.lam, log: true },
    ...groups.map(({ name, sites }) => ({
      key: `size ${name}`,
      title: name,
      unit: "px",
      of: (point) => side(point.sizes?.[sites[0]]),
    })),
  ];
  return known.map((axis) => new Axis(axis, points)).filter((axis) => axis.used);
}

/** The side of the square that is as large as a map. */
const side = (size) => (size ? Math.sqrt(size[0] * size[1]) : null);
