// What is chosen: one architecture, or two to compare; and the two that are offered.

import { format, h } from "./dom.js";

export class Choice {
  /**
   * @param {{onSelect: (id: string, also: boolean) => void, onDrop: (id: string) => void,
   *   onClear: () => void}} on
   */
  constructor({ onSelect, onDrop, onClear }) {
    this.on = { onSelect, onDrop, onClear };
    this.second = h("button", { type: "button", "aria-pressed": "false", on: { click: () => this.wait(!this.waiting) } }, "Compare with…");
    this.chips = h("ul", { class: "chips", "aria-label": "Chosen" });
    this.offers = h("div", { class: "actions" });
    this.told = h("p", { class: "dim", role: "status" });
    this.node = h("section", { class: "choice", "aria-label": "Choice" }, this.offers, this.chips, this.told);
    this.waiting = false;
  }

  /** Whether the next point that is chosen is the second of two. */
  wait(whether) {
    this.waiting = whether;
    this.second.setAttribute("aria-pressed", String(whether));
    this.#tell();
  }

  /** Shows what is chosen of a front; `limit` has the words for the best. */
  show({ front, selected, limit }) {
    this.selected = selected;
    const chips = selected.map((point, at) => this.#chip(point, selected.length > 1 ? "AB"[at] : ""));
    const key = JSON.stringify([front.best_under_budget, front.knee, selected, limit]);
    if (key === this.shown) return;
    this.shown = key;
    const held = this.node.contains(document.activeElement) ? document.activeElement.textContent : null;
    this.chips.replaceChildren(...chips);
    this.chips.hidden = selected.length === 0;
    this.offers.replaceChildren(
      ...[
        front.best_under_budget && this.#offer(capital(limit.name), front.best_under_budget),
        front.knee && this.#offer("Knee", front.knee),
        selected.length === 1 && front.points.length > 1 && this.second,
        selected.length > 0 && h("button", { type: "button", class: "quiet", on: { click: this.on.onClear } }, "Clear"),
      ].filter(Boolean),
    );
    if (held !== null) ([...this.offers.children].find((one) => one.textContent === held) ?? this.offers.firstElementChild)?.focus();
    this.#tell();
  }

  #tell() {
    const count = this.selected?.length ?? 0;
    this.told.textContent = this.waiting
      ? "Now choose the other one: a point, a row, or a line."
      : ["Click on a point, or press Enter on a row, to see inside it.", "", ""][count];
    this.told.hidden = !this.told.textContent;
  }

  #offer(word, point) {
    const id = point.architecture_id;
    const pressed = this.selected.some((one) => one.architecture_id === id);
    const choose = (event) => this.on.onSelect(id, event.shiftKey);
    return h("button", { type: "button", "aria-pressed": String(pressed), on: { click: choose } }, word);
  }

  #chip(point, name) {
    const text = `trial ${point.trial}: ${format.share(point.val_accuracy)} at ${format.gmacs(point.gmacs)} GMACs`;
    const drop = h(
      "button",
      { type: "button", class: "quiet", "aria-label": `Leave out ${text}`, on: { click: () => this.on.onDrop(point.architecture_id) } },
      "×",
    );
    return h("li", null, name && h("span", { class: "letter" }, name), text, drop);
  }
}

const capital = (text) => text[0].toUpperCase() + text.slice(1);
