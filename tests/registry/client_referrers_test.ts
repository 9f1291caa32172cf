import assert from "node:assert/strict";
import type { Digest } from "../../src/digest.ts";
import { isServiceError } from "../../src/errors.ts";
import { RegistryClient } from "../../src/registry/client.ts";
import { createFetch, type Fetch } from "../../src/registry/fetch.ts";
import { imageIndex, orasArtifact } from "../helpers/artifacts.ts";
import { FakeRegistry } from "../helpers/fake_registry.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { describeArtifact, manifestOf } from "../helpers/manifest.ts";
import { garbage, status } from "../helpers/registry/faults.ts";

const firmware = orasArtifact(firmwareBytes(100));
const digest = firmware.digest as Digest;
const referrer = manifestOf({
  artifactType: "application/example",
  subject: describeArtifact(firmware),
});
const INDEX = "application/vnd.oci.image.index.v1+json";

function clientOf(
  origin: string,
  fetch: Fetch = createFetch({ userAgent: "test" }),
): RegistryClient {
  return new RegistryClient({ url: new URL(origin), repositoryPrefix: "dev", fetch });
}

/** A registry in memory, or whatever answers in its place. */
function answering(answer: (url: URL) => Response): RegistryClient {
  return clientOf("https://registry.example", (url) => Promise.resolve(answer(new URL(url))));
}

function withFirmware(referrers: boolean): FakeRegistry {
  const registry = new FakeRegistry({ referrers });
  registry.push("dev/led", "1.0.0", firmware);
  return registry;
}

Deno.test("RegistryClient.listReferrers() asks the referrers API", async () => {
  await using registry = withFirmware(true);
  const client = clientOf(registry.origin);
  assert.deepEqual(await client.listReferrers("led", digest), []);
  registry.push("dev/led", undefined, referrer);
  const [found, ...others] = await client.listReferrers("led", digest);
  assert.deepEqual(others, []);
  assert.equal(found?.digest, referrer.digest);
  assert.equal(found?.artifactType, "application/example");
  assert.equal(registry.count({ kind: "manifest" }), 0);
});

for (const code of [400, 404, 405, 501]) {
  Deno.test(`RegistryClient.listReferrers() reads the tag where the API answers ${code}`, async () => {
    await using registry = withFirmware(true);
    registry.fault({ match: { kind: "referrers" }, respond: status(code) });
    const client = clientOf(registry.origin);
    assert.deepEqual(await client.listReferrers("led", digest), []);
    registry.push("dev/led", digest.replace(":", "-"), imageIndex([referrer]));
    const found = await client.listReferrers("led", digest);
    assert.deepEqual(found.map((entry) => entry.digest), [referrer.digest]);
  });
}

for (const code of [401, 403, 500]) {
  Deno.test(`RegistryClient.listReferrers() does not take ${code} for no referrers`, async () => {
    await using registry = withFirmware(true);
    registry.fault({ match: { kind: "referrers" }, respond: status(code) });
    await assert.rejects(clientOf(registry.origin).listReferrers("led", digest), (error) => {
      assert(isServiceError(error, "source-refused", "source-unavailable"));
      return true;
    });
  });
}

Deno.test("RegistryClient.listReferrers() does not take nonsense for no referrers", async () => {
  await using registry = withFirmware(true);
  registry.fault({ match: { kind: "referrers" }, respond: garbage() });
  await assert.rejects(clientOf(registry.origin).listReferrers("led", digest), {
    code: "source-invalid",
  });
});

Deno.test("RegistryClient.listReferrers() passes over entries that make no sense", async () => {
  const good = describeArtifact(referrer);
  const client = answering(() =>
    Response.json({
      manifests: [null, {}, { ...good, digest: "md5:1" }, good, { ...good, size: -1 }],
    })
  );
  const found = await client.listReferrers("led", digest);
  assert.deepEqual(found.map((entry) => entry.digest), [referrer.digest]);
});

Deno.test("RegistryClient.listReferrers() follows links, four pages far and to no other origin", async () => {
  const page = { schemaVersion: 2, mediaType: INDEX, manifests: [describeArtifact(referrer)] };
  let asked = 0;
  const endless = answering((url) => {
    asked++;
    return Response.json(page, {
      headers: { link: `<${url.pathname}?next=${asked}>; rel="next"` },
    });
  });
  assert.equal((await endless.listReferrers("led", digest)).length, 4);
  assert.equal(asked, 4);
  const broken = answering((url) =>
    url.search === ""
      ? Response.json(page, { headers: { link: `<${url.pathname}?next=1>; rel="next"` } })
      : new Response(null, { status: 404 })
  );
  await assert.rejects(broken.listReferrers("led", digest), { code: "source-invalid" });
  const elsewhere = answering(() =>
    Response.json(page, { headers: { link: '<https://elsewhere.example/>; rel="next"' } })
  );
  await assert.rejects(elsewhere.listReferrers("led", digest), { code: "source-invalid" });
});
