// What the best point keeps within: the budget of its job, or a filter that is narrower.

import { format } from "./dom.js";

/**
 * Words for the best point of a front: `name`, what it is called; `caption`, the beginning of a
 * sentence that gives it; `none`, that sentence where there is no such point.
 */
export function limitOf({ budget_gmacs: budget, budget_ms: most }, { max_gmacs: filter }) {
  const narrower = filter !== "" && Number(filter) < budget;
  const timed = Number.isFinite(most);
  const cost = `${format.gmacs(narrower ? Number(filter) : budget)} GMACs`;
  const both = timed ? `${cost} and ${format.milliseconds(most)}` : cost;
  const all = narrower ? both : `the budget of ${both}`;
  return {
    name: narrower ? `best within ${both}` : "best under the budget",
    caption: `Best ${narrower || timed ? "within" : "under"} ${all}`,
    none: `None of them keeps within ${all}.`,
  };
}
