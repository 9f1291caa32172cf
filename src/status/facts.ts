/**
 * What the page asks of the other rooms: small ports, which `src/wiring/` fills.
 *
 * @module
 */

import type { ErrorCode } from "../errors.ts";

/** What fails. Times are in milliseconds from now. */
export interface FailureFacts {
  /** The code of the error; `unexpected` is an error of ours. */
  readonly code: ErrorCode | "unexpected";
  /** What happened, in one line; never a secret. */
  readonly reason: string;
  /** How long ago. */
  readonly agoMs: number;
  /** When it is tried again; 0 for when somebody asks. */
  readonly retryInMs: number;
}

/** What is known of a device. */
export interface DeviceFacts {
  /** Its id. */
  readonly device: string;
  /** What it is served; undefined where there is nothing to serve. */
  readonly firmware:
    | { readonly version: string; readonly digest: string; readonly size: number }
    | undefined;
  /** For how long its firmware has been this one, in milliseconds. */
  readonly servedForMs: number | undefined;
  /** How long ago the source confirmed it, in milliseconds. */
  readonly confirmedAgoMs: number | undefined;
  /** What hindered the last check; undefined where nothing did. */
  readonly failure: FailureFacts | undefined;
  /** What is known of the firmware's signature. @default none is asked for */
  readonly signature?: "valid" | undefined;
}

/** What the domain knows. */
export interface FirmwareFacts {
  /** How the source fails; undefined while it answers. */
  readonly silence: FailureFacts | undefined;
  /** How many devices have a place in memory, of how many. */
  readonly places: { readonly taken: number; readonly limit: number };
  /** How many devices are checked in the background. */
  readonly tracked: number;
  /** How often firmware was fetched again that the cache had let go of, and when last. */
  readonly fetchedAgain: { readonly count: number; readonly lastAgoMs: number | undefined };
  /** Each known device once, in any order. */
  readonly devices: Iterable<DeviceFacts>;
}

/** A version that devices say they run. */
export interface ReportedVersion {
  /** The version, as the metrics name it. */
  readonly version: string;
  /** How many requests have said so since the start. */
  readonly polls: number;
}

/** What is known of the broker. */
export interface BrokerFacts {
  /** Whether it is connected. */
  readonly isConnected: boolean;
  /** How many devices' notifications wait for it. */
  readonly pending: number;
  /** Why it is not connected, and what to try, without full stop. @default nobody knows yet */
  readonly outage?: { readonly reason: string; readonly next: string } | undefined;
}

/** Where the page's facts come from. */
export interface StatusPorts {
  /** What runs here. */
  readonly service: {
    /** Its version. */
    readonly version: string;
    /** What it was made of, where that is known. */
    readonly commit: string | undefined;
    /** When it was started, by the clock of the wall as it stands now. */
    readonly startedAt: Date;
  };
  /** Where firmware comes from; the name is an address or a folder, without credentials. */
  readonly source: { readonly kind: "registry" | "layout"; readonly name: string };
  /** What the domain knows now. */
  readonly firmware: () => FirmwareFacts;
  /** How much is kept, of how much; and where. */
  readonly cache: () => {
    readonly kind: "folder" | "memory";
    readonly bytes: number;
    readonly maxBytes: number;
  };
  /** How many downloads run, of how many. */
  readonly downloads: () => { readonly underWay: number; readonly limit: number };
  /** The broker's state. @default there is none */
  readonly broker?: (() => BrokerFacts) | undefined;
  /** Which versions a device's fleet reports, the most frequent first. @default nobody counts */
  readonly reportedVersions?: ((device: string) => readonly ReportedVersion[]) | undefined;
  /** The clock of the wall. @default new Date() */
  readonly now?: () => Date;
}
