// A question before something that cannot be undone.

import { h } from "./dom.js";

let number = 0;

/** Ask; true where the reader says yes. Escape and "Keep" mean no. */
export function confirmed(title, text, yes, no) {
  const heading = `question-${(number += 1)}`;
  const dialog = h(
    "dialog",
    { "aria-labelledby": heading },
    h(
      "form",
      { method: "dialog" },
      h("h2", { id: heading }, title),
      h("p", null, text),
      h(
        "div",
        { class: "actions" },
        h("button", { value: "no", autofocus: true }, no),
        h("button", { value: "yes", class: "primary" }, yes),
      ),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
  });
}
