import assert from "node:assert/strict";
import fc from "fast-check";
import type { DeviceFacts } from "../../src/status/facts.ts";
import {
  type DeviceQuery,
  EXAMPLES_LIMIT,
  PAGE_SIZE,
  selectDevices,
} from "../../src/status/selection.ts";
import { failingDevice, healthyDevice, unservedDevice } from "../helpers/status_facts.ts";

const ALL: DeviceQuery = { prefix: "", after: "", isFailing: false };
const REFUSED = { code: "source-refused", reason: "No" } as const;
const INVALID = { code: "artifact-invalid", reason: "No" } as const;

/** So many devices, with ids that sort as they are counted. */
function fleet(count: number): DeviceFacts[] {
  return Array.from({ length: count }, (_, at) => healthyDevice(`d${String(at).padStart(6, "0")}`));
}

function idsOf(devices: readonly DeviceFacts[]): string[] {
  return devices.map(({ device }) => device);
}

Deno.test("selectDevices() gives every device once over all pages, by id, whatever their order", () => {
  const ids = fc.uniqueArray(fc.stringMatching(/^[ab/]{1,9}$/), { maxLength: 350 });
  fc.assert(fc.property(ids, fc.constantFrom("", "a", "b/"), (ids, prefix) => {
    const devices = ids.map((id) => healthyDevice(id));
    const wanted = ids.filter((id) => id.startsWith(prefix)).toSorted();
    const found: string[] = [];
    for (let [after, hasMore] = ["", true]; hasMore;) {
      const selection = selectDevices(devices, { prefix, after, isFailing: false });
      assert.equal(selection.matching, wanted.length);
      assert.ok(selection.page.length <= PAGE_SIZE);
      found.push(...idsOf(selection.page));
      ({ hasMore } = selection);
      after = found.at(-1) ?? "";
    }
    assert.deepEqual(found, wanted);
  }));
});

Deno.test("selectDevices() says that no page follows where the last one is full", () => {
  assert.equal(selectDevices(fleet(PAGE_SIZE), ALL).hasMore, false);
  assert.equal(selectDevices(fleet(PAGE_SIZE + 1), ALL).hasMore, true);
});

Deno.test("selectDevices() gives only failing devices where only these are wanted", () => {
  const devices = [healthyDevice("a"), failingDevice("b", REFUSED), failingDevice("c", INVALID)];
  const selection = selectDevices(devices, { ...ALL, isFailing: true });
  assert.deepEqual(idsOf(selection.page), ["b", "c"]);
  assert.deepEqual([selection.total, selection.failing, selection.matching], [3, 2, 2]);
});

Deno.test("selectDevices() groups what fails in the same way, also where others are wanted", () => {
  const devices = [
    failingDevice("z", INVALID),
    ...["e", "d", "c", "b"].map((id) => failingDevice(id, REFUSED)),
    unservedDevice("a", REFUSED),
    healthyDevice("x"),
  ];
  const { groups } = selectDevices(devices, { ...ALL, prefix: "x" });
  assert.deepEqual(
    groups.map(({ examples, ...group }) => ({ ...group, examples: idsOf(examples) })),
    [
      { code: "source-refused", count: 5, unserved: 1, examples: ["a", "b", "c"] },
      { code: "artifact-invalid", count: 1, unserved: 0, examples: ["z"] },
    ],
  );
  assert.equal(EXAMPLES_LIMIT, 3);
});

Deno.test("selectDevices() keeps a page of a fleet, however large it is, and reads it once", () => {
  let reads = 0;
  function* devices(): Generator<DeviceFacts> {
    for (const facts of fleet(10_000).reverse()) {
      reads++;
      yield facts;
    }
  }
  const selection = selectDevices(devices(), ALL);
  assert.deepEqual([reads, selection.total, selection.page.length], [10_000, 10_000, PAGE_SIZE]);
  assert.deepEqual(idsOf(selection.page), idsOf(fleet(PAGE_SIZE)));
});
