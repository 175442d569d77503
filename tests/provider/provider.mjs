// An OpenID provider for tests, on loopback: oidc-provider, which is certified, with a key and clients of its own.
//
//   node provider.mjs MODULES PORT ISSUER KEY_ID
//
// MODULES is where npm has installed it. A client gets an access token for itself, which is a JSON Web Token of the audience
// that it asks for as `resource`; what that ends with is the algorithm. Another issuer than its own makes a forger of it.
import { generateKeyPairSync } from "node:crypto";
import { pathToFileURL } from "node:url";

const [modules, port, issuer, keyId] = process.argv.slice(2);
const { default: Provider } = await import(pathToFileURL(`${modules}/oidc-provider/lib/index.js`));

const key = (type, options, alg) => ({
  ...generateKeyPairSync(type, options).privateKey.export({ format: "jwk" }), alg, use: "sig", kid: `${keyId}-${alg}`
});
const client = (name) => ({
  client_id: name, client_secret: "hunter2", grant_types: ["client_credentials"], response_types: [], redirect_uris: []
});

const provider = new Provider(issuer, {
  clients: ["repo:acme/app:ref:refs/heads/main", "repo:acme/app:pull_request"].map(client),
  jwks: {
    keys: [
      key("rsa", { modulusLength: 2048 }, "RS256"), key("rsa", { modulusLength: 2048 }, "PS256"),
      key("ec", { namedCurve: "P-256" }, "ES256"), key("ed25519", {}, "EdDSA")
    ]
  },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_, resource) => ({
        scope: "pull", audience: resource, accessTokenFormat: "jwt",
        jwt: { sign: { alg: resource.split("/").pop() } }
      })
    }
  }
});
provider.on("server_error", (_, error) => console.error(error));
provider.listen(Number(port), "127.0.0.1");
