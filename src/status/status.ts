/**
 * How things stand, as one object: what `GET /api/status` answers and the page shows.
 *
 * @module
 */

import type { DeviceFacts, FailureFacts, ReportedVersion, StatusPorts } from "./facts.ts";
import { type DeviceQuery, selectDevices } from "./selection.ts";
import { type Problem, problemsOf } from "./words.ts";

/** So many characters of a reason: a registry's answer may be as long as it likes. */
const REASON_LIMIT = 500;

/** So many of the versions that a fleet reports: the most frequent ones. */
const REPORTED_LIMIT = 5;

/** A failure. Times are as in RFC 3339. */
export interface FailureView {
  /** The error's code, or `unexpected`. */
  readonly code: string;
  /** What happened. */
  readonly reason: string;
  /** When. */
  readonly at: string;
  /** When it is tried again at the earliest. */
  readonly retryAt: string;
}

/** A device. Times are as in RFC 3339. */
export interface DeviceView {
  /** Its id. */
  readonly device: string;
  /** What it is served; null, as all of the firmware's, where there is nothing to serve. */
  readonly version: string | null;
  /** Digest of the manifest, or index, behind the tag. */
  readonly digest: string | null;
  /** The firmware's length in bytes. */
  readonly size: number | null;
  /** Null where no signature is asked for. */
  readonly signature: "valid" | null;
  /** Since when it is the device's. */
  readonly since: string | null;
  /** When the source last said that it is the newest. */
  readonly confirmedAt: string | null;
  /** What hindered the last check; null where nothing did. */
  readonly failure: FailureView | null;
  /** What the fleet says that it runs, the most frequent first; null where nobody counts. */
  readonly reportedVersions: readonly ReportedVersion[] | null;
}

/** Something that is wrong. */
export interface ProblemView {
  /** What it is: an error's code, or one of those that docs/operations.md lists. */
  readonly code: string;
  /** What is wrong, in words. */
  readonly title: string;
  /** What that means for devices. */
  readonly detail: string;
  /** What led to it; null where there is no more to say. */
  readonly reason: string | null;
  /** The next thing to try. */
  readonly next: string;
  /** How many devices it is about; null where it is about all, or none. */
  readonly deviceCount: number | null;
  /** The first few of them. */
  readonly examples: readonly { readonly device: string; readonly reason: string }[];
}

/** How things stand. All keys are always there; times are as in RFC 3339. */
export interface Status {
  /** When this was written. */
  readonly generatedAt: string;
  /** What runs here. */
  readonly service: {
    readonly version: string;
    readonly commit: string | null;
    readonly startedAt: string;
  };
  /** What is wrong, the worst first; empty where all is well. */
  readonly problems: readonly ProblemView[];
  /** Where firmware comes from. */
  readonly source: {
    readonly kind: "registry" | "layout";
    readonly name: string;
    readonly isUp: boolean;
    /** Since when it does not answer, and what it did instead; null while it does. */
    readonly failure: FailureView | null;
  };
  /** What is kept. */
  readonly cache: {
    readonly kind: "folder" | "memory";
    readonly bytes: number;
    readonly maxBytes: number;
    /** Devices in memory, and how many there may be. */
    readonly devices: number;
    readonly maxDevices: number;
    /** Devices that are checked in the background. */
    readonly trackedDevices: number;
    /** How often, since the start, firmware was fetched again that had been stored. */
    readonly fetchedAgain: number;
  };
  /** Downloads under way, and how many there may be. */
  readonly downloads: { readonly underWay: number; readonly limit: number };
  /** The MQTT broker; null where there is none. */
  readonly broker: { readonly isConnected: boolean; readonly pending: number } | null;
  /** The devices. */
  readonly devices: {
    /** How many are known. */
    readonly total: number;
    /** How many of them fail. */
    readonly failing: number;
    /** How many the query wants. */
    readonly matching: number;
    /** The query: what ids begin with, whether only failing ones, after which id. */
    readonly prefix: string;
    readonly onlyFailing: boolean;
    readonly after: string;
    /** What `after` is to be for the next page; null on the last one. */
    readonly next: string | null;
    /** Those of this page, by id. */
    readonly list: readonly DeviceView[];
  };
}

/**
 * Looks how things stand.
 *
 * @param ports Where the facts come from.
 * @param query Which devices are wanted.
 * @returns All of it.
 */
export function readStatus(ports: StatusPorts, query: DeviceQuery): Status {
  const { service, source, now = (): Date => new Date() } = ports;
  const date = now();
  const clock = new Clock(date.getTime());
  const { devices, ...firmware } = ports.firmware();
  const selection = selectDevices(devices, query);
  const [cache, downloads] = [ports.cache(), ports.downloads()];
  const broker = ports.broker?.();
  const facts = { source, firmware, groups: selection.groups, cache, downloads, broker };
  return {
    generatedAt: date.toISOString(),
    service: {
      version: service.version,
      commit: service.commit ?? null,
      startedAt: service.startedAt.toISOString(),
    },
    problems: problemsOf(facts).map(viewProblem),
    source: {
      kind: source.kind,
      name: source.name,
      isUp: firmware.silence === undefined,
      failure: viewFailure(firmware.silence, clock),
    },
    cache: {
      kind: cache.kind,
      bytes: cache.bytes,
      maxBytes: cache.maxBytes,
      devices: firmware.places.taken,
      maxDevices: firmware.places.limit,
      trackedDevices: firmware.tracked,
      fetchedAgain: firmware.fetchedAgain.count,
    },
    downloads: { underWay: downloads.underWay, limit: downloads.limit },
    broker: broker === undefined
      ? null
      : { isConnected: broker.isConnected, pending: broker.pending },
    devices: {
      total: selection.total,
      failing: selection.failing,
      matching: selection.matching,
      prefix: query.prefix,
      onlyFailing: query.isFailing,
      after: query.after,
      next: selection.hasMore ? selection.page.at(-1)?.device ?? null : null,
      list: selection.page.map((facts) => viewDevice(facts, clock, ports)),
    },
  };
}

/** Turns what others tell by clocks of their own into times of the wall. */
class Clock {
  readonly #nowMs: number;

  constructor(nowMs: number) {
    this.#nowMs = nowMs;
  }

  ago(ms: number): string {
    return new Date(this.#nowMs - ms).toISOString();
  }
}

function viewFailure(failure: FailureFacts | undefined, clock: Clock): FailureView | null {
  return failure === undefined ? null : {
    code: failure.code,
    reason: shorten(failure.reason),
    at: clock.ago(failure.agoMs),
    retryAt: clock.ago(-failure.retryInMs),
  };
}

function viewDevice(
  { device, firmware, servedForMs, confirmedAgoMs, failure, signature }: DeviceFacts,
  clock: Clock,
  { reportedVersions }: StatusPorts,
): DeviceView {
  return {
    device,
    version: firmware?.version ?? null,
    digest: firmware?.digest ?? null,
    size: firmware?.size ?? null,
    signature: signature ?? null,
    since: servedForMs === undefined ? null : clock.ago(servedForMs),
    confirmedAt: confirmedAgoMs === undefined ? null : clock.ago(confirmedAgoMs),
    failure: viewFailure(failure, clock),
    reportedVersions: reportedVersions?.(device).slice(0, REPORTED_LIMIT) ?? null,
  };
}

function viewProblem({ code, title, detail, reason, next, devices }: Problem): ProblemView {
  return {
    code,
    title,
    detail,
    reason: reason === undefined ? null : shorten(reason),
    next,
    deviceCount: devices?.count ?? null,
    examples: devices?.examples.map(({ device, failure }) => ({
      device,
      reason: shorten(failure?.reason ?? ""),
    })) ?? [],
  };
}

function shorten(reason: string): string {
  return reason.length <= REASON_LIMIT ? reason : `${reason.slice(0, REASON_LIMIT - 1)}…`;
}
