/**
 * What a registry, or whoever answers in its place, says: challenges, links, tokens, errors, tags.
 */
import assert from "node:assert/strict";
import { isServiceError } from "../../src/errors.ts";
import { withAuth } from "../../src/registry/auth.ts";
import { parseChallenges } from "../../src/registry/challenge.ts";
import { RegistryClient } from "../../src/registry/client.ts";
import { nextLink } from "../../src/registry/link.ts";
import { withRedirects } from "../../src/registry/redirect.ts";
import { retryAfterMs } from "../../src/registry/retry.ts";
import { requestToken } from "../../src/registry/token.ts";
import { asHeader, damagedText, fuzz } from "../helpers/fuzz.ts";
import { oneOf } from "../helpers/mutations.ts";

const REGISTRY = new URL("https://registry.example");
const PASSWORD = "correct-horse-battery";

const CHALLENGES = [
  'Bearer realm="https://auth.example/token",service="registry",scope="repository:a/b:pull"',
  'Basic realm="a \\"b\\""',
  'Negotiate abc==, Bearer realm=x, Basic realm="y"',
];
const LINKS = [
  '</v2/a/tags/list?last=1.0.0&n=2>; rel="next"',
  '<https://registry.example/x>; title="a, b"; rel="prev next", </y>; rel=next',
];
const REALMS = [
  "https://auth.example/token",
  "http://10.0.0.1/",
  "https://localhost/",
  "https://[::1]/",
]
  .concat(["https://user:pw@auth.example/"]);
const TOKENS = ['{"token":"abc","expires_in":300}', '{"access_token":"a.b-c","token":null}'];
const TAGS = ['{"name":"a","tags":["1.0.0","v2.0.0"]}', '{"tags":null}'];
const ERRORS = ['{"errors":[{"code":"NAME_UNKNOWN","message":"x","detail":{}}]}', "<html>"];
const RETRIES = ["120", "Fri, 02 Jan 2026 03:04:05 GMT", "1.5"];

fuzz("challenges are of the grammar", (random) => {
  const header = damagedText(CHALLENGES, random, ["Bearer", "realm=", '="']);
  for (const { scheme, parameters } of parseChallenges(header)) {
    assert.match(scheme, /^[^\s",=]+$/);
    for (const [name] of parameters) assert.match(name, /^[^\s",=]+$/);
  }
});

fuzz("a link's target stands in the header", (random) => {
  const header = damagedText(LINKS, random, ["rel=", "next", '="', "<", ">;"]);
  const target = nextLink(header);
  if (target !== undefined) assert(header.includes(`<${target}>`));
});

fuzz("a pause is a number of milliseconds, or is not there", (random) => {
  const value = asHeader(damagedText(RETRIES, random, ["GMT", "Feb"]));
  const ms = retryAfterMs(new Response(null, { headers: { "retry-after": value } }));
  assert(ms === undefined || ms >= 0, value);
});

fuzz("a token is one header's value, from a realm that is trusted", async (random) => {
  const realm = random() < 0.3 ? oneOf(REALMS, random) : damagedText(REALMS, random, ["@", "//"]);
  const body = damagedText(TOKENS, random, ["token", "expires_in", "null"]);
  const asked: string[] = [];
  try {
    const token = await requestToken((url) => {
      asked.push(url);
      return Promise.resolve(new Response(body, { status: random() < 0.9 ? 200 : 401 }));
    }, {
      registry: REGISTRY,
      realm,
      service: damagedText(["registry"], random).toWellFormed(),
      scope: "repository:a/b:pull",
      authorization: `Basic ${PASSWORD}`,
      now: () => 0,
    });
    new Headers({ authorization: token.authorization });
    assert(token.expiresAtMs > 0);
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error;
    assert(isServiceError(error, "source-invalid", "source-refused"), `${error}`);
    assert(!error.message.includes(PASSWORD));
  }
  for (const url of asked) {
    const { protocol, hostname, username } = new URL(url);
    assert.equal(protocol, "https:");
    assert.equal(username, "");
    assert.doesNotMatch(hostname, /^(localhost\.?|(127|10|169\.254)\.[\d.]+|\[::1\])$/);
  }
});

const SERVICES = [
  "source-invalid",
  "source-refused",
  "source-unavailable",
  "firmware-unknown",
] as const;

fuzz(
  "whatever a registry answers, credentials stay with it, and errors have a code",
  async (random) => {
    const fetch = withAuth(
      withRedirects((url, init) => {
        const { origin } = new URL(url);
        const isOurs = ["https://registry.example", "https://auth.example"].includes(origin);
        const authorization = init.headers.authorization ?? "";
        // A realm may be anywhere that is not inside; a redirect never gets anything.
        if (!isOurs) assert.doesNotMatch(authorization, /^Bearer/, url);
        const answer = random();
        const headers: Record<string, string> = {};
        if (answer < 0.2) {
          headers["www-authenticate"] = asHeader(damagedText(CHALLENGES, random));
          return Promise.resolve(new Response(oneOf(ERRORS, random), { status: 401, headers }));
        }
        if (answer < 0.4) {
          headers.location = asHeader(damagedText([...REALMS, "/v2/x"], random));
          return Promise.resolve(new Response(null, { status: 307, headers }));
        }
        if (answer < 0.5) {
          const status = oneOf([400, 403, 404, 429, 500], random);
          return Promise.resolve(new Response(damagedText(ERRORS, random), { status }));
        }
        if (random() < 0.5) headers.link = asHeader(damagedText(LINKS, random));
        const texts = url.includes("token") ? TOKENS : TAGS;
        return Promise.resolve(new Response(damagedText(texts, random), { headers }));
      }),
      { registry: REGISTRY, credentials: { username: "u", password: PASSWORD } },
    );
    const client = new RegistryClient({ url: REGISTRY, repositoryPrefix: "", fetch });
    try {
      for (const tag of await client.listTags("a/b")) assert.match(tag, /^[\w.-]{1,128}$/);
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
      assert(isServiceError(error, ...SERVICES), `${error}`);
      assert(!error.message.includes(PASSWORD));
    }
  },
);
