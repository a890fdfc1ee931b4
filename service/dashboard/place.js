// A job's place in the address: what narrows its front, what is chosen, which tab is open.

const MOST = 2;

/** What narrows the front down; numbers that are none are left out. */
export function filtersOf(params) {
  return {
    dominated: params.get("dominated") === "1",
    max_gmacs: number(params.get("max_gmacs"), (value) => value > 0),
    min_accuracy: number(params.get("min_accuracy"), (value) => value >= 0 && value <= 1),
  };
}

/** Ids of the architectures that are chosen, two at most. */
export function chosenOf(params) {
  const ids = (params.get("select") ?? "").split(",").filter(Boolean);
  return [...new Set(ids)].slice(0, MOST);
}

/** The parameters of the address. */
export function paramsOf({ dominated, max_gmacs: most, min_accuracy: least }, chosen, tab) {
  return parameters({
    select: chosen.join(),
    dominated: dominated && "1",
    max_gmacs: most,
    min_accuracy: least,
    tab,
  });
}

/** The parameters that the server is asked with. */
export function queryOf({ dominated, max_gmacs: most, min_accuracy: least }) {
  return parameters({ include_dominated: dominated && "true", max_gmacs: most, min_accuracy: least });
}

function parameters(values) {
  return new URLSearchParams(Object.entries(values).filter(([, value]) => value));
}

function number(text, allowed) {
  const value = text ? Number(text) : Number.NaN;
  return Number.isFinite(value) && allowed(value) ? String(value) : "";
}
