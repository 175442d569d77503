// How nodes pull a mirror under the name of its original.

import { copy, fill, h, p } from "./kit.js";

const HUB = ["docker.io", "index.docker.io", "registry-1.docker.io"];

/** What clients call the repository that a reference names: Docker Hub has several names. */
export function original(reference) {
  const [host, ...path] = reference.split("/"),
    registry = host.toLowerCase().replace(/:0*443$/, "");
  if (!HUB.includes(registry)) return [registry, ...path].join("/");
  return [HUB[0], ...(path.length > 1 ? path : ["library", ...path])].join("/");
}

/** containerd's file, which is the same for all mirrors, and podman's. */
export function files(name, reference, { origin, host, protocol }) {
  const insecure = protocol === "http:" ? "\ninsecure = true" : "";
  return [
    `[host."${origin}"]\n  capabilities = ["pull", "resolve"]`,
    `[[registry]]\nlocation = "${original(reference)}"\n\n[[registry.mirror]]\nlocation = "${host}/${name}"${insecure}`
  ];
}

/** Both files, to be copied. `update` shows those of another reference. */
export function nodes(name) {
  const content = h("div");
  let shown;
  return { element: h("details.group", h("summary", "Pull it by the original's name"), content), update };

  function update({ external_reference }) {
    if (shown === external_reference) return;
    shown = external_reference;
    const [hosts, registries] = files(name, shown, location);
    fill(
      content,
      p(`Nodes that have one of these go on to pull ${original(shown)}, and get it from here if they may read it.`),
      p("containerd, for all mirrors: /etc/containerd/certs.d/_default/hosts.toml"),
      copy(hosts, "hosts.toml"),
      p("podman and CRI-O, for this one: /etc/containers/registries.conf.d/moorage.conf"),
      copy(registries, "registries.conf")
    );
  }
}
