import assert from "node:assert/strict";
import fc from "fast-check";
import type { Digest } from "../../src/digest.ts";
import { RegistryClient } from "../../src/registry/client.ts";
import { createFetch, type Fetch } from "../../src/registry/fetch.ts";
import { withTimeout } from "../../src/registry/timeout.ts";
import { orasArtifact } from "../helpers/artifacts.ts";
import { FakeRegistry, type FakeRegistryOptions } from "../helpers/fake_registry.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { digestOf, manifestOf, MEDIA_TYPES } from "../helpers/manifest.ts";
import { cut, endless, type Fault, garbage, headers, status } from "../helpers/registry/faults.ts";

const FIRMWARE = firmwareBytes(200_000);
const ARTIFACT = orasArtifact(FIRMWARE);
const BLOB = { mediaType: "", digest: digestOf(FIRMWARE) as Digest, size: FIRMWARE.length };
const ABSENT = `sha256:${"0".repeat(64)}` as const;
const TAGS = ["1.0.0", "1.1.0", "2.0.0", "latest", "v3"];

function withTags(options: FakeRegistryOptions = {}): FakeRegistry {
  const registry = new FakeRegistry(options);
  for (const tag of TAGS) registry.push("dev/led", tag, ARTIFACT);
  return registry;
}

function clientOf(origin: string, fetch?: Fetch): RegistryClient {
  return new RegistryClient({
    url: new URL(origin),
    repositoryPrefix: "dev",
    fetch: fetch ?? withTimeout(createFetch({ userAgent: "test" }), { idleMs: 5000 }),
  });
}

/** A registry in memory, or whatever answers in its place. */
function answering(answer: (url: URL) => Response): RegistryClient {
  return clientOf("https://registry.example", (url) => Promise.resolve(answer(new URL(url))));
}

Deno.test("RegistryClient.listTags() follows relative and absolute links", async () => {
  const listings = fc.record({
    pageSize: fc.integer({ min: 1, max: TAGS.length + 1 }),
    links: fc.constantFrom("relative" as const, "absolute" as const),
    order: fc.constantFrom("lexical" as const, "pushed" as const),
  });
  await fc.assert(
    fc.asyncProperty(listings, async (tags) => {
      await using registry = withTags({ tags });
      assert.deepEqual(await clientOf(registry.origin).listTags("led"), TAGS);
      assert.equal(registry.requests.length, Math.ceil(TAGS.length / tags.pageSize));
    }),
    { numRuns: 25 },
  );
});

Deno.test("RegistryClient.listTags() does not follow a link to another origin", async (t) => {
  await using registry = withTags();
  await using elsewhere = withTags();
  const targets: Readonly<Record<string, string>> = {
    "another port": `${elsewhere.origin}/v2/dev/led/tags/list?last=1.0.0`,
    "another host without a scheme": `//localhost:${new URL(elsewhere.origin).port}/v2/`,
    "another scheme": registry.origin.replace("http:", "https:"),
    "a user name that looks like the host": `http://${registry.host}@${elsewhere.host}/v2/`,
    "a file": "file:///etc/passwd",
    "garbage": "http://[",
  };
  for (const [name, target] of Object.entries(targets)) {
    await t.step(name, async () => {
      registry.forgetRequests();
      using _ = registry.fault({ match: {}, respond: headers({ link: `<${target}>; rel=next` }) });
      await assert.rejects(clientOf(registry.origin).listTags("led"), { code: "source-invalid" });
      assert.equal(registry.requests.length, 1);
      assert.equal(elsewhere.requests.length, 0);
    });
  }
});

Deno.test("RegistryClient.listTags() ends where links go in circles", async (t) => {
  const cases: Readonly<Record<string, readonly [next: (page: number) => number, pages: number]>> =
    {
      "to itself": [(page) => page, 1],
      "to each other": [(page) => 1 - page, 2],
      "into a ring": [(page) => page === 3 ? 1 : page + 1, 4],
    };
  for (const [name, [next, pages]] of Object.entries(cases)) {
    await t.step(name, async () => {
      let requests = 0;
      const client = answering((url) => {
        assert.ok(++requests <= pages + 1, "it goes in circles");
        const page = Number(url.searchParams.get("page"));
        const link = next(page) === 0
          ? "</v2/dev/led/tags/list?n=1000>; rel=next"
          : `<?page=${next(page)}>; rel=next`;
        return Response.json({ tags: [`${page}.0.0`] }, { headers: { link } });
      });
      const tags = Array.from({ length: pages }, (_, page) => `${page}.0.0`);
      assert.deepEqual(await client.listTags("led"), tags);
    });
  }
});

Deno.test("RegistryClient.listTags() gives up on pages without end", async () => {
  let pages = 0;
  const client = answering(() => {
    const headers = { link: `<?last=${++pages}>; rel="next"` };
    return Response.json({ tags: [] }, { headers });
  });
  await assert.rejects(client.listTags("led"), { code: "source-invalid" });
  assert.equal(pages, 1000);
});

Deno.test("RegistryClient.listTags() asks for a smaller page where a large one is refused", async () => {
  await using registry = withTags({ tags: { pageSize: 2 } });
  const refuse = status(400);
  registry.fault({
    match: {},
    respond: (exchange) =>
      exchange.request.path.includes("n=1000") ? refuse(exchange) : exchange.answer(),
  });
  assert.deepEqual(await clientOf(registry.origin).listTags("led"), TAGS);
  assert.deepEqual(registry.requests.map(({ path }) => path.split("?")[1]), [
    "n=1000",
    undefined,
    "last=1.1.0&n=2",
    "last=latest&n=2",
  ]);
});

Deno.test("RegistryClient.listTags() takes a refusal of every page for what it is", async () => {
  await using registry = withTags();
  registry.fault({ match: {}, respond: status(400) });
  await assert.rejects(clientOf(registry.origin).listTags("led"), { code: "source-invalid" });
  assert.equal(registry.requests.length, 2);
});

Deno.test("RegistryClient.listTags() takes a list of nothing in each form", async (t) => {
  for (const body of ['{"name":"dev/led","tags":null}', '{"tags":[]}', '{"name":"dev/led"}']) {
    await t.step(body, async () => {
      assert.deepEqual(await answering(() => new Response(body)).listTags("led"), []);
    });
  }
});

Deno.test("RegistryClient finds its repositories below address and prefix", async () => {
  const asked: string[] = [];
  const fetch: Fetch = (url) => {
    asked.push(url);
    return Promise.resolve(Response.json({ tags: [] }));
  };
  for (
    const [address, repositoryPrefix] of [
      ["https://registry.example", ""],
      ["https://registry.example/", "factory/a"],
      ["https://example.org/registry//", "b"],
    ] as const
  ) {
    await new RegistryClient({ url: new URL(address), repositoryPrefix, fetch }).listTags("led");
  }
  assert.deepEqual(asked, [
    "https://registry.example/v2/led/tags/list?n=1000",
    "https://registry.example/v2/factory/a/led/tags/list?n=1000",
    "https://example.org/registry/v2/b/led/tags/list?n=1000",
  ]);
});

const VERBS: Readonly<
  Record<string, (client: RegistryClient, device: string) => Promise<unknown>>
> = {
  listTags: (client, device) => client.listTags(device),
  peekDigest: (client, device) => client.peekDigest(device, "1.0.0"),
  fetchManifest: (client, device) => client.fetchManifest(device, "1.0.0"),
  openBlob: async (client, device) => {
    return await new Response(await client.openBlob(device, BLOB)).bytes();
  },
};

Deno.test("RegistryClient sends nothing for a device that cannot be", async () => {
  const client = answering(() => assert.fail("nothing must be sent"));
  for (const ask of Object.values(VERBS)) {
    await assert.rejects(ask(client, "../etc"), { code: "device-invalid" });
  }
});

Deno.test("RegistryClient gives what goes wrong its code", async (t) => {
  const cases: Readonly<Record<string, readonly [respond: Fault, codes: Record<string, string>]>> =
    {
      "401": [status(401), {
        listTags: "source-refused",
        peekDigest: "source-refused",
        fetchManifest: "source-refused",
        openBlob: "source-refused",
      }],
      "404 of the registry": [status(404), {
        listTags: "firmware-unknown",
        fetchManifest: "firmware-unknown",
        openBlob: "artifact-invalid",
      }],
      "500": [status(500), {
        listTags: "source-unavailable",
        peekDigest: "source-unavailable",
        fetchManifest: "source-unavailable",
        openBlob: "source-unavailable",
      }],
      "a body without end": [endless(), {
        listTags: "source-invalid",
        fetchManifest: "source-invalid",
      }],
      "a body that breaks off": [cut(), {
        listTags: "source-unavailable",
        fetchManifest: "source-unavailable",
        openBlob: "source-unavailable",
      }],
      "garbage": [garbage(), { listTags: "source-invalid" }],
    };
  for (const [name, [respond, codes]] of Object.entries(cases)) {
    for (const [verb, code] of Object.entries(codes)) {
      await t.step(`${name}, ${verb}`, async () => {
        await using registry = withTags();
        registry.fault({ match: {}, respond });
        const asked = VERBS[verb]?.(clientOf(registry.origin), "led") ?? Promise.resolve();
        await assert.rejects(asked, { code });
      });
    }
  }
});

Deno.test("RegistryClient does not take a web server's 404 for a registry's", async () => {
  const options = { hostname: "127.0.0.1", port: 0, onListen: (): void => {} };
  await using server = Deno.serve(options, () => new Response("Not Found", { status: 404 }));
  const client = clientOf(`http://127.0.0.1:${server.addr.port}`);
  await assert.rejects(client.listTags("led"), { code: "source-invalid" });
  await assert.rejects(client.fetchManifest("led", "1.0.0"), { code: "source-invalid" });
  assert.equal(await client.peekDigest("led", "1.0.0"), undefined);
});

Deno.test("RegistryClient.peekDigest() asks by HEAD alone", async () => {
  await using registry = withTags();
  assert.equal(await clientOf(registry.origin).peekDigest("led", "1.0.0"), ARTIFACT.digest);
  assert.deepEqual(registry.requests.map(({ method }) => method), ["HEAD"]);
});

Deno.test("RegistryClient knows no digest where the registry says none", async (t) => {
  await using registry = withTags();
  const client = clientOf(registry.origin);
  for (const digest of [null, "", "sha256:abc", `SHA256:${"0".repeat(64)}`, "md5:00", "1.0.0"]) {
    await t.step(`${digest}`, async () => {
      const changes = { "docker-content-digest": digest };
      using _ = registry.fault({ match: {}, respond: headers(changes) });
      assert.equal(await client.peekDigest("led", "1.0.0"), undefined);
      const manifest = await client.fetchManifest("led", "1.0.0");
      assert.equal(manifest.claimedDigest, undefined);
      assert.deepEqual(manifest.bytes, ARTIFACT.manifest);
    });
  }
  for (const code of [400, 404, 405, 501]) {
    await t.step(`${code} to HEAD`, async () => {
      using _ = registry.fault({ match: { method: "HEAD" }, respond: status(code) });
      assert.equal(await client.peekDigest("led", "1.0.0"), undefined);
    });
  }
});

Deno.test("RegistryClient.fetchManifest() hands on what is said, by tag and by digest", async () => {
  await using registry = withTags();
  const type = `${ARTIFACT.mediaType} ; charset=utf-8`;
  registry.fault({
    match: {},
    respond: headers({ "content-type": type, "docker-content-digest": ABSENT }),
  });
  for (const reference of ["1.0.0", ARTIFACT.digest]) {
    assert.deepEqual(await clientOf(registry.origin).fetchManifest("led", reference), {
      bytes: ARTIFACT.manifest,
      mediaType: ARTIFACT.mediaType,
      claimedDigest: ABSENT,
    });
  }
  const accepted = registry.requests[0]?.headers.get("accept")?.split(", ");
  const { oci, docker } = MEDIA_TYPES;
  assert.deepEqual(
    accepted?.toSorted(),
    [oci.index, oci.manifest, docker.index, docker.manifest].toSorted(),
  );
});

Deno.test("RegistryClient.openBlob() hands on the bytes as they come", async () => {
  await using registry = withTags();
  registry.push("dev/led", undefined, manifestOf({ layers: [{ mediaType: "", bytes: EMPTY }] }));
  const client = clientOf(registry.origin);
  const bytes = await new Response(await client.openBlob("led", BLOB)).bytes();
  assert.equal(digestOf(bytes), BLOB.digest);
  const empty = { mediaType: "", digest: digestOf(EMPTY) as Digest, size: 0 };
  assert.equal((await new Response(await client.openBlob("led", empty)).bytes()).length, 0);
  await assert.rejects(client.openBlob("led", { ...BLOB, digest: ABSENT }), {
    code: "artifact-invalid",
    message: `Cannot get blob "dev/led@${ABSENT}": registry answered 404`,
  });
});

const EMPTY = new Uint8Array();

Deno.test("RegistryClient.ping() takes every answer for one but those of who cannot answer", async () => {
  for (const code of [200, 401, 403, 404]) {
    await answering(() => new Response("", { status: code })).ping();
  }
  for (const code of [429, 500, 503]) {
    const client = answering(() => new Response("", { status: code }));
    await assert.rejects(client.ping(), { code: "source-unavailable" }, `${code}`);
  }
  await using registry = withTags();
  await clientOf(registry.origin).ping();
  assert.deepEqual(registry.requests.map(({ path }) => path), ["/v2/"]);
});
