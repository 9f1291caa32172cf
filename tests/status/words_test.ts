import assert from "node:assert/strict";
import { type Problem, type ProblemFacts, problemsOf } from "../../src/status/words.ts";
import { fakePorts, unservedDevice } from "../helpers/status_facts.ts";

const SILENCE = {
  code: "source-timeout",
  reason: "No progress for 30 s",
  agoMs: 90_000,
  retryInMs: 5000,
} as const;

function groupOf(
  code: ProblemFacts["groups"][number]["code"],
  { count = 1, unserved = 0 }: { readonly count?: number; readonly unserved?: number } = {},
): ProblemFacts["groups"][number] {
  return { code, count, unserved, examples: [unservedDevice("a", { code, reason: "No" })] };
}

function problems(changes: Partial<ProblemFacts> = {}): Problem[] {
  const ports = fakePorts();
  return problemsOf({
    source: ports.source,
    firmware: ports.firmware(),
    groups: [],
    cache: ports.cache(),
    downloads: ports.downloads(),
    broker: undefined,
    ...changes,
  });
}

/** The one problem that there is. */
function problem(changes: Partial<ProblemFacts>): Problem {
  const [first, ...others] = problems(changes);
  assert.deepEqual(others, []);
  assert.ok(first);
  return first;
}

function firmware(changes: Partial<ProblemFacts["firmware"]>): ProblemFacts["firmware"] {
  return { ...fakePorts().firmware(), ...changes };
}

Deno.test("problemsOf() has nothing to say where all is well", () => {
  assert.deepEqual(problems(), []);
  assert.deepEqual(problems({ broker: { isConnected: true, pending: 2 } }), []);
});

Deno.test("problemsOf() says for how long the registry has been away, and where it should be", () => {
  const { code, title, detail, reason, next } = problem({
    firmware: firmware({ silence: SILENCE }),
  });
  assert.equal(code, "source-away");
  assert.equal(title, "The registry does not answer");
  assert.match(detail, /^For 1 min\. /);
  assert.equal(reason, "No progress for 30 s");
  assert.match(next, /^See that https:\/\/registry\.example\.com runs, /);
});

Deno.test("problemsOf() says what to try where the network has said what is wrong", () => {
  const silence = { ...SILENCE, reason: "Registry cannot be reached: Connection refused" };
  const { next } = problem({ firmware: firmware({ silence }) });
  assert.match(next, /^Nobody listens there: see that the registry runs, .* are right\.$/);
});

Deno.test("problemsOf() knows a folder from a registry", () => {
  const { title, next } = problem({
    source: { kind: "layout", name: "/srv/firmware" },
    firmware: firmware({ silence: SILENCE }),
  });
  assert.equal(title, "The folder of layouts cannot be read");
  assert.equal(next, "See that /srv/firmware is mounted, and that OtaFlux may read it.");
});

Deno.test("problemsOf() says once that the registry is away, not for each way to notice it", () => {
  const groups = [
    groupOf("source-unavailable"),
    groupOf("source-timeout"),
    groupOf("storage-failed"),
  ];
  const codes = (silence: typeof SILENCE | undefined): string[] =>
    problems({ groups, firmware: firmware({ silence }) }).map(({ code }) => code);
  assert.deepEqual(codes(SILENCE), ["source-away", "storage-failed"]);
  assert.deepEqual(codes(undefined), ["source-unavailable", "source-timeout", "storage-failed"]);
});

for (
  const [code, title, next] of [
    ["artifact-invalid", "the newest artifact is not accepted", /^Push the firmware again/],
    [
      "signature-invalid",
      "the newest firmware is not signed as it should be",
      /^Sign it with a key/,
    ],
    ["source-refused", "access is refused", /--registry-username/],
    ["source-invalid", "the answer is none of a registry's", /--registry-url/],
    ["storage-failed", "firmware cannot be stored", /^Make room on the disk/],
    ["unexpected", "the reason is an error of OtaFlux itself", /--log-level debug/],
  ] as const
) {
  Deno.test(`problemsOf() knows what to try at ${code}`, () => {
    const found = problem({ groups: [groupOf(code)] });
    assert.equal(found.title, `Checks of 1 device at the registry fail: ${title}`);
    assert.match(found.next, next);
  });
}

for (
  const [count, unserved, detail] of [
    [1, 0, "It goes on being served what was verified before."],
    [1, 1, "There is nothing to serve it."],
    [3, 0, "They go on being served what was verified before."],
    [3, 3, "There is nothing to serve them."],
    [
      3,
      1,
      "There is nothing to serve 1 of them. The others go on being served what was verified before.",
    ],
  ] as const
) {
  Deno.test(`problemsOf() tells what ${count} failing with ${unserved} unserved means`, () => {
    const groups = [groupOf("source-refused", { count, unserved })];
    assert.equal(problem({ groups }).detail, detail);
  });
}

Deno.test("problemsOf() tells why a broker is away, and what to try", () => {
  const outage = { reason: "Not authorized", next: "Give a user" };
  const { reason, next } = problem({ broker: { isConnected: false, pending: 0, outage } });
  assert.deepEqual([reason, next], ["Not authorized", "Give a user."]);
});

Deno.test("problemsOf() tells of a broker that is away, and what waits for it", () => {
  const { code, detail, reason, next } = problem({ broker: { isConnected: false, pending: 1 } });
  assert.equal(code, "broker-away");
  assert.equal(reason, undefined);
  assert.equal(next, "See that the broker runs and accepts the user.");
  assert.match(detail, /^1 notification for it waits\. /);
});

Deno.test("problemsOf() tells of downloads at their limit, not below it", () => {
  assert.deepEqual(problems({ downloads: { underWay: 199, limit: 200 } }), []);
  assert.equal(problem({ downloads: { underWay: 200, limit: 200 } }).code, "downloads-full");
});

for (
  const [what, bytes, code] of [
    ["a full cache", 950, "cache-too-small"],
    ["somebody else", 100, "cache-altered"],
  ] as const
) {
  Deno.test(`problemsOf() suspects ${what} where firmware is fetched again`, () => {
    const found = problem({
      cache: { kind: "folder", bytes, maxBytes: 1000 },
      firmware: firmware({ fetchedAgain: { count: 2, lastAgoMs: 61_000 } }),
    });
    assert.equal(found.code, code);
    assert.match(found.detail, /^2 times since the start, the last 1 min ago, /);
  });
}

Deno.test("problemsOf() lets firmware that was fetched again long ago rest", () => {
  const fetchedAgain = { count: 2, lastAgoMs: 10 * 60_000 };
  assert.deepEqual(problems({ firmware: firmware({ fetchedAgain }) }), []);
});

Deno.test("problemsOf() tells of a full cache only where somebody misses what had to go", () => {
  assert.deepEqual(problems({ cache: { kind: "folder", bytes: 1000, maxBytes: 1000 } }), []);
});

Deno.test("problemsOf() says how many places the devices that ask would need", () => {
  const places = { taken: 100, limit: 100 };
  assert.deepEqual(problems({ firmware: firmware({ places, tracked: 100 }) }), []);
  const { code, next } = problem({ firmware: firmware({ places, tracked: 10_000 }) });
  assert.deepEqual([code, next], ["memory-too-small", "Set --cache-size to 10000 or more."]);
});
