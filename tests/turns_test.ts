import assert from "node:assert/strict";
import { Turns } from "../src/turns.ts";

/** Work that says when it begins, and ends when it is told to. */
class Work {
  readonly begun: string[] = [];
  readonly #ends = new Map<string, PromiseWithResolvers<string>>();

  of(name: string): () => Promise<string> {
    const end = Promise.withResolvers<string>();
    this.#ends.set(name, end);
    return () => {
      this.begun.push(name);
      return end.promise;
    };
  }

  end(name: string, error?: Error): void {
    const end = this.#ends.get(name);
    if (error === undefined) end?.resolve(name);
    else end?.reject(error);
  }
}

Deno.test("Turns does one thing after the other under one key, however each ends", async () => {
  const turns = new Turns();
  const work = new Work();
  const [first, second, third] = ["1", "2", "3"].map((name) => turns.take("a", work.of(name)));
  // Whatever came first has had the time to begin.
  await turns.take("b", () => Promise.resolve());
  assert.deepEqual(work.begun, ["1"]);
  work.end("1", new Error("broken"));
  await assert.rejects(first ?? Promise.resolve(), /broken/);
  assert.deepEqual(work.begun, ["1", "2"]);
  work.end("2");
  assert.equal(await second, "2");
  work.end("3");
  assert.equal(await third, "3");
  assert.deepEqual(work.begun, ["1", "2", "3"]);
});

Deno.test("Turns does things under different keys side by side", async () => {
  const turns = new Turns();
  const work = new Work();
  const slow = turns.take("a", work.of("slow"));
  const quick = turns.take("b", work.of("quick"));
  work.end("quick");
  assert.equal(await quick, "quick");
  work.end("slow");
  await slow;
});

Deno.test("Turns.settled() waits for all under a key, or under any, and never fails", async () => {
  const turns = new Turns();
  const work = new Work();
  const ends: string[] = [];
  const failing = turns.take("a", work.of("a")).catch(() => {});
  const other = turns.take("b", work.of("b"));
  const settled = [turns.settled("a"), turns.settled()].map((promise, at) =>
    promise.then(() => ends.push(["a", "all"][at] ?? ""))
  );
  await turns.settled("nobody's");
  assert.deepEqual(ends, []);
  work.end("a", new Error("broken"));
  await settled[0];
  assert.deepEqual(ends, ["a"]);
  work.end("b");
  await Promise.all([...settled, failing, other]);
  assert.deepEqual(ends, ["a", "all"]);
});
