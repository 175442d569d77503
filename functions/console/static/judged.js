// What the gate says of a tag, and who signed its image.

import { stepLabel } from "./gate.js";
import { both, date, h, quiet, worded } from "./kit.js";

/** What it says, in the words of the form. */
export const gateSays = ({ reason, step, message }) =>
  reason === "deselected" && step !== "derived" ? `"${stepLabel(step)}" does not let it pass` : worded(message);

/** Both, but for what is `said` already. */
export const judged = ({ gate, signed = [] }, said = "") => [
  gate && !said.includes(gate.message) && h("small", gateSays(gate)),
  signed.map(({ authority, subject, issuer, time }) =>
    h(
      "small",
      "Signed by ",
      h("b", authority),
      subject && `: ${subject}`,
      issuer && ` of ${issuer}`,
      time && quiet(`, ${both(date(time))}`)
    )
  )
];

/** By what the selection has compared it, and where it is among the others. */
export const compared = ({ key, rank, group, spared_by_always: spared }) => {
  const place = rank && `number ${rank}${group ? ` of ${group}` : ""}`;
  return [
    (key || place) && h("small", [key && `compared as ${key}`, place].filter(Boolean).join(", ")),
    spared && h("small", `kept by "Always", whatever "${stepLabel(spared)}" says`)
  ];
};
