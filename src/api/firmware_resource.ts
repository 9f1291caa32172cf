/**
 * A firmware as an HTTP resource: conditions, ranges, and what is sent of it.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110
 * @module
 */

import type { Context } from "hono";
import type { ByteRange, ByteReader, Firmware, FirmwareReader } from "../firmware/firmware.ts";
import { failure, respond } from "./answers.ts";
import { evaluateConditions, isRangeWanted } from "./conditional.ts";
import { reprDigest } from "./digest_fields.ts";
import { fitHead, type HeaderFields } from "./head.ts";
import { MultipartReader, planMultipart } from "./multipart.ts";
import { contentRange, parseRanges, type RangeRequest } from "./ranges.ts";
import { CACHE_CONTROL, descriptionOf, FIRMWARE_TYPE, validatorsOf } from "./representation.ts";

/** What is answered, and how its bytes come. */
export interface FirmwareResource {
  /** The firmware that this client is served. */
  readonly firmware: Firmware;
  /** Headers beside those of the resource itself. */
  readonly headers: HeaderFields;
  /** Opens the firmware's bytes. */
  readonly open: () => Promise<FirmwareReader>;
  /** Makes a body of bytes. */
  readonly send: (reader: ByteReader) => Promise<ReadableStream<Uint8Array<ArrayBuffer>>>;
}

/**
 * Answers a GET or HEAD.
 *
 * @param c The request.
 * @param resource What it is for.
 * @returns 200, 206, 304, 412 or 416.
 * @throws {ServiceError} What `open` throws.
 */
export async function answerFirmware(c: Context, resource: FirmwareResource): Promise<Response> {
  const { firmware } = resource;
  const { headers } = c.req.raw;
  const validators = validatorsOf(firmware);
  const shared = { "etag": validators.etag, "cache-control": CACHE_CONTROL };
  switch (evaluateConditions(headers, validators)) {
    case "not-modified":
      return respond(c, { status: 304, headers: fitHead(shared, resource.headers) });
    case "precondition-failed":
      return failure(c, {
        status: 412,
        body: `Firmware is ${firmware.version} now, not what the request is for`,
        headers: shared,
      });
  }
  const wanted = wantedOf(c, firmware);
  if (wanted === "unsatisfiable") {
    return failure(c, {
      status: 416,
      body: `Firmware has ${firmware.size} bytes, none of them is in the range`,
      headers: { "content-range": contentRange(undefined, firmware.size) },
    });
  }
  return await answerBytes(c, resource, { wanted, shared });
}

/** A range means something to GET only (RFC 9110, 14.2). */
function wantedOf(c: Context, firmware: Firmware): RangeRequest {
  const { headers } = c.req.raw;
  const range = headers.get("range");
  return range !== null && c.req.method === "GET" && isRangeWanted(headers, validatorsOf(firmware))
    ? parseRanges(range, firmware.size)
    : "all";
}

interface Part {
  readonly status: number;
  /** Says what the body is. */
  readonly headers: HeaderFields;
  /** Narrows the firmware's bytes down to the body's. */
  readonly narrow: (reader: FirmwareReader) => ByteReader;
}

async function answerBytes(
  c: Context,
  { firmware, headers, open, send }: FirmwareResource,
  { wanted, shared }: {
    readonly wanted: Exclude<RangeRequest, "unsatisfiable">;
    readonly shared: HeaderFields;
  },
): Promise<Response> {
  const part = partOf(firmware, wanted);
  const request = c.req.raw.headers;
  // Whoever goes on with what it has knows the rest from before (RFC 9110, 15.3.7).
  const isResumed = part.status === 206 && request.has("if-range");
  const head = fitHead({ ...part.headers, ...shared }, {
    ...headers,
    "repr-digest": reprDigest(request.get("want-repr-digest"), firmware.sha256),
    ...(isResumed ? {} : descriptionOf(firmware)),
  });
  const { status } = part;
  if (c.req.method === "HEAD") return respond(c, { status, headers: head });
  return respond(c, { status, headers: head, body: await send(part.narrow(await open())) });
}

function partOf(firmware: Firmware, wanted: Exclude<RangeRequest, "unsatisfiable">): Part {
  const { size } = firmware;
  if (wanted === "all") return whole(size);
  const [range, ...others] = wanted;
  if (range === undefined) throw new TypeError("Ranges are at least one");
  return others.length === 0 ? single(range, size) : several(wanted, size);
}

function whole(size: number): Part {
  return {
    status: 200,
    headers: {
      "content-type": FIRMWARE_TYPE,
      "content-length": String(size),
      "accept-ranges": "bytes",
    },
    narrow: (reader) => reader,
  };
}

function single(range: ByteRange, size: number): Part {
  return {
    status: 206,
    headers: {
      "content-type": FIRMWARE_TYPE,
      "content-length": String(range.end - range.start),
      "content-range": contentRange(range, size),
    },
    narrow: (reader) => {
      reader.seek(range);
      return reader;
    },
  };
}

/** With what stands between the parts it may be more than all bytes: then all is less. */
function several(ranges: readonly ByteRange[], size: number): Part {
  const plan = planMultipart({ ranges, size, contentType: FIRMWARE_TYPE });
  if (plan.length > size) return whole(size);
  return {
    status: 206,
    headers: { "content-type": plan.contentType, "content-length": String(plan.length) },
    narrow: (reader) => new MultipartReader(reader, plan),
  };
}
