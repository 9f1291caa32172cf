import assert from "node:assert/strict";
import fc from "fast-check";
import { fitHead } from "../../src/api/head.ts";

Deno.test("fitHead() keeps what is required, and of the rest what fits, the first ones first", () => {
  const required = { etag: "x".repeat(200) };
  assert.deepEqual(fitHead(required, { "a": "1", "b": undefined, "c": "3" }), {
    ...{ ...required, "a": "1", "c": "3" },
  });
  const long = "y".repeat(150);
  assert.deepEqual(fitHead(required, { "a": long, "b": long, "c": "3" }), {
    ...{ ...required, "a": long, "c": "3" },
  });
});

Deno.test("fitHead() leaves room for what the server adds, whatever is to be said", () => {
  const line = fc.tuple(fc.stringMatching(/^[a-z-]{1,30}$/), fc.string({ maxLength: 300 }));
  fc.assert(fc.property(fc.array(line), (lines) => {
    const fields = fitHead({ etag: "x".repeat(64) }, Object.fromEntries(lines));
    const length = Object.entries(fields)
      .reduce((sum, [name, value]) => sum + `${name}: ${value}\r\n`.length, 0);
    const server = "HTTP/1.1 206 Partial Content\r\ndate: Tue, 24 Nov 2026 10:47:48 GMT\r\n" +
      "connection: keep-alive\r\nvary: Origin\r\n\r\n";
    assert.ok(length + server.length < 480);
  }));
});
