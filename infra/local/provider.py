"""The OpenID provider of a local stack: that of the tests, which is certified and plays the company's own."""
import pathlib

import servers
from servers import Problem

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "tests" / "provider" / "provider.mjs"
MODULES = ROOT / "target" / "provider" / "node_modules"
# Those that it knows from the start; tests make people of their own.
PEOPLE = "alice (superuser) and bob, with the password hunter2"


def issuer(port):
    return f"http://127.0.0.1:{port}"


def start(folder, port, redirect_uri):
    """Starts it for a console at `redirect_uri`; returns the template's parameters by which people sign in there."""
    if not MODULES.is_dir():
        raise Problem(f"{MODULES} is missing: run `make setup`")
    command = ["node", str(PROGRAM), str(MODULES), str(port), issuer(port), "k1", redirect_uri]
    servers.wait(
        servers.start(folder, "provider", command), "provider", f"{issuer(port)}/.well-known/openid-configuration", folder)
    return {"OidcIssuer": issuer(port), "OidcClientId": "moorage", "OidcSuperuserGroup": "platform"}
