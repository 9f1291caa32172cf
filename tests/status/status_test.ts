import assert from "node:assert/strict";
import { join } from "node:path";
import type { StatusPorts } from "../../src/status/facts.ts";
import { readStatus, type Status } from "../../src/status/status.ts";
import {
  failingDevice,
  fakePorts,
  healthyDevice,
  NOW,
  unservedDevice,
} from "../helpers/status_facts.ts";

const REFUSED = { code: "source-refused", reason: "registry answered 403" } as const;

function read(ports: StatusPorts = fakePorts()): Status {
  return readStatus(ports, { prefix: "", after: "", isFailing: false });
}

/** Every key of an object and of those in it, as a path; of a list's entries the first one's. */
function pathsOf(value: unknown, path = ""): string[] {
  if (Array.isArray(value)) return pathsOf(value[0], `${path}[]`);
  if (typeof value !== "object" || value === null) return [path];
  return Object.entries(value).flatMap(([key, inner]) =>
    pathsOf(inner, path === "" ? key : `${path}.${key}`)
  );
}

Deno.test("readStatus() turns times into those of the wall", () => {
  const { generatedAt, service, devices } = read(fakePorts({
    firmware: {
      devices: [failingDevice("a", REFUSED, { servedForMs: 3_600_000, confirmedAgoMs: 61_000 })],
    },
  }));
  assert.equal(generatedAt, "2026-03-04T05:06:07.000Z");
  assert.equal(service.startedAt, "2026-03-02T03:06:07.000Z");
  assert.deepEqual(devices.list, [{
    device: "a",
    version: "1.4.2",
    digest: `sha256:${"0123456789abcdef".repeat(4)}`,
    size: 1_314_159,
    signature: null,
    since: "2026-03-04T04:06:07.000Z",
    confirmedAt: "2026-03-04T05:05:06.000Z",
    failure: {
      code: "source-refused",
      reason: "registry answered 403",
      at: "2026-03-04T05:04:07.000Z",
      retryAt: "2026-03-04T05:06:27.000Z",
    },
    reportedVersions: null,
  }]);
});

Deno.test("readStatus() has null for all that a device without firmware lacks", () => {
  const { devices } = read(fakePorts({ firmware: { devices: [unservedDevice("a", REFUSED)] } }));
  const [{ failure, device, ...rest } = assert.fail()] = devices.list;
  assert.deepEqual([device, failure?.code], ["a", "source-refused"]);
  assert.deepEqual(new Set(Object.values(rest)), new Set([null]));
});

Deno.test("readStatus() has the same keys whatever happens, and no value is undefined", () => {
  const silence = { ...REFUSED, agoMs: 0, retryInMs: 0 };
  const rich = read(fakePorts({
    broker: () => ({ isConnected: false, pending: 1 }),
    reportedVersions: () => [{ version: "1.0.0", polls: 3 }],
    firmware: { silence, devices: [failingDevice("a", REFUSED, { signature: "valid" })] },
  }));
  const poor = read(fakePorts({
    service: { version: "1.0.0", commit: undefined, startedAt: NOW },
  }));
  for (const status of [rich, poor]) assert.deepEqual(JSON.parse(JSON.stringify(status)), status);
  assert.deepEqual([rich.service.commit, poor.service.commit], ["0123456789ab", null]);
  // What is null for one stands for what is an object for the other.
  const heads = (status: Status): string[] => Object.keys(status).sort();
  assert.deepEqual(heads(rich), heads(poor));
  const known = pathsOf(rich);
  for (const path of pathsOf(poor)) {
    assert.ok(
      known.includes(path) || known.some((other) => other.startsWith(`${path}.`)) ||
        path === "problems[]" || known.some((other) => other.startsWith(`${path}[]`)),
      path,
    );
  }
});

Deno.test("readStatus() shortens what others have written at length", () => {
  const reason = "x".repeat(100_000);
  const { devices, problems } = read(fakePorts({
    firmware: { devices: [failingDevice("a", { ...REFUSED, reason })] },
  }));
  for (const text of [devices.list[0]?.failure?.reason, problems[0]?.examples[0]?.reason]) {
    assert.equal(text, `${"x".repeat(499)}…`);
  }
});

Deno.test("readStatus() asks for reported versions of the devices on the page only, and tells a few", () => {
  const asked: string[] = [];
  const { devices } = readStatus(
    fakePorts({
      reportedVersions: (device) => {
        asked.push(device);
        return Array.from({ length: 20 }, (_, at) => ({ version: `1.${at}.0`, polls: 20 - at }));
      },
      firmware: { devices: ["a1", "a2", "b1"].map((id) => healthyDevice(id)) },
    }),
    { prefix: "b", after: "", isFailing: false },
  );
  assert.deepEqual(asked, ["b1"]);
  const versions = devices.list[0]?.reportedVersions?.map(({ version }) => version);
  assert.deepEqual(versions, ["1.0.0", "1.1.0", "1.2.0", "1.3.0", "1.4.0"]);
});

Deno.test("readStatus() names what the next page begins after", () => {
  const ids = Array.from({ length: 101 }, (_, at) => `d${String(at).padStart(3, "0")}`);
  const ports = fakePorts({ firmware: { devices: ids.map((id) => healthyDevice(id)) } });
  const { next } = read(ports).devices;
  assert.equal(next, "d099");
  const last = readStatus(ports, { prefix: "", after: "d099", isFailing: false }).devices;
  assert.deepEqual([last.list.map(({ device }) => device), last.next], [["d100"], null]);
});

Deno.test("docs/operations.md lists the keys of the status, each where it is, and no other", async () => {
  const path = join(import.meta.dirname ?? ".", "../../docs/operations.md");
  const [, block = ""] = /```text\n(generatedAt[^]*?)```/.exec(await Deno.readTextFile(path)) ?? [];
  const listed: Record<string, string[]> = {};
  for (const [, name = "", said = ""] of block.matchAll(/^(\S+)\s+([^\n]*(?:\n\s+[^\n]*)*)/gm)) {
    listed[name.replace("[]", "")] = said.replaceAll(/\([^)]*\)/g, "").replaceAll("[]", "")
      .split(",").map((key) => key.trim()).toSorted();
  }
  const status = read(fakePorts({
    broker: () => ({ isConnected: false, pending: 1 }),
    firmware: { devices: [failingDevice("a", REFUSED)] },
  }));
  const { generatedAt: _, ...parts } = status;
  assert.deepEqual(Object.keys(listed).toSorted(), [...Object.keys(status), "devices.list"].sort());
  const keysOf = (part: unknown): string[] =>
    Object.keys((Array.isArray(part) ? part[0] : part) ?? {}).toSorted();
  for (const [name, part] of Object.entries({ ...parts, "devices.list": status.devices.list })) {
    assert.deepEqual(listed[name], keysOf(part), name);
  }
});
