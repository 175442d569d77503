// The life of what is on the page: it ends when another screen comes, and with it its calls and timers.

let current = new AbortController();
/** What says whether something would be lost with the screen. */
const unsaved = new Set();

/** Ends the screen before, and begins one. */
export function begin() {
  current.abort();
  current = new AbortController();
  unsaved.clear();
  return current.signal;
}

/** Ends with the screen that is shown now. */
export const life = () => current.signal;

/** From now on `check` is asked whether something would be lost with the screen. */
export const guard = (check) => unsaved.add(check);
export const isUnsaved = () => [...unsaved].some((check) => check());

/** Goes where something that was done leads: what is not saved has no place there. */
export function go(to) {
  unsaved.clear();
  location.hash = to;
}

/** What something ends with that nobody waits for any more: no failure, and shown nowhere. */
const gone = () => new DOMException("Nobody waits for it.", "AbortError");

/** Has answers come in the order of their questions: one that is older than what is known by now is dropped. */
export function inOrder() {
  let asked = 0,
    known = 0,
    changing = 0;
  return {
    async read(task) {
      const mine = (asked += 1),
        answer = await task();
      if (changing || mine < known) throw gone();
      known = mine;
      return answer;
    },
    /** What was asked for before a change has ended is older than that. */
    async change(task) {
      changing += 1;
      try {
        return await task();
      } finally {
        changing -= 1;
        known = asked + 1;
      }
    }
  };
}

/**
 * Does something now, and again and again while the page can be seen. `task` may give the milliseconds until the next
 * time, or false for never. What fails is told to `failed`, with null when it works again.
 */
export async function every(milliseconds, task, failed = () => {}) {
  const ends = current.signal;
  let was = false;
  while (!ends.aborted) {
    let pause = milliseconds;
    if (!document.hidden) {
      try {
        pause = (await task()) ?? milliseconds;
        if (pause === false) return;
        if (was) failed(null);
        was = false;
      } catch (error) {
        if (ends.aborted || error.status === 401) return;
        if (error.name !== "AbortError") {
          failed(error);
          was = true;
        }
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
