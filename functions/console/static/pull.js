// The commands that pull.

import { h } from "./element.js";
import { copy } from "./parts.js";

const host = () => location.host;
const insecure = () => location.protocol === "http:";

/** Commands that pull a tag, or a digest, with each tool. */
export function pulls(name, tag, digest) {
  const byTag = `${host()}/${name}:${tag}`;
  const all = [
    ["docker", `docker pull ${byTag}`],
    ["podman", `podman pull ${insecure() ? "--tls-verify=false " : ""}${byTag}`]
  ];
  if (digest) all.push(["by digest", `docker pull ${host()}/${name}@${digest}`]);
  return h(
    "dl.facts.wide",
    all.map(([tool, command]) => h("div", h("dt", tool), h("dd", copy(command, `the ${tool} command`))))
  );
}
