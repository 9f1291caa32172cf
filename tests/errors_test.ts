import assert from "node:assert/strict";
import fc from "fast-check";
import { describeError, isServiceError, ServiceError } from "../src/errors.ts";

Deno.test("ServiceError keeps code, cause and wish", () => {
  const cause = new TypeError("connection refused");
  const error = new ServiceError("source-unavailable", "No registry", {
    cause,
    retryAfterSeconds: 7,
  });
  assert.ok(error instanceof Error);
  assert.equal(error.name, "ServiceError");
  assert.equal(error.code, "source-unavailable");
  assert.equal(error.message, "No registry");
  assert.equal(error.cause, cause);
  assert.equal(error.retryAfterSeconds, 7);
  assert.equal(new ServiceError("source-refused", "No").retryAfterSeconds, undefined);
});

Deno.test("isServiceError() goes by the codes that are named", () => {
  const error = new ServiceError("source-timeout", "No progress");
  assert.ok(isServiceError(error));
  assert.ok(isServiceError(error, "source-invalid", "source-timeout"));
  assert.ok(!isServiceError(error, "source-invalid"));
  for (const other of [new Error("x"), { code: "source-timeout" }, "source-timeout", undefined]) {
    assert.ok(!isServiceError(other));
  }
});

Deno.test("describeError() tells what led to what, outermost first", async (t) => {
  const refused = new Error("connection refused");
  const cases: Readonly<Record<string, readonly [error: unknown, text: string]>> = {
    "an error": [refused, "connection refused"],
    "its causes": [
      new ServiceError("source-unavailable", "Cannot list tags", {
        cause: new TypeError("fetch failed", { cause: refused }),
      }),
      "Cannot list tags: fetch failed: connection refused",
    ],
    "a cause that is text": [
      new ServiceError("source-invalid", "Cannot list tags", { cause: "registry says DENIED" }),
      "Cannot list tags: registry says DENIED",
    ],
    "a cause whose words are in the error's": [
      new Error("fetch failed: connection refused", { cause: refused }),
      "fetch failed: connection refused",
    ],
    "lines": [new Error("one\r\n  two \n\n three\rfour"), "one two three four"],
    "a path that Deno keeps to itself": [
      new Deno.errors.NotCapable(
        'Requires all access to "/proc/x/y", run again with the --allow-all flag',
      ),
      "OtaFlux uses nothing below /proc, /sys, /dev, want a path elsewhere",
    ],
    "a path that only sounds like one": [
      new Deno.errors.NotCapable(
        'Requires read access to "/processes", run again with the --x flag',
      ),
      'Requires read access to "/processes"',
    ],
    "no error at all": ["oops", "oops"],
    "null": [null, "null"],
    "nothing": [undefined, ""],
  };
  for (const [name, [error, text]] of Object.entries(cases)) {
    await t.step(name, () => assert.equal(describeError(error), text));
  }
});

Deno.test("describeError() ends where causes go in circles", () => {
  const inner = new Error("inner");
  const outer = new Error("outer", { cause: inner });
  inner.cause = outer;
  assert.match(describeError(outer), /^outer: inner: outer(: inner: outer)*: inner$/);
});

Deno.test("describeError() makes one line of everything", () => {
  fc.assert(fc.property(fc.array(fc.string({ unit: "binary" })), (messages) => {
    const error = messages.reduce<Error | undefined>(
      (cause, message) => new Error(message, { cause }),
      undefined,
    );
    assert.doesNotMatch(describeError(error), /[\r\n]/);
  }));
});
