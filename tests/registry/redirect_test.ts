import assert from "node:assert/strict";
import { isServiceError } from "../../src/errors.ts";
import type { Fetch, FetchInit } from "../../src/registry/fetch.ts";
import { withRedirects } from "../../src/registry/redirect.ts";
import { createTransport } from "../../src/registry/transport.ts";
import { orasArtifact } from "../helpers/artifacts.ts";
import { FakeRegistry } from "../helpers/fake_registry.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { digestOf } from "../helpers/manifest.ts";
import { headers, status } from "../helpers/registry/faults.ts";

const REGISTRY = "https://registry.example";
const ACCEPT = "a/b";
const AUTHORIZATION = "Bearer secret";
const INIT: FetchInit = {
  method: "GET",
  headers: { accept: ACCEPT, Authorization: AUTHORIZATION },
};

interface Asked {
  readonly url: string;
  readonly init: FetchInit;
}

/** A web in memory: what each address redirects to, or the status that it answers. */
class Web {
  readonly asked: Asked[] = [];
  readonly fetch: Fetch;
  cancelled = 0;

  constructor(web: Readonly<Record<string, string | number>>) {
    this.fetch = withRedirects((url, init) => {
      this.asked.push({ url, init });
      const there = web[url] ?? 404;
      const body = new ReadableStream({ cancel: () => void this.cancelled++ });
      return Promise.resolve(
        typeof there === "number"
          ? new Response(body, { status: there })
          : new Response(body, { status: 307, headers: { location: there } }),
      );
    });
  }

  /** The Authorization of each request, in order. */
  get authorizations(): readonly (string | undefined)[] {
    return this.asked.map(({ init }) =>
      new Headers(init.headers).get("authorization") ?? undefined
    );
  }
}

Deno.test("withRedirects() drops Authorization at the border of an origin", async (t) => {
  const cases: Readonly<Record<string, readonly [path: readonly string[], kept: boolean]>> = {
    "the same origin": [["/a", "/b"], true],
    "another host": [["/a", "https://storage.example/b"], false],
    "another port": [["/a", `${REGISTRY}:8443/b`], false],
    "a subdomain": [["/a", "https://blobs.registry.example/b"], false],
    "there and back": [["/a", "https://storage.example/b", `${REGISTRY}/c`], false],
    "an address without scheme": [["/a", "//storage.example/b"], false],
    "a user name before the host": [["/a", "https://registry.example@storage.example/b"], false],
  };
  for (const [name, [path, kept]] of Object.entries(cases)) {
    await t.step(name, async () => {
      const addresses = path.map((address) => new URL(address, REGISTRY).href);
      const web = new Web(Object.fromEntries(
        addresses.map((address, at) => [address, path[at + 1] ?? 200]),
      ));
      const response = await web.fetch(addresses[0] ?? "", INIT);
      await response.body?.cancel();
      assert.equal(response.status, 200);
      assert.deepEqual(web.asked.map(({ url }) => url), addresses);
      assert.equal(web.authorizations[0], AUTHORIZATION);
      assert.equal(web.authorizations.at(-1), kept ? AUTHORIZATION : undefined);
      assert.ok(web.asked.every(({ init }) => new Headers(init.headers).get("accept") === ACCEPT));
      assert.equal(web.cancelled, addresses.length, "answers on the way are let go");
    });
  }
});

Deno.test("withRedirects() drops Authorization on the way from http to https", async () => {
  const web = new Web({ "http://registry.example/": `${REGISTRY}/`, [`${REGISTRY}/`]: 200 });
  const response = await web.fetch("http://registry.example/", INIT);
  await response.body?.cancel();
  assert.deepEqual(web.authorizations, [AUTHORIZATION, undefined]);
});

Deno.test("withRedirects() follows each status that redirects, and no other", async (t) => {
  for (const redirect of [301, 302, 303, 307, 308, 300, 304]) {
    await t.step(`${redirect}`, async () => {
      const fetch = withRedirects((url) =>
        Promise.resolve(
          url.endsWith("/b")
            ? new Response(null)
            : new Response(null, { status: redirect, headers: { location: "/b" } }),
        )
      );
      const response = await fetch(`${REGISTRY}/a`, INIT);
      assert.equal(response.status, [300, 304].includes(redirect) ? redirect : 200);
    });
  }
  const fetch = withRedirects(() => Promise.resolve(new Response(null, { status: 307 })));
  assert.equal((await fetch(REGISTRY, INIT)).status, 307, "a redirect to nowhere");
});

Deno.test("withRedirects() refuses where it must not go", async (t) => {
  const cases: Readonly<Record<string, string>> = {
    "from https to http": "http://registry.example/b",
    "from https to http elsewhere": "http://storage.example/b",
    "a file": "file:///etc/passwd",
    "data": "data:application/json,{}",
    "a script": "javascript:alert(1)",
    "garbage": "https://[",
  };
  for (const [name, location] of Object.entries(cases)) {
    await t.step(name, async () => {
      const web = new Web({ [`${REGISTRY}/a`]: location });
      await assert.rejects(web.fetch(`${REGISTRY}/a`, INIT), { code: "source-invalid" });
      assert.equal(web.asked.length, 1);
      assert.equal(web.cancelled, 1);
    });
  }
});

Deno.test("withRedirects() follows five redirects and no loops", async () => {
  const chain = (hops: number): Web =>
    new Web(Object.fromEntries(
      Array.from(
        { length: hops + 1 },
        (_, hop) => [`${REGISTRY}/${hop}`, hop === hops ? 200 : `/${hop + 1}`],
      ),
    ));
  const response = await chain(5).fetch(`${REGISTRY}/0`, INIT);
  await response.body?.cancel();
  assert.equal(response.status, 200);
  await assert.rejects(chain(6).fetch(`${REGISTRY}/0`, INIT), { code: "source-invalid" });

  const loop = new Web({ [`${REGISTRY}/a`]: "/b", [`${REGISTRY}/b`]: "/a" });
  await assert.rejects(loop.fetch(`${REGISTRY}/a`, INIT), {
    code: "source-invalid",
    message: "Registry redirects more than 5 times",
  });
  assert.equal(loop.asked.length, 6);
});

const CREDENTIALS = { username: "gardener", password: "s3cret" };
const FIRMWARE = firmwareBytes(50_000);
const BLOB = digestOf(FIRMWARE);

function withBlob(): FakeRegistry {
  const registry = new FakeRegistry({
    auth: { mode: "basic", ...CREDENTIALS },
    redirectBlobs: true,
  });
  registry.push("dev/led", "1.0.0", orasArtifact(FIRMWARE));
  return registry;
}

function fetchBlob(registry: FakeRegistry): Promise<Response> {
  const transport = createTransport({
    registry: new URL(registry.origin),
    credentials: CREDENTIALS,
    userAgent: "test",
    idleMs: 5000,
    sleep: () => Promise.resolve(),
  });
  return transport(`${registry.origin}/v2/dev/led/blobs/${BLOB}`, { method: "GET", headers: {} });
}

Deno.test("createTransport() takes a blob from the storage without showing credentials", async () => {
  await using registry = withBlob();
  const response = await fetchBlob(registry);
  assert.equal(digestOf(await response.bytes()), BLOB);
  const storage = registry.requests.filter(({ kind }) => kind === "storage");
  assert.deepEqual(storage.map(({ authorization }) => authorization), [undefined]);
  assert.ok(registry.requests.some(({ kind, authorization }) => kind === "blob" && authorization));
});

Deno.test("createTransport() does not answer a storage that wants to know who asks", async (t) => {
  for (const code of [401, 403]) {
    await t.step(`${code}`, async () => {
      await using registry = withBlob();
      const challenge = { "www-authenticate": `Bearer realm="${registry.origin}/token"` };
      registry.fault({ match: { kind: "storage" }, respond: status(code, { headers: challenge }) });
      await assert.rejects(fetchBlob(registry), { code: "source-unavailable" });
      const storage = registry.requests.filter(({ kind }) => kind === "storage");
      assert.equal(storage.length, 3);
      assert.ok(storage.every(({ authorization }) => authorization === undefined));
      assert.equal(registry.count({ kind: "token" }), 0);
    });
  }
});

Deno.test("createTransport() does not follow a blob to another kind of address", async () => {
  await using registry = withBlob();
  registry.fault({ match: { kind: "blob" }, respond: headers({ location: "file:///etc/passwd" }) });
  await assert.rejects(
    fetchBlob(registry),
    (error) => isServiceError(error, "source-invalid") && !error.message.includes("passwd"),
  );
});

Deno.test("withRedirects() is not led to what only this machine can reach", async (t) => {
  const cases: readonly (readonly [to: string, isFollowed: boolean, registry?: string])[] = [
    ["https://127.0.0.1/a", false],
    ["https://localhost./a", false],
    ["https://0/a", false],
    ["https://[::1]/a", false],
    ["https://[::ffff:7f00:1]/a", false],
    ["https://169.254.169.254/latest/meta-data/", false],
    ["https://[::ffff:169.254.169.254]/latest/", false],
    ["https://0xa9fea9fe/latest/", false],
    ["https://[fd00:ec2::254]/latest/", false],
    ["https://100.100.100.200/latest/", false],
    ["https://169.254.169.254/latest/", false, "https://127.0.0.1"],
    ["https://127.0.0.1/a", false, "https://10.0.0.5"],
    // Storages behind a registry, all on one machine or in one network.
    ["https://10.0.0.7/a", true],
    ["https://127.0.0.1:9000/a", true, "https://localhost:5000"],
  ];
  for (const [to, isFollowed, registry = REGISTRY] of cases) {
    await t.step(`${registry} to ${to}`, async () => {
      const next = new URL(to).href;
      const web = new Web({ [`${registry}/a`]: to, [next]: 200 });
      const answer = web.fetch(`${registry}/a`, INIT);
      if (isFollowed) await (await answer).body?.cancel();
      else {
        await assert.rejects(
          answer,
          (error) =>
            isServiceError(error, "source-invalid") && /only this machine/.test(error.message),
        );
      }
      assert.equal(web.asked.length, isFollowed ? 2 : 1);
    });
  }
});
