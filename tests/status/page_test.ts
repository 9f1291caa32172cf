import assert from "node:assert/strict";
import fc from "fast-check";
import type { StatusPorts } from "../../src/status/facts.ts";
import { renderPage } from "../../src/status/page.ts";
import type { DeviceQuery } from "../../src/status/selection.ts";
import { readStatus } from "../../src/status/status.ts";
import { STYLE } from "../../src/status/style.ts";
import { failingDevice, fakePorts, healthyDevice } from "../helpers/status_facts.ts";

async function render(
  ports: StatusPorts = fakePorts(),
  query: Partial<DeviceQuery> = {},
): Promise<string> {
  return await renderPage(
    readStatus(ports, { prefix: "", after: "", isFailing: false, ...query }),
  );
}

/** What the page says, without markup. */
function textOf(page: string): string {
  return page.replace(STYLE, "").replaceAll(/<[^>]*>/g, " ").replaceAll(/\s+/g, " ");
}

/** Where everything stands that others may have written. */
function portsWith(text: string): StatusPorts {
  const digest = `sha256:${text}`;
  return fakePorts({
    service: { version: text, commit: text, startedAt: new Date(0) },
    source: { kind: "registry", name: text },
    broker: () => ({ isConnected: false, pending: 0 }),
    reportedVersions: () => [{ version: text, polls: 1 }],
    firmware: {
      silence: { code: "source-timeout", reason: text, agoMs: 0, retryInMs: 0 },
      devices: [failingDevice(text, { code: "artifact-invalid", reason: text }, {
        firmware: { version: text, digest, size: 1 },
      })],
    },
  });
}

Deno.test("renderPage() leaves its markup as it is, whatever others have written", async () => {
  // With the names of their attributes, but not what stands in these.
  const tagsOf = (page: string): string[] =>
    [...page.replace(STYLE, "").matchAll(/<[^>]*>/g)].map(([tag]) =>
      tag.replaceAll(/"[^"]*"/g, "")
    );
  const wanted = tagsOf(await render(portsWith("x"), { prefix: "x" }));
  const hostile = fc.oneof(
    fc.constantFrom(
      "</title><script>alert(1)</script>",
      '"><img src=x onerror=alert(1)>',
      "' onmouseover='alert(1)",
      "</style><svg/onload=alert(1)>",
      "<!--",
      "&lt;b&gt;",
      "javascript:alert(1)",
    ),
    fc.string({ unit: fc.constantFrom(..."<>&\"'`=/ a!-"), minLength: 1 }),
  );
  await fc.assert(fc.asyncProperty(hostile, async (text) => {
    const page = await render(portsWith(text), { prefix: text });
    assert.deepEqual(tagsOf(page), wanted);
  }));
});

Deno.test("renderPage() puts what others have written into links as part of a query", async () => {
  const page = await render(portsWith('javascript:alert("1")&only=x'));
  const links = [...page.matchAll(/href="([^"]*)"/g)].map(([, href]) => href);
  assert.deepEqual(links, [
    "data:,",
    "?device=javascript%3Aalert%28%221%22%29%26only%3Dx",
    "api/status",
    "metrics",
  ]);
});

Deno.test("renderPage() says of each device what is known of it", async () => {
  const page = await render(fakePorts({
    firmware: { devices: [healthyDevice("esp32-garden", { signature: "valid" })] },
  }));
  assert.match(
    textOf(page),
    / esp32-garden 1\.4\.2 1\.25 MiB 0123456789ab valid 26 h ago 12 s ago /,
  );
  assert.ok(page.includes(`title="sha256:${"0123456789abcdef".repeat(4)}"`));
  assert.ok(page.includes(`title="1,314,159 bytes"`));
});

Deno.test("renderPage() has a column for reported versions only where somebody counts them", async () => {
  assert.doesNotMatch(await render(), /Fleet reports/);
  const reports = [{ version: "2.0.0", polls: 9 }, { version: "1.9.0", polls: 1 }];
  const page = await render(fakePorts({ reportedVersions: () => reports }));
  assert.match(textOf(page), / 12 s ago 2\.0\.0 , 1\.9\.0 /);
  assert.ok(page.includes(`title="9 requests"`));
});

Deno.test("renderPage() says in its title how many problems there are", async () => {
  const titleOf = (page: string): string | undefined => /<title>(.*)<\/title>/.exec(page)?.[1];
  assert.equal(titleOf(await render()), "All is well – OtaFlux");
  assert.equal(titleOf(await render(portsWith("x"))), "3 problems – OtaFlux");
});

Deno.test("renderPage() keeps what was asked for on the way to the next page", async () => {
  const ids = Array.from({ length: 250 }, (_, at) => `d/${String(at).padStart(3, "0")}`);
  const ports = fakePorts({
    firmware: {
      devices: ids.map((id) => failingDevice(id, { code: "source-refused", reason: "No" })),
    },
  });
  const linksOf = (page: string): string[] =>
    [...page.matchAll(/<a href="([^"]*)">(?:First|Next) page/g)].map(([, href = ""]) => href);
  const query = { prefix: "d/", isFailing: true };
  const next = "?device=d%2F&amp;only=failing&amp;after=d%2F";
  assert.deepEqual(linksOf(await render(ports, query)), [`${next}099`]);
  assert.deepEqual(linksOf(await render(ports, { ...query, after: "d/099" })), [
    "?device=d%2F&amp;only=failing",
    `${next}199`,
  ]);
  assert.deepEqual(linksOf(await render(ports, { ...query, after: "d/199" })), [
    "?device=d%2F&amp;only=failing",
  ]);
});
