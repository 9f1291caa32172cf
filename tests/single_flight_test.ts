import assert from "node:assert/strict";
import { SingleFlight } from "../src/single_flight.ts";

Deno.test("SingleFlight.join() does once what many ask for at once", async () => {
  const flights = new SingleFlight<string>();
  const work = Promise.withResolvers<string>();
  let starts = 0;
  const start = (): Promise<string> => {
    starts++;
    return work.promise;
  };
  const crowd = Array.from({ length: 50 }, () => flights.join("a", start));
  work.resolve("done");
  assert.deepEqual(await Promise.all(crowd), Array(50).fill("done"));
  assert.equal(starts, 1);
});

Deno.test("SingleFlight.join() keeps keys apart", async () => {
  const flights = new SingleFlight<string>();
  const both = ["a", "b"].map((key) => flights.join(key, () => Promise.resolve(key)));
  assert.deepEqual(await Promise.all(both), ["a", "b"]);
});

Deno.test("SingleFlight.join() remembers nothing once the work is done", async () => {
  const flights = new SingleFlight<number>();
  let starts = 0;
  const start = (): Promise<number> => Promise.resolve(++starts);
  assert.equal(await flights.join("a", start), 1);
  assert.equal(await flights.join("a", start), 2);
});

Deno.test("SingleFlight.join() shares a failure and does not keep it", async () => {
  const flights = new SingleFlight<string>();
  const work = Promise.withResolvers<string>();
  const failure = new Error("no");
  const crowd = [flights.join("a", () => work.promise), flights.join("a", () => assert.fail())];
  work.reject(failure);
  for (const member of crowd) await assert.rejects(member, (error) => error === failure);
  assert.equal(await flights.join("a", () => Promise.resolve("yes")), "yes");
});

Deno.test("SingleFlight.join() keeps no flight that did not start", async () => {
  const flights = new SingleFlight<string>();
  assert.throws(() =>
    flights.join("a", () => {
      throw new Error("no");
    })
  );
  assert.equal(await flights.join("a", () => Promise.resolve("yes")), "yes");
});
