// Light or dark: as the system has it, until somebody says otherwise.

const KEPT = "resnas.theme";
const dark = matchMedia("(prefers-color-scheme: dark)");
const listeners = [];

/** "light" or "dark", as the page is shown. */
export function current() {
  return document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light");
}

/** The other one; kept in this browser. */
export function toggle() {
  const next = current() === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  try {
    localStorage.setItem(KEPT, next);
  } catch {
    // Then it holds for this page only.
  }
  tell();
}

/** Be told when it changes, also by the system. */
export function onchange(listener) {
  listeners.push(listener);
}

function kept() {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null;
  }
}

function tell() {
  for (const listener of listeners) listener(current());
}

const chosen = kept();
if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
dark.addEventListener("change", tell);
