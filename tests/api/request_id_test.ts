import assert from "node:assert/strict";
import { resetSync } from "@logtape/logtape";
import { Hono } from "hono";
import { respond } from "../../src/api/answers.ts";
import { identifyRequests } from "../../src/api/request_id.ts";
import { configureLogging } from "../../src/log.ts";

/** Answers everything; each request takes 12 ms and is named `made`. */
function app(): Hono {
  let now = 0;
  const app = new Hono();
  app.use(identifyRequests({ now: () => now, makeId: () => "made" }));
  app.all("*", (c) => {
    now += 12;
    return respond(c, { status: 203, headers: {}, body: "hello" });
  });
  return app;
}

async function idOf(app: Hono, given?: string): Promise<string | null> {
  const response = await app.request("/", {
    headers: given === undefined ? {} : { "X-Request-Id": given },
  });
  assert.equal(await response.text(), "hello");
  return response.headers.get("x-request-id");
}

Deno.test("identifyRequests() takes over a sane name, and makes one otherwise", async () => {
  for (const id of ["a", "0b1c-4d.e_f:1/2+3=@", "x".repeat(64)]) {
    assert.equal(await idOf(app(), id), id);
  }
  for (const id of [undefined, "", "a b", 'a"b', "a,b", "a;b", "<a>", "é", "x".repeat(65)]) {
    assert.equal(await idOf(app(), id), "made");
  }
});

Deno.test("identifyRequests() makes names of their own by itself", async () => {
  const own = new Hono();
  own.use(identifyRequests());
  own.get("/", (c) => respond(c, { status: 200, headers: {}, body: "hello" }));
  const [one, two] = [await idOf(own), await idOf(own)];
  assert.match(`${one}`, /^[0-9a-f-]{36}$/);
  assert.notEqual(one, two);
});

Deno.test("identifyRequests() logs each request in one line, the path cut", async () => {
  const lines: string[] = [];
  configureLogging({ level: "debug", format: "json", write: (line) => lines.push(line) });
  try {
    await app().request(`/version/${"x".repeat(500)}?device=pump&token=secret`, { method: "PUT" });
  } finally {
    resetSync();
  }
  const [{ time: _, ...record }] = lines.map((line) => JSON.parse(line));
  assert.deepEqual(record, {
    level: "debug",
    room: "api",
    message: "Request is answered",
    method: "PUT",
    path: `/version/${"x".repeat(191)}`,
    status: 203,
    milliseconds: 12,
    requestId: "made",
  });
  assert.equal(lines.length, 1);
});

Deno.test("identifyRequests() logs no secret of a webhook's path, mistyped or not", async () => {
  const lines: string[] = [];
  configureLogging({ level: "debug", format: "json", write: (line) => lines.push(line) });
  try {
    for (const path of ["/webhooks/quay/hush", "//webhooks/quay//hush", "/Webhooks/x/y/hush?a"]) {
      const response = await app().request(`http://localhost${path}`);
      await response.text();
    }
  } finally {
    resetSync();
  }
  assert.equal(lines.length, 3);
  assert.match(lines[0] ?? "", /"path":"\/webhooks\/quay\/…"/);
  assert.doesNotMatch(lines.join("\n"), /hush/);
});
