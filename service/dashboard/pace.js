// How often something is done, however often it is asked for.

/** Calls `wanted` at most once in `period` milliseconds, at once when it was quiet before. */
export function atMostEvery(period, wanted) {
  let timer = null;
  let last = -Infinity;
  const run = () => {
    timer = null;
    last = performance.now();
    wanted();
  };
  const ask = () => {
    timer ??= setTimeout(run, Math.max(0, last + period - performance.now()));
  };
  ask.cancel = () => {
    clearTimeout(timer);
    timer = null;
  };
  return ask;
}

/** Lets `wanted` run to its end, then calls it once more if it was asked for meanwhile. */
export function oneAtATime(wanted) {
  let running = false;
  let again = false;
  return async () => {
    again = true;
    if (running) return;
    running = true;
    try {
      while (again) {
        again = false;
        await wanted();
      }
    } finally {
      running = false;
    }
  };
}
