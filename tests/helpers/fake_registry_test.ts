import assert from "node:assert/strict";
import { dockerImage, imageIndex, orasArtifact } from "./artifacts.ts";
import { debianTool } from "./debian.ts";
import { FakeRegistry, type FakeRegistryOptions } from "./fake_registry.ts";
import { firmwareBytes } from "./firmware_bytes.ts";
import { describeArtifact, digestOf, manifestOf, MEDIA_TYPES } from "./manifest.ts";
import { basicAuthorization } from "./registry/auth.ts";
import * as faults from "./registry/faults.ts";
import { Gate } from "./registry/gate.ts";

const REPOSITORY = "garden/pump";
const FIRMWARE = firmwareBytes(10_000);
const ARTIFACT = orasArtifact(FIRMWARE);
const BLOB = digestOf(FIRMWARE);
const CREDENTIALS = { username: "gardener", password: "säge:1" };

function withFirmware(options: FakeRegistryOptions = {}): FakeRegistry {
  const registry = new FakeRegistry(options);
  registry.push(REPOSITORY, "1.0.0", ARTIFACT);
  return registry;
}

interface Asked {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Uint8Array;
  readonly json: () => unknown;
}

async function ask(registry: FakeRegistry, path: string, init: RequestInit = {}): Promise<Asked> {
  const address = new URL(path, `${registry.origin}/v2/${REPOSITORY}/`);
  const response = await fetch(address, { redirect: "manual", ...init });
  const body = await response.bytes();
  const { status, headers } = response;
  return { status, headers, body, json: () => JSON.parse(new TextDecoder().decode(body)) };
}

function codeOf(answer: Asked): string {
  return (answer.json() as { errors: { code: string }[] }).errors[0]?.code ?? "";
}

Deno.test("FakeRegistry serves manifests by tag and by digest", async () => {
  await using registry = withFirmware();
  for (const reference of ["1.0.0", ARTIFACT.digest]) {
    const got = await ask(registry, `manifests/${reference}`);
    assert.deepEqual(got.body, ARTIFACT.manifest);
    assert.equal(got.headers.get("content-type"), ARTIFACT.mediaType);
    assert.equal(got.headers.get("docker-content-digest"), ARTIFACT.digest);

    const head = await ask(registry, `manifests/${reference}`, { method: "HEAD" });
    assert.equal(head.headers.get("content-length"), `${ARTIFACT.manifest.length}`);
    assert.equal(head.headers.get("docker-content-digest"), ARTIFACT.digest);
    assert.equal(head.body.length, 0);
  }
});

Deno.test("FakeRegistry answers 304 to a client that has the manifest", async () => {
  await using registry = withFirmware();
  const headers = { "if-none-match": `"${ARTIFACT.digest}"` };
  assert.equal((await ask(registry, "manifests/1.0.0", { headers })).status, 304);
});

Deno.test("FakeRegistry says in the specification's codes what it does not have", async () => {
  await using registry = withFirmware();
  const absent = `sha256:${"0".repeat(64)}`;
  const cases = [
    ["manifests/9.9.9", 404, "MANIFEST_UNKNOWN"],
    [`manifests/${absent}`, 404, "MANIFEST_UNKNOWN"],
    [`blobs/${absent}`, 404, "BLOB_UNKNOWN"],
    ["/v2/nobody/tags/list", 404, "NAME_UNKNOWN"],
    ["/v2/nobody/manifests/1.0.0", 404, "NAME_UNKNOWN"],
    [`referrers/${absent}`, 404, "UNSUPPORTED"],
    ["tags/list?n=x", 400, "PAGINATION_NUMBER_INVALID"],
  ] as const;
  for (const [path, status, code] of cases) {
    const answer = await ask(registry, path);
    assert.deepEqual([answer.status, codeOf(answer)], [status, code], path);
  }
  registry.deleteTag(REPOSITORY, "1.0.0");
  assert.equal((await ask(registry, "manifests/1.0.0")).status, 404);
  assert.equal((await ask(registry, `manifests/${ARTIFACT.digest}`)).status, 200);
  registry.deleteRepository(REPOSITORY);
  assert.equal((await ask(registry, `manifests/${ARTIFACT.digest}`)).status, 404);
});

Deno.test("FakeRegistry serves blobs whole and in ranges", async () => {
  await using registry = withFirmware();
  const cases = [
    [undefined, 200, null, FIRMWARE],
    ["bytes=0-3", 206, "bytes 0-3/10000", FIRMWARE.subarray(0, 4)],
    ["bytes=9998-", 206, "bytes 9998-9999/10000", FIRMWARE.subarray(9998)],
    ["bytes=9998-20000", 206, "bytes 9998-9999/10000", FIRMWARE.subarray(9998)],
    ["bytes=-2", 206, "bytes 9998-9999/10000", FIRMWARE.subarray(9998)],
    ["lines=1-2", 200, null, FIRMWARE],
  ] as const;
  for (const [range, status, contentRange, body] of cases) {
    const headers = { ...(range && { range }) };
    const answer = await ask(registry, `blobs/${BLOB}`, { headers });
    assert.equal(answer.status, status, range);
    assert.equal(answer.headers.get("content-range"), contentRange);
    assert.deepEqual(answer.body, body);
  }
  const beyond = await ask(registry, `blobs/${BLOB}`, { headers: { range: "bytes=10000-" } });
  assert.equal(beyond.status, 416);
  assert.equal(beyond.headers.get("content-range"), "bytes */10000");
  const head = await ask(registry, `blobs/${BLOB}`, { method: "HEAD" });
  assert.equal(head.headers.get("content-length"), "10000");
});

async function pages(registry: FakeRegistry, path: string): Promise<readonly string[]> {
  const seen: string[] = [];
  for (let next: string | undefined = path; next !== undefined;) {
    const answer = await ask(registry, next);
    seen.push((answer.json() as { tags: string[] }).tags.join(" "));
    next = /^<(.*)>; rel="next"$/.exec(answer.headers.get("link") ?? "")?.[1];
  }
  return seen;
}

Deno.test("FakeRegistry pages tags as far as client and options ask for it", async (t) => {
  const cases: [string, FakeRegistryOptions["tags"], string, string[]][] = [
    ["all at once", {}, "tags/list", ["a b c d e"]],
    ["n of the client", {}, "tags/list?n=2", ["a b", "c d", "e"]],
    ["last of the client", {}, "tags/list?last=bb", ["c d e"]],
    ["nothing asked", {}, "tags/list?n=0", [""]],
    ["forced size", { pageSize: 3 }, "tags/list", ["a b c", "d e"]],
    ["forced size below n", { pageSize: 3 }, "tags/list?n=4", ["a b c", "d e"]],
    ["a page that ends the list", {}, "tags/list?n=5", ["a b c d e"]],
    ["order of pushing", { order: "pushed" }, "tags/list?n=2", ["c a", "e b", "d"]],
  ];
  for (const [name, tags, path, expected] of cases) {
    await t.step(name, async () => {
      await using registry = new FakeRegistry({ ...(tags && { tags }) });
      for (const tag of ["c", "a", "e", "b", "d"]) registry.push(REPOSITORY, tag, ARTIFACT);
      assert.deepEqual(await pages(registry, path), expected);
    });
  }
});

Deno.test("FakeRegistry links the next page by path, or by address when told to", async () => {
  for (const links of ["relative", "absolute"] as const) {
    await using registry = new FakeRegistry({ tags: { links } });
    for (const tag of ["a", "b"]) registry.push(REPOSITORY, tag, ARTIFACT);
    const { headers } = await ask(registry, "tags/list?n=1");
    const base = links === "absolute" ? registry.origin : "";
    assert.equal(
      headers.get("link"),
      `<${base}/v2/${REPOSITORY}/tags/list?last=a&n=1>; rel="next"`,
    );
  }
});

Deno.test("FakeRegistry refuses an n above its maximum", async () => {
  await using registry = withFirmware({ tags: { maximum: 100 } });
  assert.equal((await ask(registry, "tags/list?n=100")).status, 200);
  const refused = await ask(registry, "tags/list?n=101");
  assert.deepEqual([refused.status, codeOf(refused)], [400, "PAGINATION_NUMBER_INVALID"]);
});

Deno.test("FakeRegistry lists referrers when it offers them", async () => {
  await using registry = withFirmware({ referrers: true });
  const subject = describeArtifact(ARTIFACT);
  const signature = manifestOf({ artifactType: "a/signature", subject });
  registry.push(REPOSITORY, undefined, signature);
  registry.push(REPOSITORY, undefined, manifestOf({ artifactType: "a/sbom", subject }));
  const all = await ask(registry, `referrers/${subject.digest}`);
  assert.equal((all.json() as { manifests: unknown[] }).manifests.length, 2);
  assert.equal(all.headers.get("content-type"), MEDIA_TYPES.oci.index);
  const some = await ask(registry, `referrers/${subject.digest}?artifactType=a/signature`);
  assert.deepEqual((some.json() as { manifests: unknown[] }).manifests, [{
    ...describeArtifact(signature),
    artifactType: "a/signature",
  }]);
  assert.equal(some.headers.get("oci-filters-applied"), "artifactType");
});

Deno.test("FakeRegistry records every request", async () => {
  await using registry = withFirmware();
  await ask(registry, "manifests/1.0.0?x=1", { headers: { authorization: "Basic eDp5" } });
  await ask(registry, `blobs/${BLOB}`, { method: "HEAD" });
  await ask(registry, "/v2/");
  const [first] = registry.requests;
  assert.equal(first?.kind, "manifest");
  assert.equal(first.repository, REPOSITORY);
  assert.equal(first.reference, "1.0.0");
  assert.equal(first.path, `/v2/${REPOSITORY}/manifests/1.0.0?x=1`);
  assert.equal(first.authorization, "Basic eDp5");
  assert.equal(registry.count({ kind: "blob", method: "HEAD" }), 1);
  assert.equal(registry.count({ kind: "ping" }), 1);
  assert.equal(registry.count({ repository: REPOSITORY }), 2);
  registry.forgetRequests();
  assert.equal(registry.count({}), 0);
});

Deno.test("FakeRegistry with Basic asks for the credentials of every request", async () => {
  await using registry = withFirmware({ auth: { mode: "basic", ...CREDENTIALS } });
  const refused = await ask(registry, "tags/list");
  assert.equal(refused.status, 401);
  assert.equal(refused.headers.get("www-authenticate"), `Basic realm="registry"`);
  const headers = { authorization: basicAuthorization(CREDENTIALS) };
  assert.equal((await ask(registry, "tags/list", { headers })).status, 200);
});

interface Token {
  readonly token: string;
  readonly access_token: string;
  readonly expires_in: number;
}

async function tokenOf(registry: FakeRegistry, authorization?: string): Promise<Token> {
  const answer = await ask(registry, `/token?scope=repository:${REPOSITORY}:pull`, {
    headers: { ...(authorization && { authorization }) },
  });
  assert.equal(answer.status, 200);
  return answer.json() as Token;
}

Deno.test("FakeRegistry with Bearer lets tokens in until they expire or are revoked", async () => {
  let now = 0;
  await using registry = withFirmware({
    auth: { mode: "bearer", expiresIn: 10 },
    now: () => now,
  });
  const refused = await ask(registry, "tags/list");
  assert.equal(
    refused.headers.get("www-authenticate"),
    `Bearer realm="${registry.origin}/token",service="fake-registry",` +
      `scope="repository:${REPOSITORY}:pull"`,
  );
  const { token, expires_in } = await tokenOf(registry);
  assert.equal(expires_in, 10);
  const headers = { authorization: `Bearer ${token}` };
  assert.equal((await ask(registry, "tags/list", { headers })).status, 200);
  assert.match(
    (await ask(registry, "/v2/other/tags/list", { headers })).headers.get("www-authenticate") ?? "",
    /error="insufficient_scope"$/,
  );
  now = 10_000;
  const expired = await ask(registry, "tags/list", { headers });
  assert.match(expired.headers.get("www-authenticate") ?? "", /error="invalid_token"$/);

  const fresh = { authorization: `Bearer ${(await tokenOf(registry)).token}` };
  assert.equal((await ask(registry, "tags/list", { headers: fresh })).status, 200);
  registry.revokeTokens();
  assert.equal((await ask(registry, "tags/list", { headers: fresh })).status, 401);
  assert.deepEqual(registry.tokens.map(({ expiresAt }) => expiresAt), [10_000, 20_000]);
});

Deno.test("FakeRegistry names the token and its lifetime as it is told to", async () => {
  const cases = [
    [{}, ["token", "expires_in"]],
    [{ tokenMember: "access_token" }, ["access_token", "expires_in"]],
    [{ tokenMember: "both", expiresIn: "absent" }, ["token", "access_token"]],
  ] as const;
  for (const [options, members] of cases) {
    await using registry = withFirmware({ auth: { mode: "bearer", ...options } });
    assert.deepEqual(Object.keys(await tokenOf(registry)), members);
  }
});

Deno.test("FakeRegistry gives tokens to the credentials that it knows, and to nobody else", async () => {
  await using registry = withFirmware({ auth: { mode: "bearer", credentials: CREDENTIALS } });
  await tokenOf(registry, basicAuthorization(CREDENTIALS));
  assert.equal(registry.tokens[0]?.username, CREDENTIALS.username);
  const wrong = basicAuthorization({ ...CREDENTIALS, password: "wrong" });
  for (const headers of [{ authorization: wrong }, {}]) {
    assert.equal((await ask(registry, "/token", { headers })).status, 401);
  }
});

Deno.test("FakeRegistry with Harbor's habit challenges a refused Authorization by Basic", async () => {
  const auth = { mode: "bearer", credentials: CREDENTIALS, harborHabit: true } as const;
  await using registry = withFirmware({ auth });
  const challenge = async (headers: HeadersInit): Promise<string | null> =>
    (await ask(registry, "tags/list", { headers })).headers.get("www-authenticate");
  assert.match(await challenge({}) ?? "", /^Bearer /);
  assert.equal(await challenge({ authorization: "Bearer stale" }), `Basic realm="harbor"`);
  assert.equal(await challenge({ authorization: basicAuthorization(CREDENTIALS) }), null);
});

Deno.test("FakeRegistry sends clients to a storage that wants no Authorization", async () => {
  const auth = { mode: "basic", ...CREDENTIALS } as const;
  await using registry = withFirmware({ auth, redirectBlobs: true });
  const headers = { authorization: basicAuthorization(CREDENTIALS), range: "bytes=0-3" };
  const redirected = await ask(registry, `blobs/${BLOB}`, { headers });
  const location = redirected.headers.get("location") ?? "";
  assert.equal(redirected.status, 307);
  assert.equal(new URL(location).origin, registry.storageOrigin);
  assert.equal((await ask(registry, location, { headers })).status, 400);
  assert.equal((await ask(registry, location, { method: "HEAD" })).status, 403);

  registry.forgetRequests();
  const followed = await ask(registry, `blobs/${BLOB}`, { headers, redirect: "follow" });
  assert.deepEqual(followed.body, FIRMWARE.subarray(0, 4));
  const [, stored] = registry.requests;
  assert.equal(stored?.kind, "storage");
  assert.equal(stored.repository, REPOSITORY);
  assert.equal(stored.reference, BLOB);
  assert.equal(stored.authorization, undefined);
});

Deno.test("a fault befalls only what it matches, only as often as it says, until it is ended", async () => {
  await using registry = withFirmware();
  registry.fault({ match: { kind: "tags" }, times: 2, respond: faults.status(503) });
  assert.equal((await ask(registry, "manifests/1.0.0")).status, 200);
  const statuses = [];
  for (let turn = 0; turn < 3; turn++) statuses.push((await ask(registry, "tags/list")).status);
  assert.deepEqual(statuses, [503, 503, 200]);
  {
    using _ = registry.fault({ match: {}, respond: faults.status(500, { body: "no JSON" }) });
    assert.equal((await ask(registry, "tags/list")).status, 500);
  }
  assert.equal((await ask(registry, "tags/list")).status, 200);
});

Deno.test("a fault does not befall a request that the door refuses", async () => {
  await using registry = withFirmware({ auth: { mode: "bearer" } });
  registry.fault({ match: { kind: "tags" }, times: 1, respond: faults.status(503) });
  assert.equal((await ask(registry, "tags/list")).status, 401);
  const headers = { authorization: `Bearer ${(await tokenOf(registry)).token}` };
  assert.equal((await ask(registry, "tags/list", { headers })).status, 503);
});

Deno.test("faults that change bytes keep or change the length as they promise", async () => {
  await using registry = withFirmware();
  const cases = [
    [faults.corrupt(), FIRMWARE.length],
    [faults.short(), FIRMWARE.length - 1],
    [faults.long(), FIRMWARE.length + 1],
  ] as const;
  for (const [respond, length] of cases) {
    using _ = registry.fault({ match: { kind: "blob" }, respond });
    const { body, headers } = await ask(registry, `blobs/${BLOB}`);
    assert.equal(body.length, length);
    assert.equal(headers.get("content-length"), `${length}`);
    assert.notEqual(digestOf(body), BLOB);
  }
});

Deno.test("a fault can say when to try again, in both forms", async () => {
  await using registry = withFirmware();
  const date = new Date("2026-01-02T03:04:05Z");
  const cases = [[7, "7"], [date, "Fri, 02 Jan 2026 03:04:05 GMT"], [undefined, null]] as const;
  for (const [retryAfter, expected] of cases) {
    using _ = registry.fault({ match: {}, respond: faults.tooManyRequests(retryAfter) });
    const { status, headers } = await ask(registry, "tags/list");
    assert.deepEqual([status, headers.get("retry-after")], [429, expected]);
  }
});

Deno.test("a fault can lie in headers, or answer with half of a JSON text", async () => {
  await using registry = withFirmware();
  {
    const change = { "docker-content-digest": "sha256:0", "content-type": null };
    using _ = registry.fault({ match: {}, respond: faults.headers(change) });
    const { headers, body } = await ask(registry, "manifests/1.0.0");
    assert.equal(headers.get("docker-content-digest"), "sha256:0");
    assert.equal(headers.has("content-type"), false);
    assert.deepEqual(body, ARTIFACT.manifest);
  }
  registry.fault({ match: {}, respond: faults.garbage() });
  const answer = await ask(registry, "tags/list");
  assert.equal(answer.status, 200);
  assert.throws(() => answer.json(), SyntaxError);
});

Deno.test("a fault can cut a body, of any size, that was promised whole", async () => {
  await using registry = withFirmware();
  const sizes = [1, 2, 500, 3_000_000];
  registry.fault({ match: {}, respond: faults.cut() });
  for (const size of sizes) {
    const bytes = firmwareBytes(size);
    registry.push(REPOSITORY, "cut", orasArtifact(bytes));
    const response = await fetch(`${registry.origin}/v2/${REPOSITORY}/blobs/${digestOf(bytes)}`);
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("content-length"), `${size}`);
    await assert.rejects(response.bytes(), TypeError, `${size}`);
  }
  const tags = await fetch(`${registry.origin}/v2/${REPOSITORY}/tags/list`);
  await assert.rejects(tags.json(), TypeError);
});

Deno.test("a fault can send half of a body and wait with the rest", async () => {
  await using registry = withFirmware();
  const gate = new Gate();
  registry.fault({ match: { kind: "blob" }, respond: faults.slow(gate) });
  const response = await fetch(`${registry.origin}/v2/${REPOSITORY}/blobs/${BLOB}`);
  await gate.arrived();
  gate.open();
  assert.deepEqual(await response.bytes(), FIRMWARE);
});

Deno.test("a fault can send without end, until the client has enough", async () => {
  await using registry = withFirmware();
  registry.fault({ match: { kind: "blob" }, respond: faults.endless() });
  const response = await fetch(`${registry.origin}/v2/${REPOSITORY}/blobs/${BLOB}`);
  let read = 0;
  for await (const chunk of response.body ?? []) if ((read += chunk.length) > 1_000_000) break;
  assert(read > 1_000_000);
});

Deno.test("a fault can hang until the client gives up, or the registry closes", async () => {
  const registry = withFirmware();
  registry.fault({ match: { kind: "tags" }, respond: faults.hang() });
  const gate = registry.gate({ kind: "manifest" });
  const giveUp = new AbortController();
  const impatient = ask(registry, "tags/list", { signal: giveUp.signal });
  const patient = ask(registry, "manifests/1.0.0");
  await gate.arrived();
  giveUp.abort();
  await assert.rejects(impatient, { name: "AbortError" });
  const cutOff = assert.rejects(patient, TypeError);
  await registry[Symbol.asyncDispose]();
  await cutOff;
});

Deno.test("FakeRegistry.gate() holds the requests that it matches until it is opened", async () => {
  await using registry = withFirmware();
  const gate = registry.gate({ kind: "blob" });
  const held = [ask(registry, `blobs/${BLOB}`), ask(registry, `blobs/${BLOB}`)];
  await gate.arrived(2);
  assert.equal((await ask(registry, "manifests/1.0.0")).status, 200);
  gate.open();
  assert.deepEqual((await Promise.all(held)).map(({ status }) => status), [200, 200]);
  assert.equal((await ask(registry, `blobs/${BLOB}`)).status, 200);
  assert.equal(gate.arrivals, 3);
});

const tool = await debianTool("skopeo");

async function skopeo(...args: readonly string[]): Promise<string> {
  assert(!("skip" in tool));
  const { path, env } = tool;
  const command = new Deno.Command(path, { args: ["--insecure-policy", ...args], env });
  const { success, stdout, stderr } = await command.output();
  assert(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

Deno.test({
  name: "skopeo inspects and copies what FakeRegistry serves, by Basic and Bearer",
  ignore: "skip" in tool,
  async fn(t): Promise<void> {
    const auths: FakeRegistryOptions["auth"][] = [
      { mode: "anonymous" },
      { mode: "basic", ...CREDENTIALS },
      { mode: "bearer", credentials: CREDENTIALS, tokenMember: "access_token" },
    ];
    for (const auth of auths) {
      await t.step(auth?.mode ?? "", async () => {
        const directory = await Deno.makeTempDir();
        try {
          await using registry = new FakeRegistry({
            ...(auth && { auth }),
            redirectBlobs: true,
            tags: { pageSize: 1 },
          });
          const image = await dockerImage({ "firmware.bin": FIRMWARE });
          registry.push(REPOSITORY, "1.0.0", image);
          registry.push(REPOSITORY, "2.0.0", imageIndex([image], { attestation: "first" }));
          const creds = auth?.mode === "anonymous"
            ? []
            : ["--creds", `${CREDENTIALS.username}:${CREDENTIALS.password}`];
          const source = `docker://${registry.host}/${REPOSITORY}`;

          const info = JSON.parse(
            await skopeo("inspect", "--tls-verify=false", ...creds, `${source}:2.0.0`),
          );
          assert.deepEqual(info.RepoTags, ["1.0.0", "2.0.0"]);
          const target = `dir:${directory}`;
          const options = [
            "--src-tls-verify=false",
            ...creds.map((o) => o.replace("--", "--src-")),
          ];
          await skopeo("copy", ...options, `${source}:1.0.0`, target);
          const manifest = await Deno.readFile(`${directory}/manifest.json`);
          assert.equal(digestOf(manifest), image.digest);
          for (const [digest, bytes] of image.blobs) {
            assert.deepEqual(await Deno.readFile(`${directory}/${digest.slice(7)}`), bytes);
          }
        } finally {
          await Deno.remove(directory, { recursive: true });
        }
      });
    }
  },
});
