// The frame: which view stands in the page, and who is signed in.

import * as address from "./address.js";
import { signInFromAddress, token } from "./api.js";
import { announce, clear, h } from "./dom.js";
import { mount as mountSignIn } from "./signin.js";
import { empty, loading, problem } from "./states.js";
import * as theme from "./theme.js";

const VIEWS = {
  jobs: { title: "Jobs", load: () => import("./jobs.js") },
  submit: { title: "Submit a job", load: () => import("./submit.js") },
  job: { title: "Job", load: () => import("./job.js") },
  fronts: { title: "Fronts", load: () => import("./fronts.js") },
};

const root = document.getElementById("main");
let shown = { view: null, id: null, stop: () => {}, update: () => {} };

/** Show a place: the view that is there already is told of it, another one takes its turn. */
async function show(place) {
  if (!token()) return signIn(null);
  if (place.view === shown.view && place.id === shown.id) return shown.update(place);
  const turn = leave(place.view, place.id);
  const view = VIEWS[place.view];
  document.title = view ? `${view.title} · resnas` : "resnas";
  if (!view) return nowhere();
  root.append(loading());
  try {
    const module = await view.load();
    if (shown !== turn) return;
    clear(root);
    const { update, unmount } = await module.mount(root, place);
    if (shown !== turn) return unmount();
    Object.assign(turn, { update, stop: unmount });
    arrive(view.title);
  } catch (error) {
    if (shown === turn) clear(root).append(problem(error, () => location.reload()));
  }
}

/** End the view that is shown, and note whose turn it is. */
function leave(view, id) {
  shown.stop();
  shown = { view, id, stop: () => {}, update: () => {} };
  clear(root).scrollIntoView();
  for (const link of document.querySelectorAll("nav [data-view]")) {
    if (link.dataset.view === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  return shown;
}

/** Put the reader at the beginning of what has come, unless a field has taken the focus already. */
function arrive(title) {
  const heading = root.querySelector("h1");
  if (heading && !root.contains(document.activeElement?.closest("input, select, button"))) {
    heading.tabIndex = -1;
    heading.focus({ preventScroll: true });
  }
  announce(heading?.textContent || title);
}

function nowhere() {
  const back = h("a", { class: "button", href: address.href("jobs") }, "See all jobs");
  root.append(
    h("h1", null, "There is no such page"),
    empty("The address is not one of this page's", "It may have been cut short when it was copied.", back),
  );
  arrive("There is no such page");
}

function signIn(refusal) {
  if (shown.view === "signin") return;
  const turn = leave("signin", null);
  document.title = "Sign in · resnas";
  turn.stop = mountSignIn(root, refusal, () => {
    leave(null, null);
    show(address.read());
  });
  arrive("Sign in");
}

function placeChanged(place) {
  if (signInFromAddress()) {
    leave(null, null);
    return show(address.read());
  }
  return show(place);
}

function showTheme() {
  const button = document.getElementById("theme");
  const other = theme.current() === "dark" ? "Light" : "Dark";
  button.textContent = other;
  button.setAttribute("aria-label", `${other} colours`);
}

document.getElementById("theme").hidden = false;
document.getElementById("theme").addEventListener("click", theme.toggle);
theme.onchange(showTheme);
showTheme();
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address names the place, so it cannot name the target
  root.focus();
});
document.addEventListener("resnas:refused", (event) => signIn(event.detail));
address.onchange(placeChanged);
placeChanged(address.read());
