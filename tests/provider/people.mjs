// Who signs in at the provider, and the pages on which they do.

const MOST_BYTES = 1_000_000;

// What a request brings; tests send little.
export const body = async (request) => {
  const parts = [];
  let size = 0;
  for await (const part of request) {
    size += part.length;
    if (size > MOST_BYTES) throw Object.assign(new Error("too much"), { status: 413 });
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
};

const page = (title, content) => `<!doctype html><html lang="en"><meta charset="utf-8"><title>${title}</title>
<h1>${title}</h1>${content}</html>`;

const loginPage = (uid, hint) => page("Provider of the tests", `${hint}
<form method="post" action="/interaction/${uid}">
<label>Name <input name="login" autocomplete="off" autofocus></label>
<label>Password <input name="password" type="password" autocomplete="off"></label>
<button type="submit">Sign in</button>
</form>`);

export class Accounts {
  // By what they type as their name: `{ password, subject, claims }`. Two are there from the start, for whoever looks around.
  #byLogin = new Map([
    ["alice", { password: "hunter2", subject: "subject-of-alice", claims: known("alice", ["platform"]) }],
    ["bob", { password: "hunter2", subject: "subject-of-bob", claims: known("bob", ["developers"]) }]
  ]);

  set(login, account) {
    this.#byLogin.set(login, account);
  }

  // What oidc-provider wants to know; nothing of a subject that it does not know.
  ofSubject(subject) {
    for (const account of this.#byLogin.values()) {
      if (account.subject === subject) {
        return { accountId: subject, claims: () => ({ ...account.claims, sub: subject }) };
      }
    }
    return undefined;
  }

  // GET shows the page, POST takes what it sends.
  async signIn(request, response, provider) {
    const { uid } = await provider.interactionDetails(request, response);
    const show = (status, hint) =>
      response.writeHead(status, { "content-type": "text/html; charset=utf-8" }).end(loginPage(uid, hint));
    if (request.method !== "POST") return show(200, "");
    const form = new URLSearchParams(await body(request));
    const account = this.#byLogin.get(form.get("login"));
    if (account === undefined || account.password !== form.get("password")) {
      return show(401, "<p>There is nobody with that name and password.</p>");
    }
    const result = { login: { accountId: account.subject }, select_account: {} };
    return provider.interactionFinished(request, response, result);
  }
}

function known(name, groups) {
  return { preferred_username: name, email: `${name}@example.com`, email_verified: true, groups };
}

// The pages of signing in on a device. The form is oidc-provider's own.
export const pages = {
  userCodeInputSource(ctx, form, _, error) {
    const hint = error === undefined ? "" : "<p>There is no such code.</p>";
    ctx.body = page("Your device's code", `${hint}${form}<button type="submit" form="op.deviceInputForm">Go on</button>`);
  },
  userCodeConfirmSource(ctx, form, client, _, code) {
    const send = `<button type="submit" form="op.deviceConfirmForm">It is</button>`;
    ctx.body = page("Is this your device?", `<p>${client.clientId}: <code>${code}</code></p>${form}${send}`);
  },
  successSource(ctx) {
    ctx.body = page("You are signed in", "<p>Go on at your device.</p>");
  }
};
