// What tests tell the provider, below /test/, all by POST:
//
//   accounts  {login, password, subject, claims}   somebody is there from now on, or is changed
//   rotate    {key_id}                             new keys, and none of the earlier ones
//   sign      {header, claims, by}                 any token at all, signed by `own` key, by an `other` one under the same
//                                                  id, by the `public` one as if it were a secret, or by `none`
import { createHmac, createPublicKey, createPrivateKey, generateKeyPairSync, sign } from "node:crypto";

import { body } from "./people.mjs";

const other = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

const signed = ({ header, claims, by }, keys) => {
  const own = keys.find(({ alg }) => alg === "RS256");
  const alg = { own: "RS256", other: "RS256", public: "HS256", none: "none" }[by];
  const message = `${encode({ alg, kid: own.kid, typ: "JWT", ...header })}.${encode(claims)}`;
  const privateKey = createPrivateKey({ key: own, format: "jwk" });
  const signature = {
    own: () => sign("RSA-SHA256", Buffer.from(message), privateKey),
    other: () => sign("RSA-SHA256", Buffer.from(message), other),
    public: () => {
      const secret = createPublicKey(privateKey).export({ type: "spki", format: "pem" });
      return createHmac("sha256", secret).update(message).digest();
    },
    none: () => Buffer.alloc(0)
  }[by]();
  return `${message}.${signature.toString("base64url")}`;
};

export const control = async (request, response, { accounts, current, rotate }) => {
  const answer = (status, text) => response.writeHead(status).end(text);
  if (request.method !== "POST") return answer(405, "");
  const said = JSON.parse(await body(request));
  switch (request.url) {
    case "/test/accounts":
      accounts.set(said.login, said);
      return answer(204);
    case "/test/rotate":
      rotate(said.key_id);
      return answer(204);
    case "/test/sign":
      return answer(200, signed(said, current.keys));
    default:
      return answer(404, "");
  }
};
