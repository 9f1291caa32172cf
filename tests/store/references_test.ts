import assert from "node:assert/strict";
import fc from "fast-check";
import { References } from "../../src/store/references.ts";

const device = fc.constantFrom("a", "b", "c");
const contents = fc.uniqueArray(fc.constantFrom("1", "2", "3", "4"));

Deno.test("References knows who refers to what, as a table would", () => {
  const steps = fc.array(fc.tuple(fc.constantFrom("set", "add"), device, contents));
  fc.assert(fc.property(steps, (steps) => {
    const references = new References();
    const table = new Map<string, readonly string[]>();
    for (const [method, device, contents] of steps) {
      references[method === "set" ? "set" : "add"](device, contents);
      const before = method === "set" ? [] : table.get(device) ?? [];
      table.set(device, [...before, ...contents]);
    }
    for (const content of ["1", "2", "3", "4"]) {
      const wanted = [...table].filter(([, all]) => all.includes(content)).map(([name]) => name);
      assert.deepEqual(references.devicesOf(content).toSorted(), wanted.toSorted());
    }
  }));
});
