// The life of what is on the page: it ends when another screen comes, and with it its calls and timers.

let current = new AbortController();

/** Ends the screen before, and begins one. */
export function begin() {
  current.abort();
  current = new AbortController();
  return current.signal;
}

/** What ends calls that only read when their screen is left. Changes are not given up half-way. */
export const signal = (method) => (method === "GET" ? current.signal : undefined);

/**
 * Does something now, and again and again while the page can be seen. `task` may give the milliseconds until the next
 * time. What fails is told to `failed`, with null when it works again.
 */
export async function every(milliseconds, task, failed = () => {}) {
  const ends = current.signal;
  let was = false;
  while (!ends.aborted) {
    let pause = milliseconds;
    if (!document.hidden) {
      try {
        pause = (await task()) ?? milliseconds;
        if (was) failed(null);
        was = false;
      } catch (error) {
        if (error.name === "AbortError" || error.status === 401) return;
        failed(error);
        was = true;
        pause = Math.max(milliseconds, (error.retryAfter ?? 0) * 1000);
      }
    }
    await sleep(pause, ends);
  }
}

/** Waits; less if the screen is left, or the page is seen again. */
export function sleep(milliseconds, ends = current.signal) {
  return new Promise((done) => {
    const timer = setTimeout(finish, milliseconds);
    const seen = () => {
      if (!document.hidden) finish();
    };
    function finish() {
      clearTimeout(timer);
      ends.removeEventListener("abort", finish);
      document.removeEventListener("visibilitychange", seen);
      done();
    }
    ends.addEventListener("abort", finish);
    document.addEventListener("visibilitychange", seen);
  });
}
