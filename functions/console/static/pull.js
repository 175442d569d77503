// The commands that pull.

import { copy, h, isAdmin, link, p, person, toOrganization, toScreen } from "./kit.js";

const host = () => location.host;
const insecure = (option) => (location.protocol === "http:" ? `${option}=false ` : "");

/** Commands that pull a tag, or a digest, with each tool; and whose credentials do, of a robot or of any. */
export function pulls(name, tag, digest, robot) {
  const [namespace] = name.split("/"),
    byTag = `${host()}/${name}:${tag}`,
    // People see robots only where they administer them.
    isRobots = !person() || isAdmin(namespace),
    robots = link(toOrganization(namespace, "robots", { robot }), robot ?? `a robot of ${namespace}`);
  const all = [
    ["docker", `docker pull ${byTag}`],
    ["podman", `podman pull ${insecure("--tls-verify")}${byTag}`],
    ["skopeo", `skopeo copy ${insecure("--src-tls-verify")}docker://${byTag} oci:${name.split("/").pop()}:${tag}`]
  ];
  if (digest) all.push(["by digest", `docker pull ${host()}/${name}@${digest}`]);
  return [
    p(
      "Log in first, unless the repository is public. The credentials are ",
      [isRobots && ["those of ", robots], person() && ["your name and an ", link(toScreen("account"), "app token")]]
        .filter(Boolean)
        .flatMap((it, index) => (index ? [", or ", it] : [it])),
      "."
    ),
    h(
      "dl.facts.wide",
      all.map(([tool, command]) => h("div", h("dt", tool), h("dd", copy(command, `the ${tool} command`))))
    )
  ];
}
