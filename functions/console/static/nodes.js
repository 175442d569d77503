// How nodes pull a mirror under the name of its original.

import { copy, fill, h, hint } from "./kit.js";

/** What clients call the repository that a reference names: Docker Hub has several names. */
export const original = (reference) =>
  reference
    .replace(/^(index\.|registry-1\.)?docker\.io(:443)?\//i, "docker.io/")
    .replace(/^docker\.io\/([^/]+)$/, "docker.io/library/$1");

/** containerd's file, which is the same for all mirrors, and podman's. */
export const files = (name, reference, { origin, host }) => [
  `[host."${origin}"]\n  capabilities = ["pull", "resolve"]`,
  `[[registry]]\nlocation = "${original(reference)}"\n\n[[registry.mirror]]\nlocation = "${host}/${name}"` +
    (origin.startsWith("https") ? "" : "\ninsecure = true")
];

/** Both, to be copied. `update` shows those of another reference. */
export function nodes(name) {
  const content = h("div");
  let shown;
  return { element: h("details.group", h("summary", "Nodes that pull the original"), content), update };

  function update({ external_reference }) {
    if (shown === external_reference) return;
    shown = external_reference;
    const [hosts, registries] = files(name, shown, location);
    fill(
      content,
      hint("containerd: certs.d/_default/hosts.toml"),
      copy(hosts, "hosts.toml"),
      hint("podman: registries.conf"),
      copy(registries, "registries.conf")
    );
  }
}
