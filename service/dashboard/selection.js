// From ids in an address to points: of the front, or looked up where it does not list them.

import { get } from "./api.js";

export class Points {
  /** Of one job; `signal` ends what is being looked up. */
  constructor(jobId, signal) {
    this.jobId = jobId;
    this.signal = signal;
    this.lookedUp = new Map(); // of a point nothing changes, so none is asked for twice
  }

  /** The points of `ids`, and those ids that are no architecture of the job. */
  async find(ids, front) {
    const listed = new Map(front.points.map((point) => [point.architecture_id, point]));
    const points = await Promise.all(ids.map((id) => listed.get(id) ?? this.#lookUp(id)));
    return { found: points.filter(Boolean), missing: ids.filter((_, at) => points[at] === null) };
  }

  /** A point that the front does not list: it is filtered out, or dominated. */
  async #lookUp(id) {
    if (this.lookedUp.has(id)) return this.lookedUp.get(id);
    try {
      const point = pointOf(await get(`/v1/architectures/${encodeURIComponent(id)}`, { signal: this.signal }));
      if (point.job_id !== this.jobId) return null;
      this.lookedUp.set(id, point);
      return point;
    } catch (error) {
      if (error.status === 404 || error.status === 422) return null;
      throw error;
    }
  }
}

function pointOf({ id, job_id, trial, architecture, gmacs, aim, spread }) {
  const { number, resizer, lam, seed, val_accuracy, test_accuracy } = trial;
  const achieved = { val_accuracy, test_accuracy, gmacs, spread };
  return { architecture_id: id, job_id, trial: number, resizer, lam, aim, seed, ...achieved, sizes: architecture.sizes };
}
