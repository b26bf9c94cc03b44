// An identity provider for tests: oidc-provider, which is certified, with the people and clients that the tests know.
// Usage: node oidc.mjs PORT MODULES, where MODULES is the folder `node_modules` is in.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [port, modules] = process.argv.slice(2);
const require = createRequire(pathToFileURL(`${modules}/`));
const { default: Provider } = await import(pathToFileURL(require.resolve("oidc-provider")).href);

const issuer = `http://127.0.0.1:${port}`;
const redirect_uris = ["http://127.0.0.1:8080/auth/v1/callback/test"];
const client = (client_id, client_secret) => ({ client_id, client_secret, redirect_uris, grant_types: ["authorization_code"] });

const provider = new Provider(issuer, {
    clients: [client("wharf", "canary-client-secret"), client("other", "canary-other-secret")],
    pkce: { required: () => true },
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
    findAccount: (_, id) => ({
        accountId: id,
        claims: () => ({ sub: id, name: `${id} of elsewhere`, email: `${id}@example.org`, email_verified: id !== "mallory" }),
    }),
});
provider.listen(Number(port), "127.0.0.1");
