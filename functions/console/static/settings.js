// The settings of a mirror, of a repository's or of an organization's: a form that leaves to others what they change.

import { besideCloud } from "./clouds.js";
import { drawn, gateFields } from "./gate-form.js";
import {
  button, call, changes, configured, dropsPassword, fill, filledIn, form, h, LABELS, notice, p, Problem, say, sure,
  toBody, toForm
} from "./kit.js";

/** What the API has for a mirror, of which some was filled in anew. */
const body = (mirror, filled) => toBody({ ...toForm(mirror), ...filled }, mirror.external_registry_config);

/**
 * The settings at `where`. `find` reads the mirror, `answers` keeps the order of what is read; `fields` are given whether
 * there is one, `begins` is what a new one begins with besides. `below` is below the form of one. `changed` is told of what
 * is filled in, `made` of a new one.
 */
export function settings({ where, find, answers, fields, begins, name, title, below, changed, made }) {
  const said = h("div", { role: "status" });
  const element = h("section.box", { label: name });
  // What the form was made of: what differs from that is a change, here or elsewhere.
  let base, shape, told;
  const label = (key) => LABELS[key] ?? key.replaceAll("_", " ");
  return { element, show, update, said };

  /** Shows the settings of a mirror; of none, those that a new one begins with. */
  function show(mirror) {
    base = mirror;
    told = "";
    shape = form(drawn([...fields(Boolean(base)), ...gateFields]), base ? toForm(base) : { ...toForm(), ...begins }, {
      verb: base ? "Update Mirror" : "Enable Mirror",
      label: name,
      task: save,
      changed: (filled, it) => {
        besideCloud(filled, it);
        changed?.(filled);
      }
    });
    fill(said);
    fill(element, h("h2", base ? "Settings" : title), said, shape.element, base && below());
  }

  /** Shows what somebody else has changed; where somebody fills in something here, it only says so. */
  function update(mirror) {
    const theirs = changes(configured(base), configured(mirror)),
      names = Object.keys(theirs).map(label).join(", "),
      key = names && JSON.stringify(theirs);
    if (key === told) return;
    told = key;
    if (!names) return void fill(said);
    if (!shape.isDirty()) {
      show(mirror);
      return say("Somebody changed the settings; they are shown now");
    }
    fill(
      said,
      notice(
        p(h("strong", "Somebody else has changed: "), names, ". What you save replaces only what you changed."),
        button("Show theirs, and drop my changes", () => show(mirror), "small")
      )
    );
  }

  async function save(filled) {
    if (!base) {
      await answers.change(() => call("POST", where, { body: filledIn(body({}, filled)) }));
      shape.keep();
      say("The mirror is set up");
      return made();
    }
    const before = body(base),
      after = body(base, filled),
      sent = changes(before, after);
    if (!Object.keys(sent).length) return fill(said, p("Nothing was changed."));
    const now = await find();
    if (!now) throw new Problem("The mirror was deleted meanwhile.", 404);
    const both = Object.keys(changes(configured(base), configured(now))).filter((key) => key in sent);
    const may =
      (!both.length ||
        (await sure(
          "Replace somebody else's changes?",
          "Save mine",
          "They have changed these, too:",
          both.map(label)
        ))) &&
      (!dropsPassword(before, after) ||
        (await sure(
          "Drop the stored password?",
          "Save without it",
          "A change of host, proxy, Verify TLS or authorities drops it, unless typed again.",
          ["The password of the external registry"]
        )));
    if (!may) return;
    await answers.change(async () => {
      await call("PUT", where, { body: sent, of: now }).catch((error) => {
        // The API does not always name the field: if there is only one, it is that.
        const [field, ...others] = Object.keys(sent);
        throw others.length ? error : Object.assign(error, { field });
      });
      show(await find());
    });
    fill(said, h("p.saved", "Saved, for the next sync."));
    return say("Saved");
  }
}
