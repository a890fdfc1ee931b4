// The public API, as this page asks it: a token, JSON, and problems that say what to do.

import { takeToken } from "./address.js";

const KEPT = "resnas.token";

/** An answer that is none, in the words of the server (RFC 9457), or why it could not be asked. */
export class Problem extends Error {
  constructor(members, retryAfter = null) {
    super(members.detail || members.title || "Something went wrong");
    Object.assign(this, members);
    this.name = "Problem";
    this.status = members.status ?? 0;
    this.title = members.title ?? "";
    this.detail = members.detail ?? "";
    this.place = members.place ?? "";
    this.found = members.found ?? "";
    this.next_step = members.next_step ?? "";
    this.retryAfter = retryAfter;
  }
}

let held = ""; // where the browser keeps nothing for pages, the token lives as long as this page

/** The token that requests carry; empty where there is none. */
export function token() {
  try {
    return sessionStorage.getItem(KEPT) ?? held;
  } catch {
    return held;
  }
}

/** Use this token from now on, in this tab only; an empty one is forgotten. */
export function setToken(text) {
  held = text.trim();
  try {
    if (held) sessionStorage.setItem(KEPT, held);
    else sessionStorage.removeItem(KEPT);
  } catch {
    // Kept above.
  }
}

/** Take the token out of the address, where it is one; says whether there was one. */
export function signInFromAddress() {
  const found = takeToken();
  if (found) setToken(found);
  return found !== null;
}

/** What the server answers at a path, as JSON. */
export async function get(path, { signal } = {}) {
  return (await ask(path, { signal })).json();
}

/** Send a value; returns the answer as JSON. */
export async function post(path, body = null, { headers = {}, signal } = {}) {
  const sent = body === null ? {} : { "Content-Type": "application/json" };
  const answer = await ask(path, {
    method: "POST",
    body: body === null ? undefined : JSON.stringify(body),
    headers: { ...sent, ...headers },
    signal,
  });
  return answer.json();
}

/** A file of the server. */
export async function blob(path, { signal } = {}) {
  return (await ask(path, { signal })).blob();
}

/** Ask with the token; an answer that is none becomes a `Problem`. */
export async function ask(path, { method = "GET", body, headers = {}, signal } = {}) {
  const known = token();
  const all = known ? { Authorization: `Bearer ${known}`, ...headers } : headers;
  let answer;
  try {
    answer = await fetch(path, { method, body, headers: all, signal, redirect: "error" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw unreachable();
  }
  if (answer.ok) return answer;
  const problem = await problemOf(answer);
  if (problem.status === 401) {
    // Only what this token was refused for: another one may have come in the meantime.
    if (known === token()) document.dispatchEvent(new CustomEvent("resnas:refused", { detail: problem }));
  }
  throw problem;
}

/** Whether an error only says that nobody waits for the answer any more. */
export const aborted = (error) => error?.name === "AbortError";

function unreachable() {
  return new Problem({
    title: "The server does not answer",
    detail: "The server does not answer",
    next_step: "See whether resnas serve still runs, then try again",
  });
}

async function problemOf(answer) {
  const seconds = Number.parseInt(answer.headers.get("Retry-After") ?? "", 10);
  const retryAfter = Number.isNaN(seconds) ? null : seconds;
  const plain = { status: answer.status, title: answer.statusText || `Status ${answer.status}` };
  try {
    const members = await answer.json();
    return new Problem({ ...plain, ...members, status: answer.status }, retryAfter);
  } catch {
    return new Problem({ ...plain, detail: `The server answered ${plain.title}` }, retryAfter);
  }
}
