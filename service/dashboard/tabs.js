// Tabs by the pattern that screen readers know: one is reached by Tab, arrows go to the others.

import { h } from "./dom.js";

export class Tabs {
  /**
   * @param {Array<{key: string, title: string}>} tabs
   * @param {(key: string) => void} onOpen when the reader opens another one
   */
  constructor(tabs, onOpen) {
    this.tabs = new Map(tabs.map(({ key, title }) => [key, this.#tab(key, title)]));
    this.onOpen = onOpen;
    const list = h(
      "div",
      { class: "tablist", role: "tablist", "aria-label": "More about the choice", on: { keydown: (event) => this.#key(event) } },
      [...this.tabs.values()].map(({ button }) => button),
    );
    this.node = h("div", { class: "tabs" }, list, [...this.tabs.values()].map(({ panel }) => panel));
    this.open = null;
  }

  #tab(key, title) {
    const names = { tab: `tab-${key}`, panel: `panel-${key}` };
    const button = h(
      "button",
      { type: "button", role: "tab", id: names.tab, "aria-controls": names.panel, on: { click: () => this.onOpen(key) } },
      title,
    );
    const panel = h("div", { role: "tabpanel", id: names.panel, "aria-labelledby": names.tab, class: "panel" });
    return { button, panel };
  }

  /** Opens a tab, the first where there is none of that name; returns its name. */
  show(key) {
    const [first] = this.tabs.keys();
    this.open = this.tabs.has(key) ? key : first;
    for (const [name, { button, panel }] of this.tabs) {
      button.setAttribute("aria-selected", String(name === this.open));
      button.tabIndex = name === this.open ? 0 : -1;
      panel.hidden = name !== this.open;
    }
    return this.open;
  }

  /** Where the content of a tab goes. */
  panel(key) {
    return this.tabs.get(key).panel;
  }

  #key(event) {
    const keys = [...this.tabs.keys()];
    const at = keys.indexOf(this.open);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: keys.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = keys[(to + keys.length) % keys.length];
    this.onOpen(next);
    this.tabs.get(next).button.focus();
  }
}
