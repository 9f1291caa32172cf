import assert from "node:assert/strict";
import { describeError, type ErrorCode, isServiceError, ServiceError } from "../../src/errors.ts";
import type { Fetch, FetchInit } from "../../src/registry/fetch.ts";
import { requestToken, type Token, type TokenRequest } from "../../src/registry/token.ts";

const BASIC = "Basic c2VjcmV0OnMzY3JldA==";
const TOKEN = "t0ken";
const NOW_MS = 1_000_000;
const REQUEST: TokenRequest = {
  registry: new URL("https://registry.example"),
  realm: "https://auth.example/token",
  service: undefined,
  scope: "",
  authorization: undefined,
  now: () => NOW_MS,
};

/** A token server in memory. */
class TokenServer {
  readonly asked: { readonly url: URL; readonly init: FetchInit }[] = [];
  readonly #answer: () => Response;

  constructor(answer: () => Response = () => Response.json({ token: TOKEN })) {
    this.#answer = answer;
  }

  request(request: Partial<TokenRequest> = {}): Promise<Token> {
    const fetch: Fetch = (url, init) => {
      this.asked.push({ url: new URL(url), init });
      return Promise.resolve(this.#answer());
    };
    return requestToken(fetch, { ...REQUEST, ...request });
  }
}

Deno.test("requestToken() asks for each scope at the realm", async () => {
  const server = new TokenServer();
  await server.request({
    realm: "https://auth.example/token?account=me",
    service: "the registry & co",
    scope: "repository:a/b:pull,push  repository:c:pull",
    authorization: BASIC,
  });
  const [asked] = server.asked;
  assert.equal(asked?.url.origin, "https://auth.example");
  assert.equal(asked?.url.pathname, "/token");
  assert.equal(asked?.url.searchParams.get("account"), "me");
  assert.equal(asked?.url.searchParams.get("service"), "the registry & co");
  assert.deepEqual(asked?.url.searchParams.getAll("scope"), [
    "repository:a/b:pull,push",
    "repository:c:pull",
  ]);
  assert.deepEqual(asked?.init, {
    kind: "token",
    method: "GET",
    headers: { authorization: BASIC },
    documentLimitBytes: 64 * 1024,
  });
});

Deno.test("requestToken() asks as nobody where there are no credentials", async () => {
  const server = new TokenServer();
  await server.request();
  assert.equal(server.asked[0]?.url.search, "");
  assert.deepEqual(server.asked[0]?.init.headers, {});
});

Deno.test("requestToken() takes the token under either name, for as long as it holds", async (t) => {
  // Tokens are renewed when nine tenths of their time are over.
  const cases = [
    [{ token: TOKEN }, 54],
    [{ access_token: TOKEN }, 54],
    [{ token: TOKEN, access_token: "another" }, 54],
    [{ token: "", access_token: TOKEN }, 54],
    [{ token: null, access_token: TOKEN, expires_in: null }, 54],
    [{ token: TOKEN, expires_in: 300, issued_at: "2026-01-01T00:00:00Z" }, 270],
    [{ token: TOKEN, expires_in: 10 }, 9],
    [{ token: TOKEN, expires_in: 0 }, 54],
    [{ token: TOKEN, expires_in: -5 }, 54],
  ] as const;
  for (const [answer, seconds] of cases) {
    await t.step(JSON.stringify(answer), async () => {
      assert.deepEqual(await new TokenServer(() => Response.json(answer)).request(), {
        authorization: `Bearer ${TOKEN}`,
        expiresAtMs: NOW_MS + seconds * 1000,
      });
    });
  }
});

Deno.test("requestToken() refuses an answer without a token", async (t) => {
  const bodies: Readonly<Record<string, string>> = {
    "no member": "{}",
    "empty": '{"token":"","access_token":null}',
    "a line break, which would begin another header": String.raw`{"token":"a\r\nx: y"}`,
    "a space": '{"token":"a b"}',
    "letters that no header holds": '{"token":"ä"}',
    "no text": '{"token":1}',
    "a time that is none": '{"token":"a","expires_in":"long"}',
    "no object": '["token"]',
    "garbage": '{"token": "t0k',
    "nothing": "",
    "endless": `{"token":"${"a".repeat(64 * 1024)}"}`,
  };
  for (const [name, body] of Object.entries(bodies)) {
    await t.step(name, async () => {
      const server = new TokenServer(() => new Response(body));
      await assert.rejects(server.request(), { code: "source-invalid" });
    });
  }
});

Deno.test("requestToken() tells what a refusal means", async (t) => {
  const errors = { errors: [{ code: "DENIED", message: "no" }] };
  const cases: readonly (readonly [status: number, code: ErrorCode])[] = [
    [400, "source-invalid"],
    [401, "source-refused"],
    [403, "source-refused"],
    [404, "source-invalid"],
    [429, "source-unavailable"],
    [500, "source-unavailable"],
    [503, "source-unavailable"],
  ];
  for (const [status, code] of cases) {
    await t.step(`${status}`, async () => {
      const headers = {
        "retry-after": "7",
        "docker-distribution-api-version": "registry/2.0",
      };
      const server = new TokenServer(() => Response.json(errors, { status, headers }));
      await assert.rejects(server.request({ authorization: BASIC }), (error) => {
        assert.ok(isServiceError(error, code), describeError(error));
        assert.match(error.message, /^Cannot get a token from auth\.example: /);
        assert.equal(error.retryAfterSeconds, code === "source-unavailable" ? 7 : undefined);
        assert.ok(!describeError(error).includes(BASIC));
        return true;
      });
    });
  }
});

for (const code of ["source-unavailable", "source-timeout"] as const) {
  Deno.test(`requestToken() says who has sent it where there is ${code}`, async () => {
    const fetch: Fetch = () =>
      Promise.reject(
        new ServiceError(code, "Registry cannot be reached", {
          cause: "Connection refused",
          retryAfterSeconds: 7,
        }),
      );
    await assert.rejects(requestToken(fetch, REQUEST), (error) => {
      assert.ok(isServiceError(error, code));
      assert.equal(
        describeError(error),
        "Cannot get a token from auth.example, where the registry sends us: Connection refused",
      );
      assert.equal(error.retryAfterSeconds, 7);
      return true;
    });
    // The registry's own address is the operator's.
    const own = { ...REQUEST, realm: "https://registry.example/v2/token" };
    await assert.rejects(requestToken(fetch, own), { code, message: "Registry cannot be reached" });
  });
}

Deno.test("requestToken() trusts a realm no more than the registry", async (t) => {
  const outside = "https://registry.example";
  const inside = "http://192.168.1.5:5000";
  const cases: readonly (readonly [registry: string, realm: string, trusted: boolean])[] = [
    [outside, "https://auth.example/token", true],
    [outside, "https://registry.example/service/token", true],
    [outside, "https://8.8.8.8/token", true],
    [outside, "https://[2001:4860:4860::8888]/token", true],
    [outside, "https://notlocalhost/token", true],
    ["http://registry.example", "http://auth.example/token", true],
    ["http://registry.example", "https://auth.example/token", true],
    [inside, "http://10.0.0.1/token", true],
    [inside, "http://localhost/token", true],
    [inside, "https://auth.example/token", true],
    ["https://localhost:5000", "https://127.0.0.1/token", true],
    ["https://localhost:5000", "http://localhost:5000/token", false],

    [outside, "http://auth.example/token", false],
    [outside, "http://registry.example/token", false],
    [outside, "file:///etc/passwd", false],
    [outside, "data:application/json,{}", false],
    [outside, "ftp://auth.example/token", false],
    [outside, "javascript:alert(1)", false],
    [outside, "https://me@auth.example/token", false],
    [outside, "https://me:s3cret@auth.example/token", false],
    [outside, "https://:s3cret@auth.example/token", false],
    [outside, "", false],
    [outside, "/token", false],
    [outside, "auth.example/token", false],
    [outside, "https://", false],
    [outside, "https://[::1", false],

    ["http://registry.example", "http://127.0.0.1/token", false],
    [outside, "https://localhost/token", false],
    [outside, "https://localhost./token", false],
    [outside, "https://LOCALHOST/token", false],
    [outside, "https://x.localhost/token", false],
    [outside, "https://127.0.0.1/token", false],
    [outside, "https://127.1/token", false],
    [outside, "https://0x7f000001/token", false],
    [outside, "https://2130706433/token", false],
    [outside, "https://0.0.0.0/token", false],
    [outside, "https://10.1.2.3/token", false],
    [outside, "https://100.64.0.1/token", false],
    [outside, "https://169.254.169.254/latest/meta-data", false],
    [outside, "https://172.16.0.1/token", false],
    [outside, "https://172.31.255.255/token", false],
    [outside, "https://172.32.0.1/token", true],
    [outside, "https://192.168.0.1/token", false],
    [outside, "https://[::]/token", false],
    [outside, "https://[::1]/token", false],
    [outside, "https://[::ffff:127.0.0.1]/token", false],
    [outside, "https://[fd00::1]/token", false],
    [outside, "https://[fe80::1]/token", false],
  ];
  for (const [registry, realm, trusted] of cases) {
    await t.step(`${registry} names ${realm === "" ? "nothing" : realm}`, async () => {
      const server = new TokenServer();
      const token = server.request({ registry: new URL(registry), realm, authorization: BASIC });
      if (trusted) {
        await token;
        assert.equal(server.asked.length, 1);
        return;
      }
      await assert.rejects(token, (error) => {
        assert.ok(isServiceError(error, "source-invalid"));
        assert.doesNotMatch(describeError(error), /s3cret|passwd|c2Vjcm/);
        return true;
      });
      assert.equal(server.asked.length, 0, "nothing is sent there");
    });
  }
});
