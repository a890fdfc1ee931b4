// What stands where there is nothing to show yet, nothing at all, or a problem.

import { h } from "./dom.js";

/** Something is on its way. */
export function loading(text = "Loading") {
  return h("p", { class: "state loading", role: "status" }, `${text} …`);
}

/** There is nothing, why, and what to do about it (`actions` are nodes). */
export function empty(title, text, ...actions) {
  return h(
    "section",
    { class: "state empty" },
    h("h2", null, title),
    h("p", null, text),
    actions.length > 0 && h("p", { class: "actions" }, ...actions),
  );
}

/** What went wrong, and the next step; `retry` is called when the reader wants to try again. */
export function problem(error, retry = null) {
  const { status = 0, detail, next_step: step, retryAfter, request_id: request } = error;
  return h(
    "section",
    { class: "state problem", role: "alert" },
    h("h2", null, heading(status)),
    h("p", null, sentence(detail || error.message)),
    step && h("p", null, sentence(step)),
    retryAfter && h("p", null, `Worth trying again in ${retryAfter} s.`),
    request && h("p", { class: "dim" }, "The server's log calls this request ", h("code", null, request), "."),
    retry &&
      h("p", { class: "actions" }, h("button", { type: "button", on: { click: retry } }, "Try again")),
  );
}

function heading(status) {
  if (status === 0) return "No answer";
  if (status === 401) return "Not signed in";
  if (status === 403) return "Not allowed";
  if (status === 404) return "Not found";
  if (status === 429) return "Too many requests";
  return status >= 500 ? "The server has a problem" : "This cannot be done";
}

const sentence = (text) => (/[.!?…]$/.test(text) ? text : `${text}.`);
