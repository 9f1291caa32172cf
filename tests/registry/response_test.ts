import assert from "node:assert/strict";
import * as v from "valibot";
import { describeError, type ErrorCode, isServiceError } from "../../src/errors.ts";
import { ensureOk, readBytes, readJson } from "../../src/registry/response.ts";

const ACTION = 'list tags of "dev/led"';
const ERRORS = JSON.stringify({
  errors: [{ code: "NAME_UNKNOWN", message: "who?", detail: null }],
});
const REGISTRY = { "docker-distribution-api-version": "registry/2.0" };

async function refusal(response: Response): Promise<{ code: ErrorCode; text: string }> {
  try {
    await ensureOk(response, ACTION);
  } catch (error) {
    assert.ok(isServiceError(error));
    assert.equal(error.message, `Cannot ${ACTION}: registry answered ${response.status}`);
    return { code: error.code, text: describeError(error) };
  }
  throw new Error(`${response.status} was let pass`);
}

/** A body far longer than any limit; counts what is taken of it. */
class EndlessBody {
  taken = 0;
  cancelled = false;
  readonly stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull: (controller): void => {
      this.taken += 1024;
      if (this.taken > 1024 * 1024) controller.error(new Error("Nobody stopped me"));
      else controller.enqueue(new Uint8Array(1024).fill(0x20));
    },
    cancel: (): void => void (this.cancelled = true),
  }, { highWaterMark: 0 });
}

function brokenBody(): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({
    pull: (controller) => controller.error(new TypeError("connection reset")),
  });
}

Deno.test("ensureOk() lets 200 pass and leaves its body alone", async () => {
  const response = new Response("tags");
  await ensureOk(response, ACTION);
  assert.equal(await response.text(), "tags");
});

Deno.test("ensureOk() gives each status its code", async (t) => {
  const cases: Readonly<Record<number, ErrorCode>> = {
    201: "source-invalid",
    204: "source-invalid",
    206: "source-invalid",
    304: "source-invalid",
    307: "source-invalid",
    400: "source-invalid",
    401: "source-refused",
    403: "source-refused",
    405: "source-invalid",
    408: "source-unavailable",
    410: "source-invalid",
    429: "source-unavailable",
    500: "source-unavailable",
    502: "source-unavailable",
    503: "source-unavailable",
    504: "source-unavailable",
  };
  for (const [text, code] of Object.entries(cases)) {
    const status = Number(text);
    await t.step(text, async () => {
      const hasBody = ![204, 304].includes(status);
      const response = new Response(hasBody ? ERRORS : null, { status, headers: REGISTRY });
      const refused = await refusal(response);
      assert.equal(refused.code, code);
      if (hasBody) assert.match(refused.text, /registry says NAME_UNKNOWN$/);
    });
  }
});

Deno.test("ensureOk() believes a 404 only if it is a registry's", async (t) => {
  const cases: Readonly<Record<string, readonly [Response, ErrorCode]>> = {
    "with a registry's error": [new Response(ERRORS, { status: 404 }), "firmware-unknown"],
    "with a registry's header": [
      new Response("gone", { status: 404, headers: REGISTRY }),
      "firmware-unknown",
    ],
    "with both": [new Response(ERRORS, { status: 404, headers: REGISTRY }), "firmware-unknown"],
    "with the header and no body": [
      new Response(null, { status: 404, headers: REGISTRY }),
      "firmware-unknown",
    ],
    "of a web server": [new Response("<h1>Not Found</h1>", { status: 404 }), "source-invalid"],
    "without anything": [new Response(null, { status: 404 }), "source-invalid"],
    "with JSON of another kind": [
      new Response('{"error":"not found"}', { status: 404 }),
      "source-invalid",
    ],
    "with another API's header": [
      new Response(null, {
        status: 404,
        headers: { "docker-distribution-api-version": "proxy/1.0" },
      }),
      "source-invalid",
    ],
    "with a body that breaks off": [new Response(brokenBody(), { status: 404 }), "source-invalid"],
  };
  for (const [name, [response, code]] of Object.entries(cases)) {
    await t.step(name, async () => assert.equal((await refusal(response)).code, code));
  }
});

Deno.test("ensureOk() tells when the registry wants to be asked again", async (t) => {
  const cases = [["7", 7], ["0", 0], [undefined, undefined], ["soon", undefined]] as const;
  for (const [value, seconds] of cases) {
    await t.step(`${value}`, async () => {
      const headers = { ...(value !== undefined && { "retry-after": value }) };
      await assert.rejects(ensureOk(new Response(null, { status: 429, headers }), ACTION), {
        code: "source-unavailable",
        retryAfterSeconds: seconds,
      });
    });
  }
});

Deno.test("ensureOk() reads no more of an error than it needs", async () => {
  const body = new EndlessBody();
  assert.equal((await refusal(new Response(body.stream, { status: 404 }))).code, "source-invalid");
  assert.ok(body.taken <= 65 * 1024, `${body.taken} bytes were taken`);
  assert.ok(body.cancelled);

  const long = JSON.stringify({ errors: [{ code: "X".repeat(10_000) }] });
  const { text } = await refusal(new Response(long, { status: 400 }));
  assert.ok(text.length < 200);
});

Deno.test("ensureOk() goes by the status where the body breaks off", async () => {
  const { code } = await refusal(new Response(brokenBody(), { status: 503 }));
  assert.equal(code, "source-unavailable");
});

const schema = v.object({ tags: v.array(v.string()) });
const OPTIONS = { action: ACTION, limit: 100 };

Deno.test("readJson() reads a document of the wanted form and nothing else", async (t) => {
  const good = new Response('{"name":"dev/led","tags":["1.0.0"]}');
  assert.deepEqual(await readJson(good, { ...OPTIONS, schema }), { tags: ["1.0.0"] });
  const bodies = [
    "",
    "null",
    "[]",
    "{}",
    '{"tags":',
    '{"tags":{}}',
    '{"tags":[1]}',
    "<html>",
    "\u{feff}",
  ];
  for (const body of bodies) {
    await t.step(body === "" ? "nothing" : body, async () => {
      await assert.rejects(readJson(new Response(body), { ...OPTIONS, schema }), {
        code: "source-invalid",
        message: `Cannot ${ACTION}: registry's answer is not of the expected form`,
      });
    });
  }
});

Deno.test("readBytes() reads up to its limit and lets go behind it", async () => {
  const exact = new Response(new Uint8Array(100).fill(7));
  assert.deepEqual(await readBytes(exact, OPTIONS), new Uint8Array(100).fill(7));
  assert.equal((await readBytes(new Response(null), OPTIONS)).length, 0);
  await assert.rejects(readBytes(new Response(new Uint8Array(101)), OPTIONS), {
    code: "source-invalid",
    message: `Cannot ${ACTION}: registry's answer is longer than 100 bytes`,
  });
  const body = new EndlessBody();
  await assert.rejects(readBytes(new Response(body.stream), { ...OPTIONS, limit: 5000 }), {
    code: "source-invalid",
  });
  assert.equal(body.taken, 5 * 1024);
  assert.ok(body.cancelled);
});

Deno.test("readBytes() puts pieces together and lets errors pass", async () => {
  const pieces = [[1, 2], [], [3], [4, 5, 6]].map((bytes) => new Uint8Array(bytes));
  const response = new Response(ReadableStream.from(pieces));
  assert.deepEqual(await readBytes(response, OPTIONS), new Uint8Array([1, 2, 3, 4, 5, 6]));
  await assert.rejects(readBytes(new Response(brokenBody()), OPTIONS), TypeError);
});
