import assert from "node:assert/strict";
import { describeError, isServiceError } from "../../src/errors.ts";
import { withAuth } from "../../src/registry/auth.ts";
import { RegistryClient } from "../../src/registry/client.ts";
import { createFetch, type Fetch, type FetchInit } from "../../src/registry/fetch.ts";
import { createTransport, type TransportOptions } from "../../src/registry/transport.ts";
import { orasArtifact } from "../helpers/artifacts.ts";
import { FakeRegistry } from "../helpers/fake_registry.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { digestOf } from "../helpers/manifest.ts";
import {
  basicAuthorization,
  type BearerAuth,
  type RegistryAuth,
} from "../helpers/registry/auth.ts";
import { status } from "../helpers/registry/faults.ts";

const CREDENTIALS = { username: "robot$säge", password: "s3cret:ü" };
const BEARER: BearerAuth = { mode: "bearer", credentials: CREDENTIALS };
const FIRMWARE = firmwareBytes(1000);
const CROWD = 50;

/** A registry with two repositories, and the time by which its tokens grow old. */
class House implements AsyncDisposable {
  nowMs = 0;
  readonly registry: FakeRegistry;

  constructor(auth: RegistryAuth) {
    this.registry = new FakeRegistry({ auth, now: () => this.nowMs });
    for (const name of ["led", "pump"]) {
      this.registry.push(name, "1.0.0", orasArtifact(FIRMWARE));
    }
  }

  transport(options: Partial<TransportOptions> = {}): Fetch {
    return createTransport({
      registry: new URL(this.registry.origin),
      credentials: CREDENTIALS,
      userAgent: "test",
      idleMs: 5000,
      now: () => this.nowMs,
      sleep: () => Promise.resolve(),
      ...options,
    });
  }

  client(options: Partial<TransportOptions> = {}): RegistryClient {
    const url = new URL(this.registry.origin);
    return new RegistryClient({ url, repositoryPrefix: "", fetch: this.transport(options) });
  }

  /** What was sent as Authorization, by the kind of request. */
  authorizations(kind: "tags" | "token"): readonly (string | undefined)[] {
    return this.registry.requests.filter((request) => request.kind === kind)
      .map(({ authorization }) => authorization);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.registry[Symbol.asyncDispose]();
  }
}

Deno.test("withAuth() shows no credentials to a registry that does not ask", async () => {
  await using house = new House({ mode: "anonymous" });
  await house.client().listTags("led");
  assert.deepEqual(house.authorizations("tags"), [undefined]);
});

Deno.test("withAuth() answers Basic once asked, and then without being asked", async () => {
  await using house = new House({ mode: "basic", ...CREDENTIALS });
  const client = house.client();
  for (const device of ["led", "pump"]) assert.deepEqual(await client.listTags(device), ["1.0.0"]);
  const basic = basicAuthorization(CREDENTIALS);
  assert.deepEqual(house.authorizations("tags"), [undefined, basic, basic]);
});

/** A password that is changed at will, as in a file. */
class RotatedPassword {
  value = CREDENTIALS.password;
  /** What the registry wants. */
  readonly wanted = { ...CREDENTIALS };

  readonly read = (): Promise<string> => Promise.resolve(this.value);

  change(): void {
    this.value += "1";
    this.wanted.password = this.value;
  }
}

Deno.test("withAuth() shows Basic the password as it is now", async () => {
  const password = new RotatedPassword();
  await using house = new House(Object.assign(password.wanted, { mode: "basic" } as const));
  const client = house.client({ readPassword: password.read });
  await client.listTags("led");
  password.change();
  await client.listTags("led");
  assert.deepEqual(house.authorizations("tags"), [
    undefined,
    basicAuthorization(CREDENTIALS),
    basicAuthorization({ ...CREDENTIALS, password: password.value }),
  ]);
});

Deno.test("withAuth() tries a password that was changed while the one before was refused", async () => {
  const password = new RotatedPassword();
  await using house = new House(Object.assign(password.wanted, { mode: "basic" } as const));
  let reads = 0;
  const client = house.client({
    // What is read third is the first that the registry takes.
    readPassword: () => Promise.resolve(++reads < 3 ? CREDENTIALS.password : password.value),
  });
  await client.listTags("led");
  password.change();
  await client.listTags("led");
  const before = basicAuthorization(CREDENTIALS);
  const now = basicAuthorization(password.wanted);
  assert.deepEqual(house.authorizations("tags"), [undefined, before, before, undefined, now]);
});

Deno.test("withAuth() asks for a token with the password as it is now", async () => {
  const password = new RotatedPassword();
  await using house = new House({ mode: "bearer", credentials: password.wanted });
  const client = house.client({ readPassword: password.read });
  await client.listTags("led");
  password.change();
  // The token that is there still holds.
  await client.listTags("led");
  await client.listTags("pump");
  assert.deepEqual(house.authorizations("token"), [
    basicAuthorization(CREDENTIALS),
    basicAuthorization({ ...CREDENTIALS, password: password.value }),
  ]);
});

Deno.test("withAuth() gets a token as the challenge says", async (t) => {
  const doors: Readonly<Record<string, Partial<BearerAuth>>> = {
    "named token": { tokenMember: "token" },
    "named access_token": { tokenMember: "access_token" },
    "under both names": { tokenMember: "both" },
    "for more than it needs": { actions: "pull,push,delete" },
    "without a stated time": { expiresIn: "absent" },
  };
  for (const [name, door] of Object.entries(doors)) {
    await t.step(name, async () => {
      await using house = new House({ ...BEARER, ...door });
      assert.deepEqual(await house.client().listTags("led"), ["1.0.0"]);
      assert.deepEqual(house.authorizations("token"), [basicAuthorization(CREDENTIALS)]);
      const [token] = house.registry.tokens;
      assert.deepEqual(token?.scopes, [`repository:led:${door.actions ?? "pull"}`]);
      assert.deepEqual(house.authorizations("tags"), [undefined, `Bearer ${token?.token}`]);
    });
  }
  await t.step("as nobody", async () => {
    await using house = new House({ mode: "bearer" });
    assert.deepEqual(await house.client({ credentials: undefined }).listTags("led"), ["1.0.0"]);
    assert.deepEqual(house.authorizations("token"), [undefined]);
  });
});

Deno.test("withAuth() uses a token for all that it asks of a repository", async () => {
  await using house = new House(BEARER);
  const client = house.client();
  const blob = { mediaType: "", digest: digestOf(FIRMWARE) as `sha256:${string}`, size: 1000 };
  await client.listTags("led");
  await client.peekDigest("led", "1.0.0");
  await client.fetchManifest("led", "1.0.0");
  assert.deepEqual(await new Response(await client.openBlob("led", blob)).bytes(), FIRMWARE);
  assert.equal(house.registry.tokens.length, 1);
  await client.listTags("pump");
  await client.listTags("led");
  const scopes = house.registry.tokens.map(({ scopes }) => scopes);
  assert.deepEqual(scopes, [["repository:led:pull"], ["repository:pump:pull"]]);
});

Deno.test("withAuth() keeps a token for its time and renews it before that is over", async (t) => {
  for (const [expiresIn, seconds] of [[300, 300], ["absent", 60]] as const) {
    await t.step(`expires_in ${expiresIn}`, async () => {
      await using house = new House({ ...BEARER, expiresIn });
      const client = house.client();
      await client.listTags("led");
      house.nowMs = seconds * 1000 * 0.85;
      await client.listTags("led");
      assert.equal(house.registry.tokens.length, 1);
      house.nowMs = seconds * 1000 - 1;
      house.registry.forgetRequests();
      await client.listTags("led");
      assert.equal(house.registry.tokens.length, 2);
    });
  }
});

Deno.test("withAuth() asks once for a token that many wait for", async (t) => {
  await using house = new House(BEARER);
  let refused = 0;
  let allRefused = Promise.withResolvers<void>();
  const direct = createFetch({ userAgent: "test" });
  const fetch = withAuth(async (url, init) => {
    const response = await direct(url, init);
    if (response.status === 401 && ++refused === CROWD) allRefused.resolve();
    return response;
  }, { registry: new URL(house.registry.origin), credentials: CREDENTIALS });
  const url = `${house.registry.origin}/v2/led/tags/list`;
  const ask = async (): Promise<number> => {
    const init = { method: "GET", headers: {}, scope: "repository:led:pull" } as const;
    const response = await fetch(url, init);
    await response.body?.cancel();
    return response.status;
  };

  for (const situation of ["none had one", "theirs was revoked"]) {
    await t.step(situation, async () => {
      refused = 0;
      allRefused = Promise.withResolvers();
      house.registry.revokeTokens();
      const gate = house.registry.gate({ kind: "token" });
      const crowd = Promise.all(Array.from({ length: CROWD }, ask));
      await Promise.all([allRefused.promise, gate.arrived()]);
      gate.open();
      assert.deepEqual(await crowd, Array(CROWD).fill(200));
      assert.equal(gate.arrivals, 1);
    });
  }
});

Deno.test("withAuth() lets a request that is refused late use the token of an earlier one", async () => {
  const refusal = Promise.withResolvers<void>();
  let tokens = 0;
  const fetch = withAuth(async (url, { headers }) => {
    if (url.includes("/token")) return Response.json({ token: `t${++tokens}` });
    if (new Headers(headers).has("authorization")) return new Response(null);
    if (url.endsWith("/late")) await refusal.promise;
    const challenge = 'Bearer realm="https://registry.example/token"';
    return new Response(null, { status: 401, headers: { "www-authenticate": challenge } });
  }, { registry: new URL("https://registry.example") });
  const init = { method: "GET", headers: {}, scope: "repository:led:pull" } as const;
  const late = fetch("https://registry.example/late", init);
  assert.equal((await fetch("https://registry.example/early", init)).status, 200);
  refusal.resolve();
  assert.equal((await late).status, 200);
  assert.equal(tokens, 1);
});

/** As Azure does: tags want another scope than all else, and a token holds for its scope alone. */
function azure(url: string, { headers }: FetchInit): Promise<Response> {
  const { pathname, searchParams } = new URL(url);
  if (pathname === "/token") {
    return Promise.resolve(Response.json({ token: searchParams.get("scope"), expires_in: 300 }));
  }
  const scope = `repository:led:${pathname.endsWith("/tags/list") ? "metadata_read" : "pull"}`;
  if (headers.authorization === `Bearer ${scope}`) return Promise.resolve(new Response());
  const challenge = `Bearer realm="https://registry.example/token",scope="${scope}"`;
  return Promise.resolve(
    new Response(null, { status: 401, headers: { "www-authenticate": challenge } }),
  );
}

Deno.test("withAuth() gets a token for each of two scopes, whatever comes at the same time", async () => {
  const registry = new URL("https://registry.example");
  const fetch = withAuth(azure, { registry, credentials: CREDENTIALS });
  const ask = async (what: string): Promise<number> => {
    const url = `https://registry.example/v2/led/${what}`;
    const init = { method: "GET", headers: {}, scope: "repository:led:pull" } as const;
    return (await fetch(url, init)).status;
  };
  const crowd = Array.from({ length: 10 }, () => ["tags/list", "manifests/1.0.0"]).flat();
  assert.deepEqual(await Promise.all(crowd.map(ask)), crowd.map(() => 200));
  for (const what of crowd) assert.equal(await ask(what), 200, what);
});

Deno.test("withAuth() does not repeat credentials that were just refused", async () => {
  await using house = new House({ mode: "basic", ...CREDENTIALS });
  const wrong = { ...CREDENTIALS, password: "wr0ng" };
  const client = house.client({ credentials: wrong });
  for (let time = 0; time < 2; time++) {
    await assert.rejects(client.listTags("led"), { code: "source-refused" });
  }
  const basic = basicAuthorization(wrong);
  assert.deepEqual(house.authorizations("tags"), [undefined, basic, basic, undefined]);
});

Deno.test("withAuth() asks for a token anew after it did not get one", async () => {
  await using house = new House(BEARER);
  const client = house.client();
  house.registry.fault({ match: { kind: "token" }, times: 3, respond: status(503) });
  await assert.rejects(client.listTags("led"), { code: "source-unavailable" });
  assert.deepEqual(await client.listTags("led"), ["1.0.0"]);
});

Deno.test("withAuth() renews a token that Harbor answers with a Basic challenge", async () => {
  await using house = new House({ ...BEARER, harborHabit: true });
  const client = house.client();
  await client.listTags("led");
  house.registry.revokeTokens();
  house.registry.forgetRequests();
  assert.deepEqual(await client.listTags("led"), ["1.0.0"]);
  const [first, second] = house.registry.tokens;
  assert.deepEqual(house.authorizations("tags"), [
    `Bearer ${first?.token}`,
    undefined,
    `Bearer ${second?.token}`,
  ]);
});

Deno.test("withAuth() prefers a token where there is a choice, and knows when it has nothing", async (t) => {
  const answers = async (challenge: string): Promise<readonly (string | null)[]> => {
    const seen: (string | null)[] = [];
    const fetch = withAuth((url, { headers }) => {
      if (url.startsWith("https://auth.example/")) {
        return Promise.resolve(Response.json({ token: "x" }));
      }
      seen.push(new Headers(headers).get("authorization"));
      const init = { status: 401, headers: { "www-authenticate": challenge } };
      return Promise.resolve(new Response("no", init));
    }, { registry: new URL("https://registry.example"), credentials: CREDENTIALS });
    const response = await fetch("https://registry.example/v2/", { method: "GET", headers: {} });
    assert.equal(response.status, 401);
    return seen;
  };
  const basic = basicAuthorization(CREDENTIALS);
  const cases: Readonly<Record<string, readonly (string | null)[]>> = {
    'Basic realm="x", Bearer realm="https://auth.example/token"': [null, "Bearer x"],
    'Negotiate, Basic realm="x"': [null, basic],
    "Negotiate": [null],
    "": [null],
    '"""': [null],
  };
  for (const [challenge, seen] of Object.entries(cases)) {
    await t.step(challenge, async () => assert.deepEqual(await answers(challenge), seen));
  }
});

Deno.test("withAuth() refuses a user name that would move the border to the password", () => {
  const credentials = { username: "a:b", password: "s3cret" };
  assert.throws(
    () =>
      withAuth(() => Promise.reject(new Error()), { registry: new URL("https://r"), credentials }),
    (error) => isServiceError(error, "source-refused") && !describeError(error).includes("s3cret"),
  );
});
