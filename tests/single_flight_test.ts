import assert from "node:assert/strict";
import { SingleFlight } from "../src/single_flight.ts";
import { Gate } from "./helpers/registry/gate.ts";

Deno.test("SingleFlight.join() shares work under way by key, and starts anew after it", async () => {
  const flights = new SingleFlight<number>();
  const gate = new Gate();
  let started = 0;
  const work = async (): Promise<number> => {
    const number = ++started;
    await gate.pass();
    return number;
  };
  const results = [flights.join("a", work), flights.join("a", work), flights.join("b", work)];
  gate.open();
  assert.deepEqual(await Promise.all(results), [1, 1, 2]);
  assert.equal(await flights.join("a", work), 3);
});

Deno.test("SingleFlight.has() is true as long as the work is under way, failing or not", async () => {
  const flights = new SingleFlight<void>();
  assert.equal(flights.has("a"), false);
  const flight = flights.join("a", () => Promise.reject(new Error("broken")));
  assert.deepEqual([flights.has("a"), flights.has("b")], [true, false]);
  await assert.rejects(flight, /broken/);
  assert.equal(flights.has("a"), false);
});

Deno.test("SingleFlight.settled() waits for success and failure alike, and for nothing else", async () => {
  const flights = new SingleFlight<void>();
  await flights.settled("a");
  const gate = new Gate();
  const steps: string[] = [];
  const flight = flights.join("a", async () => {
    await gate.pass();
    steps.push("worked");
    throw new Error("broken");
  });
  const settled = flights.settled("a").then(() => steps.push("settled"));
  gate.open();
  await assert.rejects(flight, /broken/);
  await settled;
  assert.deepEqual(steps, ["worked", "settled"]);
});
