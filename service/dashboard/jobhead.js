// The head of a job's page: what was asked, how far it is, what to do about it.

import { post } from "./api.js";
import { confirmed } from "./confirm.js";
import { announce, clear, format, h } from "./dom.js";
import { nameOf, stateMark, STATES } from "./jobrows.js";
import { problem } from "./states.js";

export class JobHead {
  /** @param {(job: object) => void} onChanged with the job after it was cancelled or queued again */
  constructor(onChanged) {
    this.onChanged = onChanged;
    this.title = h("h1", null, "Job");
    this.state = h("span", { class: "job-standing" });
    this.acts = h("div", { class: "actions" });
    this.facts = h("dl", { class: "facts head-facts" });
    this.progress = h("progress", { max: "1", value: 0, "aria-label": "Trials done" });
    this.line = h("p", { class: "line", role: "status" });
    this.failure = h("div");
    this.refused = h("div");
    this.node = h(
      "header",
      { class: "job-head" },
      h("div", { class: "job-title" }, this.title, this.state, this.acts),
      this.facts,
      this.progress,
      this.line,
      this.failure,
      this.refused,
    );
  }

  /** Shows a job as it stands. */
  show(job) {
    this.job = job;
    document.title = `${nameOf(job)} · resnas`;
    this.title.textContent = nameOf(job);
    this.progress.max = job.trials_total || 1;
    this.progress.value = job.trials_done;
    this.progress.hidden = hasEnded(job);
    if (hasEnded(job)) this.#sayLine("", false);
    this.facts.replaceChildren(...factsOf(job));
    this.#showState(job);
    this.#showFailure(job);
  }

  /** Tells whether news come in, as long as there will be any; `since` is when there were some. */
  showLine({ connected, since, ended, problem: refused }) {
    if (hasEnded(this.job)) return;
    const lost = !connected && !ended;
    const text = refused ? `No news any more: ${refused.detail}` : `Reconnecting, data from ${format.date(since)}`;
    this.#sayLine(lost ? text : connected ? "Live" : "", lost);
  }

  #sayLine(said, lost) {
    if (this.line.textContent !== said) this.line.textContent = said;
    this.line.classList.toggle("lost", lost);
  }

  #showState(job) {
    if (this.shown === job.state) return;
    if (this.shown) announce(`The job is ${job.state}`);
    this.shown = job.state;
    this.state.replaceChildren(stateMark(job.state));
    const held = this.acts.contains(document.activeElement);
    clear(this.acts);
    if (job.state === "queued" || job.state === "running") this.acts.append(this.#button("Cancel", "cancel"));
    if (job.state === "failed") this.acts.append(this.#button("Retry", "retry"));
    if (held) (this.acts.firstElementChild ?? this.title).focus();
  }

  #showFailure({ state, error }) {
    const key = JSON.stringify([state, error]);
    if (key === this.failed) return;
    this.failed = key;
    clear(this.failure);
    if (!error) return;
    const again = state !== "failed";
    this.failure.append(
      h(
        "section",
        { class: "state problem" },
        h("h2", null, again ? "It is tried again" : "The job failed"),
        h("p", null, `${error.place}: ${error.found}.`),
        h("p", null, error.next_step),
      ),
    );
  }

  #button(word, action) {
    const done = this.job.trials_done;
    const text = action === "cancel"
      ? `Its ${done} finished trials and their front stay. A cancelled job cannot be taken up again.`
      : `It is queued again; its ${done} finished trials stay.`;
    const act = async () => {
      const keep = action === "cancel" ? "Let it run" : "Leave it";
      if (!(await confirmed(`${word} ${nameOf(this.job)}?`, text, `${word} the job`, keep))) return;
      this.refused.replaceChildren();
      try {
        this.onChanged(await post(`/v1/jobs/${encodeURIComponent(this.job.id)}:${action}`));
      } catch (error) {
        this.refused.replaceChildren(problem(error));
      }
    };
    return h("button", { type: "button", on: { click: act } }, word);
  }
}

const hasEnded = (job) => STATES[job.state]?.ended ?? false;

function factsOf(job) {
  const { spec, best } = job;
  const none = hasEnded(job) ? "none" : "none yet";
  const time = Number.isFinite(spec.budget_ms) ? ` and ${format.milliseconds(spec.budget_ms)}` : "";
  const facts = [
    ["Budget", `${format.gmacs(spec.budget_gmacs)} GMACs${time}`],
    ["Best under it", best ? `${format.share(best.val_accuracy)} at ${format.gmacs(best.gmacs)} GMACs` : none],
    ["Trials", `${job.trials_done} of ${job.trials_total}`],
    Number.isFinite(job.seconds_left) && ["Time left", `about ${format.seconds(job.seconds_left)}`],
    ["Human", `${format.gmacs(job.estimate?.human_gmacs)} GMACs`],
    ["Resizer", [spec.resizer].flat().join(", ")],
    ["Strategy", spec.strategy],
    ["Created", format.date(job.created_at)],
  ];
  return facts.filter(Boolean).map(([name, value]) => h("div", null, h("dt", null, name), h("dd", null, value)));
}
