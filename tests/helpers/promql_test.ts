import assert from "node:assert/strict";
import { groupsOf, seriesOf } from "./promql.ts";

Deno.test("seriesOf() finds names and the labels that they are chosen by", () => {
  const query =
    'topk(3, sum by (le, kind) (rate(a_total{x="1", y=~"b_total{"}[5m]))) > 2 * b and c';
  assert.deepEqual(seriesOf(query), [
    { name: "a_total", labels: ["x", "y"] },
    { name: "b", labels: [] },
    { name: "c", labels: [] },
  ]);
  assert.deepEqual(groupsOf(query), ["le", "kind"]);
});
