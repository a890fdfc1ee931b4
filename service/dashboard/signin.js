// Signing in: a field for the token, and where to find it.

import { get, setToken, token } from "./api.js";
import { clear, h } from "./dom.js";
import { problem } from "./states.js";

/** Ask for a token; `refusal` is why the one at hand is not good. Returns how to stop. */
export function mount(root, refusal, done) {
  const hadOne = token() !== "";
  setToken("");
  const field = h("input", {
    id: "token",
    type: "password",
    autocomplete: "current-password",
    spellcheck: "false",
    required: true,
    "aria-describedby": "token-where",
  });
  const answer = h("div", { class: "answer" });
  if (hadOne && refusal) answer.append(refused(refusal));
  const form = h(
    "form",
    { class: "signin", on: { submit: (event) => signIn(event, field, answer, done) } },
    h("h1", null, "Sign in"),
    answer,
    // Whoever keeps passwords wants a name to keep them under.
    h("input", { type: "text", autocomplete: "username", value: "resnas", hidden: true, readonly: true }),
    h("label", { for: "token" }, "Token or API key"),
    h("div", { class: "together" }, field, h("button", { type: "submit", class: "primary" }, "Sign in")),
    where(),
  );
  root.append(form);
  field.focus();
  return () => {};
}

function where() {
  return h(
    "div",
    { id: "token-where", class: "dim" },
    h("p", null, "It is one line in the file ", h("code", null, "token"), " in the server's data directory. ",
      h("code", null, "resnas serve"), " prints an address that has it already: open that one, and nothing need be typed."),
    h("p", null, "On a server of somebody else's, ask for an API key: ", h("code", null, "resnas keys create NAME"),
      " makes one. Either is kept for this tab only."),
  );
}

async function signIn(event, field, answer, done) {
  event.preventDefault();
  const text = pasted(field.value);
  setToken(text);
  clear(answer);
  try {
    await get("/v1/jobs?limit=1");
    done();
  } catch (error) {
    setToken("");
    answer.append(error.status === 401 ? refused(error) : problem(error));
    field.select();
    field.focus();
  }
}

/** Why a token is not good; what to do about it stands below the field. */
const refused = ({ status, detail }) => problem({ status, detail });

/** What was pasted: the token, or the whole address that ends with it. */
const pasted = (text) => text.trim().replace(/^.*#token=/, "");
