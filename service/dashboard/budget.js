// The budget: a number, and a slider over what can be reached, in steps of equal ratio.

import { clear, format, h } from "./dom.js";
import { field, number, numberIn } from "./fields.js";

const STEPS = 1000;

/** The field of the budget; `onChange` is called when the reader changes it. */
export function budgetField(given, onChange) {
  const state = { reach: null, touched: given !== null };
  const control = number(given, { min: "0", step: "any" }, () => changed(state, onChange));
  const slider = h("input", {
    type: "range",
    min: "0",
    max: String(STEPS),
    disabled: true,
    "aria-label": "Budget, within what can be reached",
    on: { input: () => slid(state, onChange) },
  });
  const scale = h("div", { class: "scale dim", "aria-hidden": "true" });
  const found = field("budget_gmacs", "Budget, GMACs of one sample", control);
  control.after(h("div", { class: "slider" }, slider, scale));
  Object.assign(state, found, { slider, scale });
  return {
    ...found,
    value: () => numberIn(control),
    reach: (estimate) => reached(state, estimate),
    use: (gmacs) => {
      control.value = String(gmacs);
      changed(state, onChange);
    },
  };
}

/** Take up what a backbone reaches; as long as nobody has said otherwise, half the human's cost. */
function reached(state, { min_gmacs: least, max_gmacs: most, human_gmacs: human }) {
  state.reach = { least, most, human };
  state.slider.disabled = false;
  if (!state.touched) state.control.value = rounded(Math.min(most, Math.max(human / 2, least * 1.1)));
  const tick = h("span", { class: "tick-human" }, "human");
  tick.style.setProperty("left", `${(100 * position(state.reach, human)) / STEPS}%`);
  clear(state.scale).append(h("span", null, format.gmacs(least)), tick, h("span", null, format.gmacs(most)));
  show(state);
}

function changed(state, onChange) {
  state.touched = true;
  show(state);
  onChange();
}

function slid(state, onChange) {
  const { least, most } = state.reach;
  const gmacs = least * (most / least) ** (Number(state.slider.value) / STEPS);
  // The ends themselves can be reached, so no rounding may lead out of them.
  state.control.value = rounded(gmacs, gmacs * gmacs < least * most ? Math.ceil : Math.floor);
  state.touched = true;
  show(state, false);
  onChange();
}

function show(state, move = true) {
  if (!state.reach) return;
  const value = numberIn(state.control);
  if (move && value > 0) state.slider.value = String(position(state.reach, value));
  const share = value === null ? "" : `${format.gmacs(value)} GMACs, ${percent(value / state.reach.human)} of the human's`;
  state.slider.setAttribute("aria-valuetext", share);
  state.hint.textContent = value === null ? "" : `${percent(value / state.reach.human)} of the human's ${format.gmacs(state.reach.human)} GMACs`;
}

function position({ least, most }, gmacs) {
  if (!(most > least)) return 0;
  const at = Math.log(gmacs / least) / Math.log(most / least);
  return Math.round(STEPS * Math.min(1, Math.max(0, at)));
}

const percent = (share) => `${share < 0.1 ? (100 * share).toFixed(1) : Math.round(100 * share)} %`;

/** To three digits, up or down as `whole` does it. */
function rounded(gmacs, whole = Math.round) {
  const unit = 10 ** (Math.floor(Math.log10(gmacs)) - 2);
  return String(Number((whole(gmacs / unit) * unit).toPrecision(3)));
}
