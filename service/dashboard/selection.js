// From ids in an address to points: of the front, or looked up where it does not list them.

import { get } from "./api.js";

/** The points of `ids`, and those ids that are no architecture of the job. */
export async function resolve(ids, front, jobId, signal) {
  const known = new Map(front.points.map((point) => [point.architecture_id, point]));
  if (ids.every((id) => known.has(id))) return { found: ids.map((id) => known.get(id)), missing: [] };
  const points = await Promise.all(ids.map((id) => known.get(id) ?? lookedUp(id, jobId, signal)));
  return { found: points.filter(Boolean), missing: ids.filter((_, at) => points[at] === null) };
}

/** A point that the front does not list: it is filtered out, or dominated. */
async function lookedUp(id, jobId, signal) {
  try {
    const { job_id: of, trial, architecture, gmacs } = await get(`/v1/architectures/${encodeURIComponent(id)}`, { signal });
    if (of !== jobId) return null;
    const { number, resizer, lam, seed, val_accuracy, test_accuracy, aim = null, spread = null } = trial;
    const achieved = { val_accuracy, test_accuracy, gmacs, spread };
    return { architecture_id: id, job_id: of, trial: number, resizer, lam, aim, seed, ...achieved, sizes: architecture.sizes };
  } catch (error) {
    if (error.status === 404 || error.status === 422) return null;
    throw error;
  }
}
