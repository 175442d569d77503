// Lists that are read page by page.

import { fill } from "./element.js";
import { acting } from "./parts.js";

/**
 * A list that grows: `read` is given where the page before ended, nothing at first, and gives rows and where they end, if
 * there are more. `draw` gets all rows, and the button for more. What fails is shown in `place`. Gives what begins it
 * anew: what is still read of an earlier one is dropped then.
 */
export function growing(read, draw, place) {
  let current = 0;
  return () => load((current += 1), []);

  async function load(mine, before, after) {
    const page = await read(after).catch((error) => mine === current && Promise.reject(error));
    if (mine !== current) return;
    const rows = [...before, ...page[0]],
      next = page[1];
    fill(place);
    draw(rows, next && acting("Show more", place, () => load(mine, rows, next)));
  }
}
