import assert from "node:assert/strict";
import { Replicas } from "../../src/notifier/replicas.ts";

Deno.test("Replicas checks once for all that was heard meanwhile, and rests in between", async () => {
  const checks: string[] = [];
  const pauses: number[] = [];
  let end = Promise.withResolvers<void>();
  let paused = Promise.withResolvers<void>();
  const replicas = new Replicas({
    check: (device) => {
      checks.push(device);
      return Promise.resolve();
    },
    pause: (ms) => {
      pauses.push(ms);
      paused.resolve();
      return end.promise;
    },
  });
  for (let heard = 0; heard < 100; heard++) replicas.heard("a");
  replicas.heard("b");
  await paused.promise;
  assert.deepEqual(checks, ["a", "b"]);
  const ended = end;
  end = Promise.withResolvers();
  paused = Promise.withResolvers();
  ended.resolve();
  await paused.promise;
  assert.deepEqual(checks, ["a", "b", "a"]);
  assert.deepEqual(pauses, [1000, 1000, 1000]);
});
