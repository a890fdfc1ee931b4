// Fields of a form: a label, a hint, and the place where a mistake is told.

import { clear, h } from "./dom.js";

/** A field around a control: `{node, control, complain(...words), hint}`; `path` is its pointer. */
export function field(path, label, control, hint = null) {
  const id = idOf(path);
  const error = h("p", { class: "error", id: `${id}-error` });
  const said = h("p", { class: "hint", id: `${id}-hint` }, hint);
  control.id = id;
  control.setAttribute("aria-describedby", `${id}-hint ${id}-error`);
  const node = h("div", { class: "field" }, h("label", { for: id }, label), control, said, error);
  return { node, control, hint: said, path, complain: complaint(control, error) };
}

/** Several names to tick: `{node, chosen(), complain(...words)}`. */
export function ticks(path, legend, entries, chosen, onChange) {
  const id = idOf(path);
  const error = h("p", { class: "error", id: `${id}-error` });
  const boxes = entries.map(({ name }) =>
    h("input", { type: "checkbox", value: name, checked: chosen.includes(name), on: { change: onChange } }),
  );
  const rows = entries.map(({ name, about }, at) =>
    h("label", { class: "tick", title: about }, boxes[at], h("span", null, name), h("span", { class: "hint" }, about)),
  );
  const node = h("fieldset", { class: "field", id, "aria-describedby": `${id}-error` }, h("legend", null, legend), ...rows, error);
  return {
    node,
    path,
    control: boxes[0],
    chosen: () => boxes.filter((box) => box.checked).map((box) => box.value),
    complain: complaint(node, error),
  };
}

/** A list to choose one entry from. */
export function choice(entries, chosen, onChange) {
  const options = entries.map(({ name }) => h("option", { value: name }, name));
  const select = h("select", { on: { change: onChange } }, ...options);
  if (entries.some(({ name }) => name === chosen)) select.value = chosen;
  return select;
}

/** A text with suggestions, any other of which may be typed, too: `{…field, offer(entries)}`. */
export function suggested(path, label, value, entries, onInput) {
  const list = h("datalist", { id: `${idOf(path)}-list` });
  const control = h("input", { list: list.id, autocomplete: "off", spellcheck: "false", value, on: { input: onInput } });
  const offer = (offered) => list.replaceChildren(...offered.map(({ name, about }) => h("option", { value: name }, about)));
  const found = field(path, label, control);
  found.node.append(list);
  offer(entries);
  return { ...found, offer };
}

/** A number; an empty one is null. */
export function number(value, { min, max = null, step = "1", placeholder = null }, onChange) {
  return h("input", {
    type: "number",
    inputmode: step === "1" ? "numeric" : "decimal",
    value: value === null ? "" : String(value),
    min,
    max,
    step,
    placeholder,
    on: { input: onChange },
  });
}

/** What a number field holds; null where it is empty or holds no number. */
export const numberIn = (control) => (Number.isFinite(control.valueAsNumber) ? control.valueAsNumber : null);

/** The field that a problem is about, found by its pointers and its place; null where none is. */
export function fieldOf(problem, fields) {
  for (const { pointer = "" } of problem.errors ?? []) {
    const found = fields.find(({ path }) => pointer === `#/${path}` || pointer.startsWith(`#/${path}/`));
    if (found) return found;
  }
  const [first = ""] = problem.place.replace("data set", "dataset").split(/[\s:]/);
  return fields.find(({ path }) => first === path || path.endsWith(`/${first}`)) ?? null;
}

/** What a problem says at its field. */
export function wordsOf(problem) {
  const told = problem.errors?.map(({ detail }) => detail).join("; ");
  return told || [problem.found || problem.detail, problem.next_step].filter(Boolean).join(". ");
}

const idOf = (path) => `field-${path.replaceAll("/", "-")}`;

function complaint(control, error) {
  return (...words) => {
    const same = words.length === 1 && words[0] === error.textContent;
    if (!same) clear(error).append(...words);
    if (words.length) control.setAttribute("aria-invalid", "true");
    else control.removeAttribute("aria-invalid");
  };
}
