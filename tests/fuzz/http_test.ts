/**
 * What clients send: ranges, conditions, digests that are wanted, queries and ids.
 */
import assert from "node:assert/strict";
import { parseEntityTags } from "../../src/api/entity_tag.ts";
import { parseHttpDate } from "../../src/api/http_date.ts";
import { parseRanges, RANGES_LIMIT } from "../../src/api/ranges.ts";
import { ServiceError } from "../../src/errors.ts";
import { RegistryClient } from "../../src/registry/client.ts";
import { deviceOf, repositoryOf } from "../../src/repository.ts";
import { asQuery } from "../../src/selection.ts";
import { apiOf, firmwareOf } from "../helpers/api.ts";
import { asHeader, damagedText, fuzz } from "../helpers/fuzz.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { below, oneOf } from "../helpers/mutations.ts";

const SIZE = 1000;
const bytes = firmwareBytes(SIZE);
const firmware = firmwareOf(bytes);
const ETAG = `"${firmware.sha256}"`;

const RANGES = [
  "bytes=0-",
  "bytes=0-9",
  "bytes=-1",
  "bytes=0-0,5-9, 20-",
  "bytes=999-",
  "bytes=1000-",
]
  .concat(["BYTES=1-2", "bytes= 1-2 , 3-4\t", "bytes=0-99999999999999999999", "items=1-2"]);
const TAGS = [ETAG, `W/${ETAG}`, `"a", ${ETAG}`, "*", '"a,b" , W/"c"', '""'];
const DATES = ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT"]
  .concat(["Sun Nov  6 08:49:37 1994", "Fri, 02 Jan 2026 03:04:05 GMT"]);

/** RFC 9110, 14.1.2, spelt out step by step instead of by expressions. */
function rangesByHand(field: string, size: number): ReturnType<typeof parseRanges> {
  if (field.length > 8192 || field.slice(0, 6).toLowerCase() !== "bytes=") return "all";
  if (/[\n\r\u2028\u2029]/.test(field)) return "all";
  const isSpace = (character: string | undefined): boolean =>
    character === " " || character === "\t";
  const specs = field.slice(6).split(",").map((spec) => {
    const characters = [...spec];
    while (isSpace(characters[0])) characters.shift();
    while (isSpace(characters.at(-1))) characters.pop();
    return characters.join("");
  }).filter((spec) => spec !== "");
  if (specs.length === 0 || specs.length > RANGES_LIMIT) return "all";
  const isDigits = (text: string): boolean =>
    text !== "" && [...text].every((character) => "0123456789".includes(character));
  const found = [];
  for (const spec of specs) {
    const dash = spec.indexOf("-");
    const [first, last] = [spec.slice(0, dash), spec.slice(dash + 1)];
    if (dash === -1 || (first === "" && last === "")) return "all";
    if ((first !== "" && !isDigits(first)) || (last !== "" && !isDigits(last))) return "all";
    if (first === "") {
      const length = Math.min(Number(last), size);
      if (length > 0) found.push({ start: size - length, end: size });
      continue;
    }
    if (last !== "" && BigInt(last) < BigInt(first)) return "all";
    if (Number(first) >= size) continue;
    found.push({
      start: Number(first),
      end: last === "" ? size : Math.min(Number(last) + 1, size),
    });
  }
  if (found.length === 0) return "unsatisfiable";
  return found.reduce((sum, { start, end }) => sum + end - start, 0) > size ? "all" : found;
}

fuzz("Range is read as its grammar says", (random) => {
  const field = damagedText(RANGES, random, ["bytes=", "-", ","]);
  assert.deepEqual(parseRanges(field, SIZE), rangesByHand(field, SIZE), JSON.stringify(field));
});

fuzz("entity tags that are read stand in the field", (random) => {
  const field = damagedText(TAGS, random, ['"', 'W/"', ","]);
  for (const { isWeak, opaque } of parseEntityTags(field)) {
    assert.match(opaque, /^"[^" ]*"$/);
    assert(field.includes(`${isWeak ? "W/" : ""}${opaque}`));
  }
});

fuzz("a date that is read is written the same again", (random) => {
  const field = damagedText(DATES, random, ["GMT", "Feb", "29", "60"]);
  const ms = parseHttpDate(field);
  if (ms === undefined) return;
  assert(Number.isSafeInteger(ms));
  const again = parseHttpDate(new Date(ms).toUTCString());
  // Years of less than four digits have a spelling of their own.
  if (ms >= Date.UTC(1000)) assert.equal(again, ms);
});

const api = apiOf(bytes, firmware, {
  manager: {
    get: async (question) => {
      await Promise.resolve();
      const { device } = asQuery(question);
      repositoryOf(device, "factory");
      if (device === "pump") return firmware;
      throw new ServiceError("firmware-unknown", `No firmware for device '${device}'`);
    },
    getAnnounced: () => Promise.resolve(firmware),
    open: () => Promise.resolve(readerOf(bytes)),
    ageSeconds: () => 7,
    isReady: () => true,
  },
});

function readerOf(all: Uint8Array<ArrayBuffer>): {
  seek: (range: { readonly start: number; readonly end: number }) => void;
  isAtEnd: boolean;
  read: () => Promise<Uint8Array<ArrayBuffer> | undefined>;
  close: () => void;
} {
  let rest = all;
  return {
    seek: ({ start, end }): void => void (rest = all.slice(start, end)),
    get isAtEnd() {
      return rest.length === 0;
    },
    read: () => {
      const given = rest;
      rest = new Uint8Array();
      return Promise.resolve(given.length === 0 ? undefined : given);
    },
    close: (): void => {},
  };
}

const PATHS = ["/version?device=pump", "/firmware?device=pump", "/version.json?device=pump&x=1"]
  .concat(["/esphome/pump/manifest.json", "/swupdate?device=pump&current=1.0.0", "/health"])
  .concat(["/firmware?device=a%2fb&version=1", "/ready", "/webhooks/harbor"]);
const HEADERS: Readonly<Record<string, readonly string[]>> = {
  range: RANGES,
  "if-range": [...TAGS, ...DATES],
  "if-none-match": TAGS,
  "if-match": TAGS,
  "if-modified-since": DATES,
  "if-unmodified-since": DATES,
  "want-repr-digest": ["sha-256=1", "sha-512=3, sha-256=10;x", "sha-256=0", "*=1"],
  accept: ["application/json", "text/plain;q=0.5, */*;q=0.1", "application/json;q=x"],
  "x-forwarded-for": ["10.0.0.1:8080, [::1]:9", "a"],
  "x-request-id": ["abc", "a b"],
  "x-esp8266-version": ["1.0.0", "x"],
  "user-agent": ["ESP8266-http-Update", "RAUC/1.0", "ESP32-http-Update"],
};
const STATUSES = [200, 206, 302, 304, 400, 404, 405, 412, 416];

fuzz("every request has an answer that is meant, of the length that it says", async (random) => {
  const headers: Record<string, string> = {};
  for (let times = below(4, random); times > 0; times--) {
    const name = oneOf(Object.keys(HEADERS), random);
    headers[name] = asHeader(damagedText(HEADERS[name] ?? [], random)).trim();
  }
  const path = damagedText(PATHS, random, ["&device=", "device", "%", "/"]).slice(0, 4000);
  const method = oneOf(["GET", "GET", "GET", "HEAD", "POST"], random);
  const url = URL.parse(path, "http://localhost");
  if (url?.protocol !== "http:") return;
  const response = await api.request(new Request(url, { method, headers }));
  const body = await response.arrayBuffer();
  const what = `${method} ${path} ${JSON.stringify(headers)}: ${response.status}`;
  assert(STATUSES.includes(response.status), what);
  const length = response.headers.get("content-length");
  if (method !== "HEAD" && length !== null) assert.equal(body.byteLength, Number(length), what);
  for (const [, value] of response.headers) assert.doesNotMatch(value, /[\r\n]/);
}, { fraction: 1 });

fuzz("no id leads to another address than its repository's", async (random) => {
  const device = damagedText(["pump", "garden/pump-1", "a.b_c", "..", "a/../b"], random, ["/v2/"]);
  const asked: string[] = [];
  const client = new RegistryClient({
    url: new URL("https://registry.example/base"),
    repositoryPrefix: "factory",
    fetch: (url) => {
      asked.push(url);
      return Promise.resolve(new Response(`{"tags":[]}`));
    },
  });
  try {
    await client.listTags(device);
    assert.deepEqual(asked, [
      `https://registry.example/base/v2/factory/${device}/tags/list?n=1000`,
    ]);
    assert.equal(deviceOf(`factory/${device}`, "factory"), device);
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error;
    assert(error instanceof ServiceError && error.code === "device-invalid", `${error}`);
    assert.deepEqual(asked, []);
  }
});
