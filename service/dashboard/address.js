// The address holds the place: which view, of what, and what is chosen there.

const VIEWS = { "": "jobs", submit: "submit", jobs: "job", fronts: "fronts" };
const PATHS = { jobs: "#/", submit: "#/submit", job: "#/jobs/", fronts: "#/fronts" };

let listeners = [];

/** The place an address stands for: `{view, id, params}`. */
export function read(hash = location.hash) {
  const [, path, query] = /^#?\/?([^?]*)\??(.*)$/s.exec(hash);
  const [first, ...rest] = path.split("/").filter(Boolean).map(decoded);
  const params = new URLSearchParams(query);
  const view = VIEWS[first ?? ""] ?? "unknown";
  const expected = view === "job" ? 1 : 0;
  if (view === "job" && rest.length === 0) return { view: "jobs", id: null, params };
  if (rest.length !== expected) return { view: "unknown", id: null, params };
  return { view, id: rest[0] ?? null, params };
}

/** The address of a place; `params` is an object, whose empty values are left out, or parameters. */
export function href(view, id = null, params = null) {
  const path = PATHS[view] + (id === null ? "" : encodeURIComponent(id));
  const query = parameters(params).toString();
  // Commas and slashes are allowed there, and read better as they are.
  return query ? `${path}?${query.replaceAll("%2C", ",").replaceAll("%2F", "/")}` : path;
}

/** Go to a place, `{view, id, params}`, or to an address. */
export function go(place) {
  location.hash = typeof place === "string" ? place : href(place.view, place.id, place.params);
}

/** Change the parameters of the present place; `entry` leaves the old ones in the history. */
export function replace(params, { entry = false } = {}) {
  const { view, id } = read();
  const next = href(view, id, params);
  if (next === location.hash) return;
  if (entry) history.pushState(null, "", next);
  else history.replaceState(null, "", next);
  tell();
}

/** Be told of every new place; returns how to stop that. */
export function onchange(listener) {
  listeners.push(listener);
  return () => {
    listeners = listeners.filter((other) => other !== listener);
  };
}

/** The token in the address, `#token=…`, which is taken out of it; null where there is none. */
export function takeToken() {
  const found = /^#token=([^&]+)/.exec(location.hash);
  if (!found) return null;
  history.replaceState(null, "", PATHS.jobs);
  return decoded(found[1]);
}

function parameters(given) {
  if (given instanceof URLSearchParams) return given;
  const known = Object.entries(given ?? {}).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value])
      .filter((one) => one !== null && one !== undefined && one !== "" && one !== false)
      .map((one) => [name, one === true ? "1" : String(one)]),
  );
  return new URLSearchParams(known);
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a percent sign that encodes nothing
  }
}

function tell() {
  const place = read();
  for (const listener of listeners) listener(place);
}

addEventListener("hashchange", tell);
