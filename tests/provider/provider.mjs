// An OpenID provider for tests, on loopback: oidc-provider, which is certified, with keys and clients of its own.
//
//   node provider.mjs MODULES PORT ISSUER KEY_ID [REDIRECT_URI]
//
// MODULES is where npm has installed it. Two kinds of clients are known:
//
// - workloads get an access token for themselves, which is a JSON Web Token of the audience that they ask for as `resource`;
//   what that ends with is the algorithm;
// - people sign in at `moorage`, a public client: by code with PKCE, back to REDIRECT_URI, or on a device. Who they are,
//   tests say below /test/ (people.mjs).
//
// Another issuer than its own makes a forger of it.
import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import { pathToFileURL } from "node:url";

import { Accounts, pages } from "./people.mjs";
import { control } from "./control.mjs";

const [modules, port, issuer, keyId, redirectUri = "http://localhost/console"] = process.argv.slice(2);
const { default: Provider, interactionPolicy } = await import(pathToFileURL(`${modules}/oidc-provider/lib/index.js`));

// Whoever is signed in at the provider is asked again who they are, if that is wanted, as other providers do it.
const policy = interactionPolicy.base();
policy.add(new interactionPolicy.Prompt({ name: "select_account", requestable: true }), 0);

const key = (id, type, options, alg) => ({
  ...generateKeyPairSync(type, options).privateKey.export({ format: "jwk" }), alg, use: "sig", kid: `${id}-${alg}`
});
const keys = (id) => [
  key(id, "rsa", { modulusLength: 2048 }, "RS256"), key(id, "rsa", { modulusLength: 2048 }, "PS256"),
  key(id, "ec", { namedCurve: "P-256" }, "ES256"), key(id, "ed25519", {}, "EdDSA")
];
const workload = (name) => ({
  client_id: name, client_secret: "hunter2", grant_types: ["client_credentials"], response_types: [], redirect_uris: []
});
const forPeople = (name, method) => ({
  client_id: name, ...method, redirect_uris: [redirectUri], response_types: ["code"],
  grant_types: ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"]
});
const accounts = new Accounts();

const provide = (jwks) => {
  const provider = new Provider(issuer, {
    clients: [
      ...["repo:acme/app:ref:refs/heads/main", "repo:acme/app:pull_request"].map(workload),
      forPeople("moorage", { token_endpoint_auth_method: "none" }),
      // The same of a provider that wants a secret besides.
      forPeople("moorage-confidential", { client_secret: "hunter2" })
    ],
    jwks: { keys: jwks },
    cookies: { keys: ["of no use to anybody"] },
    findAccount: (_, subject) => accounts.ofSubject(subject),
    // Most providers say in the ID token what they know.
    conformIdTokenClaims: false,
    claims: {
      openid: ["sub"], profile: ["preferred_username", "name", "upn", "groups"], email: ["email", "email_verified"]
    },
    issueRefreshToken: (_, client) => client.grantTypeAllowed("refresh_token"),
    // Nobody is asked whether the client may know these: it is the company's own.
    async loadExistingGrant(ctx) {
      const grant = new ctx.oidc.provider.Grant({
        clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId
      });
      grant.addOIDCScope("openid profile email offline_access");
      await grant.save();
      return grant;
    },
    interactions: { policy, url: (_, interaction) => `/interaction/${interaction.uid}` },
    ttl: {
      AccessToken: 3600, AuthorizationCode: 60, DeviceCode: 600, Grant: 86_400, IdToken: 3600, Interaction: 600,
      RefreshToken: 86_400, Session: 86_400
    },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      deviceFlow: { enabled: true, ...pages },
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
  return { provider, answer: provider.callback(), keys: jwks };
};

// What runs now: rotation puts another one in its place, which knows whatever the earlier one did.
const current = provide(keys(keyId));
const rotate = (id) => Object.assign(current, provide(keys(id)));

createServer((request, response) => {
  const handle = async () => {
    if (request.url.startsWith("/test/")) return control(request, response, { accounts, current, rotate });
    if (request.url.startsWith("/interaction/")) return accounts.signIn(request, response, current.provider);
    return current.answer(request, response);
  };
  handle().catch((error) => {
    console.error(error);
    response.writeHead(error.status ?? 500).end(`${error}`);
  });
}).listen(Number(port), "127.0.0.1");
