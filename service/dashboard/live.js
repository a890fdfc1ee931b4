// What happens to a job, while it happens: server-sent events, read by fetch, since an EventSource
// sends no token.

import { aborted, ask } from "./api.js";

const SILENCE = 45_000; // the server says every 15 s at least that it is there
const LONGEST = 20_000;

/**
 * Follow a job until it has ended; returns how to stop that.
 *
 * `onEvent({id, event, data})` gets what happened after event `after`; `onState({connected, since,
 * ended, problem})` is told when the line is there or gets lost (`since` is a Date), when nothing
 * more will come (`ended`), and why it never will (`problem`, null otherwise).
 */
export function follow(jobId, { after = 0, onEvent, onState = () => {} }) {
  const stopped = new AbortController();
  const line = { jobId, after, failures: 0, heard: new Date(), onEvent, onState };
  keep(line, stopped.signal);
  return () => stopped.abort();
}

async function keep(line, stopped) {
  while (!stopped.aborted) {
    try {
      if (await listen(line, stopped)) return tell(line, stopped, { ended: true });
    } catch (error) {
      if (stopped.aborted) return;
      if (isFinal(error)) return tell(line, stopped, { problem: error });
    }
    line.failures += 1;
    if (line.failures > 1) tell(line, stopped, {});
    await pause(line.failures, stopped);
  }
}

/** Read one connection to its end; true where the job has ended and there is nothing new. */
async function listen(line, stopped) {
  const silent = new AbortController();
  const signal = AbortSignal.any([stopped, silent.signal]);
  let alarm = setTimeout(() => silent.abort(), SILENCE);
  try {
    const answer = await ask(`/v1/jobs/${encodeURIComponent(line.jobId)}/events`, {
      headers: { Accept: "text/event-stream", "Last-Event-ID": String(line.after) },
      signal,
    });
    if (answer.status === 204) return true;
    tell(line, stopped, { connected: true });
    for await (const text of texts(answer.body)) {
      clearTimeout(alarm);
      alarm = setTimeout(() => silent.abort(), SILENCE);
      line.heard = new Date();
      line.failures = 0;
      line.rest = taken((line.rest ?? "") + text, line, stopped);
    }
    return false;
  } finally {
    clearTimeout(alarm);
    line.rest = "";
  }
}

async function* texts(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** Hand on the whole events of a text; returns what is left of it. */
function taken(text, line, stopped) {
  const blocks = text.replaceAll("\r\n", "\n").split("\n\n");
  const rest = blocks.pop();
  for (const event of blocks.map(parsed).filter(Boolean)) {
    if (stopped.aborted) break;
    line.after = event.id;
    line.onEvent(event);
  }
  return rest;
}

function parsed(block) {
  const fields = { data: [] };
  for (const row of block.split("\n")) {
    const [, name, value] = /^([^:]*):? ?(.*)$/.exec(row);
    if (name === "data") fields.data.push(value);
    else if (name) fields[name] = value;
  }
  if (fields.data.length === 0) return null; // a comment: the server is there
  return { id: Number(fields.id), event: fields.event, data: JSON.parse(fields.data.join("\n")) };
}

function tell(line, stopped, { connected = false, ended = false, problem = null }) {
  if (!stopped.aborted) line.onState({ connected, since: line.heard, ended, problem });
}

const isFinal = (error) => !aborted(error) && [400, 401, 403, 404, 422].includes(error.status);

/** Wait longer after every failure, and not all pages as long; the browser's going online ends it. */
function pause(failures, stopped) {
  const most = Math.min(LONGEST, 500 * 2 ** failures);
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      removeEventListener("online", end);
      stopped.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, most * (0.5 + Math.random() / 2));
    addEventListener("online", end);
    stopped.addEventListener("abort", end);
  });
}
