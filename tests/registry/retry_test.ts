import assert from "node:assert/strict";
import fc from "fast-check";
import { ServiceError } from "../../src/errors.ts";
import type { Fetch, FetchInit } from "../../src/registry/fetch.ts";
import { retryAfterMs, withRetry } from "../../src/registry/retry.ts";

const ADDRESS = "https://registry.example/v2/";
const INIT: FetchInit = { method: "GET", headers: {} };

/** What one attempt ends with, and how long it takes. */
interface Step {
  readonly end: Response | Error;
  readonly takesMs?: number;
}

/** Time that passes only where a test says so, and a registry that follows a script. */
class Stage {
  nowMs = 0;
  readonly pauses: number[] = [];
  readonly attemptedAt: number[] = [];
  readonly fetch: Fetch;

  /** The script's last step is repeated without end. */
  constructor(script: readonly Step[], random: () => number = () => 0) {
    const lower = (): Promise<Response> => {
      const step = script[Math.min(this.attemptedAt.length, script.length - 1)];
      this.attemptedAt.push(this.nowMs);
      this.nowMs += step?.takesMs ?? 0;
      const end = step?.end ?? new Error("The script is empty");
      return end instanceof Error ? Promise.reject(end) : Promise.resolve(end.clone());
    };
    this.fetch = withRetry(lower, {
      random,
      now: () => this.nowMs,
      sleep: (ms) => {
        this.pauses.push(ms);
        this.nowMs += ms;
        return Promise.resolve();
      },
    });
  }
}

function answer(status: number, headers: Record<string, string> = {}): Step {
  return { end: new Response(null, { status, headers }) };
}

function unavailable(message = "connection refused"): Step {
  return { end: new ServiceError("source-unavailable", message) };
}

/** Lets the wall clock stand still, which dates are measured against. */
function freezeDate(ms: number): Disposable {
  const original = Date.now;
  Date.now = () => ms;
  return {
    [Symbol.dispose]: (): void => {
      Date.now = original;
    },
  };
}

Deno.test("withRetry() sends three times at most and hands the last answer on", async (t) => {
  for (const status of [408, 429, 500, 502, 503, 504]) {
    await t.step(`${status}`, async () => {
      const stage = new Stage([answer(status)]);
      assert.equal((await stage.fetch(ADDRESS, INIT)).status, status);
      assert.equal(stage.attemptedAt.length, 3);
      assert.equal(stage.pauses.length, 2);
    });
  }
});

Deno.test("withRetry() does not repeat what will not change", async (t) => {
  for (const status of [200, 204, 304, 400, 401, 403, 404, 405, 501]) {
    await t.step(`${status}`, async () => {
      const stage = new Stage([answer(status)]);
      assert.equal((await stage.fetch(ADDRESS, INIT)).status, status);
      assert.deepEqual(stage.attemptedAt, [0]);
    });
  }
  const errors = [
    new ServiceError("source-timeout", "no progress"),
    new ServiceError("source-invalid", "redirects to itself"),
    new ServiceError("source-refused", "no"),
    new TypeError("a bug"),
  ];
  for (const error of errors) {
    await t.step(error instanceof ServiceError ? error.code : error.name, async () => {
      const stage = new Stage([{ end: error }]);
      await assert.rejects(stage.fetch(ADDRESS, INIT), (thrown) => thrown === error);
      assert.deepEqual(stage.attemptedAt, [0]);
    });
  }
});

Deno.test("withRetry() repeats what failed for a moment", async () => {
  const stage = new Stage([unavailable(), answer(503), answer(200)]);
  assert.equal((await stage.fetch(ADDRESS, INIT)).status, 200);
  assert.equal(stage.attemptedAt.length, 3);
});

Deno.test("withRetry() throws the last error", async () => {
  const stage = new Stage([answer(500), unavailable("first"), unavailable("last")]);
  await assert.rejects(stage.fetch(ADDRESS, INIT), { code: "source-unavailable", message: "last" });
});

Deno.test("withRetry() lets go of the answers that it does not hand on", async () => {
  let cancelled = 0;
  const fetch = withRetry(() => {
    const body = new ReadableStream({ cancel: () => void cancelled++ });
    return Promise.resolve(new Response(body, { status: 503 }));
  }, { sleep: () => Promise.resolve() });
  const last = await fetch(ADDRESS, INIT);
  assert.equal(cancelled, 2);
  await last.body?.cancel();
});

Deno.test("withRetry() waits longer each time, and by chance", async () => {
  const least = new Stage([answer(503)], () => 0);
  const middle = new Stage([answer(503)], () => 0.5);
  for (const stage of [least, middle]) await stage.fetch(ADDRESS, INIT);
  assert.deepEqual(least.pauses, [100, 200]);
  assert.deepEqual(middle.pauses, [150, 300]);
});

Deno.test("withRetry() honours Retry-After", async (t) => {
  using _ = freezeDate(Date.UTC(2026, 0, 1));
  const values = {
    "3": 3000,
    "0": 0,
    "Thu, 01 Jan 2026 00:00:04 GMT": 4000,
    "Wed, 31 Dec 2025 23:00:00 GMT": 0,
  };
  for (const status of [429, 503]) {
    for (const [value, pauseMs] of Object.entries(values)) {
      await t.step(`${status}, ${value}`, async () => {
        const stage = new Stage([answer(status, { "retry-after": value }), answer(200)]);
        assert.equal((await stage.fetch(ADDRESS, INIT)).status, 200);
        assert.deepEqual(stage.pauses, [pauseMs]);
      });
    }
  }
});

Deno.test("withRetry() hands on at once what asks for more patience than there is", async (t) => {
  using _ = freezeDate(Date.UTC(2026, 0, 1));
  for (const value of ["11", "Thu, 01 Jan 2026 01:00:00 GMT", "9".repeat(400)]) {
    await t.step(value.slice(0, 40), async () => {
      const stage = new Stage([answer(429, { "retry-after": value })]);
      const response = await stage.fetch(ADDRESS, INIT);
      assert.equal(response.headers.get("retry-after"), value);
      assert.deepEqual(stage.attemptedAt, [0]);
    });
  }
});

Deno.test("withRetry() starts no attempt after five seconds", async () => {
  const stage = new Stage([{ ...unavailable(), takesMs: 3000 }]);
  await assert.rejects(stage.fetch(ADDRESS, INIT), { code: "source-unavailable" });
  assert.equal(stage.attemptedAt.length, 2);

  const steps = fc.array(
    fc.record({
      end: fc.constantFrom(
        ...[unavailable(), answer(503), answer(429, { "retry-after": "4" }), answer(200)]
          .map(({ end }) => end),
      ),
      takesMs: fc.integer({ min: 0, max: 20_000 }),
    }),
    { minLength: 1, maxLength: 4 },
  );
  await fc.assert(
    fc.asyncProperty(steps, fc.double({ min: 0, max: 0.999, noNaN: true }), async (script, at) => {
      const stage = new Stage(script, () => at);
      await stage.fetch(ADDRESS, INIT).catch(() => undefined);
      assert.ok(stage.attemptedAt.length <= 3);
      assert.ok(stage.attemptedAt.every((ms) => ms <= 5_000));
    }),
  );
});

Deno.test("retryAfterMs() reads seconds and dates, and nothing else", () => {
  using _ = freezeDate(Date.UTC(1994, 10, 6, 8, 49, 0));
  const cases: Readonly<Record<string, number | undefined>> = {
    "120": 120_000,
    " 7 ": 7000,
    "Sun, 06 Nov 1994 08:49:37 GMT": 37_000,
    "Sunday, 06-Nov-94 08:49:37 GMT": 37_000,
    "Sun, 06 Nov 1994 08:48:00 GMT": 0,
    "": undefined,
    "soon": undefined,
    "1.5": undefined,
    "-1": undefined,
    "5, 6": undefined,
    "2026": 2_026_000,
  };
  for (const [value, expected] of Object.entries(cases)) {
    const response = new Response(null, { headers: { "retry-after": value } });
    assert.equal(retryAfterMs(response), expected, value);
  }
  assert.equal(retryAfterMs(new Response(null)), undefined);
});

Deno.test("retryAfterMs() measures a date by the clock that it is of, whatever ours says", () => {
  for (const today of [20_000, Date.UTC(2026, 0, 1), Date.UTC(2100, 0, 1)]) {
    using _ = freezeDate(today);
    const headers = {
      "date": "Thu, 01 Jan 2026 00:00:00 GMT",
      "retry-after": "Thu, 01 Jan 2026 00:00:04 GMT",
    };
    assert.equal(retryAfterMs(new Response(null, { headers })), 4000);
    const undated = new Response(null, { headers: { ...headers, date: "today" } });
    assert.equal(retryAfterMs(undated), Math.max(0, Date.UTC(2026, 0, 1, 0, 0, 4) - today));
  }
});
