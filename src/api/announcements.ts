/**
 * Who was told of which firmware. A device asks for the version first and for the bytes then: it
 * takes what it was told of, or breaks.
 *
 * @module
 */

import type { Context } from "hono";
import { LRUCache } from "lru-cache";
import type { FirmwareName } from "../firmware/firmware.ts";

/**
 * So many announcements are remembered, the latest ones, and as many downloads. Each takes about
 * 300 bytes, so 20,000 take 6 MB, and are those of the last minute of a fleet of 10,000 that asks
 * every half minute.
 */
const ANNOUNCEMENTS_LIMIT = 20_000;

/**
 * A connection is known by its address and port only; after so long without an announcement the
 * port may be another device's.
 */
const CONNECTION_MS = 10 * 60 * 1000;

/** So much of a forwarded address is looked at. */
const FORWARDED_LENGTH = 100;

/** Options of {@linkcode Announcements}. */
export interface AnnouncementsOptions {
  /** How long a client is served what it was told of on whatever connection, in milliseconds. */
  readonly holdMs: number;
  /** A steady clock in milliseconds. @default performance.now */
  readonly now?: () => number;
}

/** Whom an announcement was made to. */
interface Client {
  /** Its address. */
  readonly address: string;
  /** Its connection; undefined behind a proxy, whose connections serve many clients. */
  readonly connection: string | undefined;
}

/** Remembers what each client was told, and what it has begun to download. */
export class Announcements {
  readonly #told: ClientMemory;
  readonly #begun: ClientMemory;

  /**
   * Makes a memory without announcements.
   *
   * @param options How long, and by which clock.
   */
  constructor({ holdMs, now = () => performance.now() }: AnnouncementsOptions) {
    this.#told = new ClientMemory({ holdMs, now });
    this.#begun = new ClientMemory({ holdMs, now });
  }

  /**
   * Notes what a client is told.
   *
   * @param c The request for the version.
   * @param key Of the query: the device, and what it asks for.
   * @param firmware What it is told of.
   */
  remember(c: Context, key: string, firmware: FirmwareName): void {
    this.#told.set(clientOf(c), key, firmware);
  }

  /**
   * Looks up what a client was told.
   *
   * @param c The request for the bytes.
   * @param key Of the query: the device, and what it asks for.
   * @returns What this client was told of last, on this connection or else from this address.
   */
  recall(c: Context, key: string): FirmwareName | undefined {
    return this.#told.get(clientOf(c), key);
  }

  /**
   * Notes what a client begins to download, or goes on with.
   *
   * @param c The request for bytes.
   * @param key Of the query: the device, and what it asks for.
   * @param firmware What it gets.
   */
  begin(c: Context, key: string, firmware: FirmwareName): void {
    this.#begun.set(clientOf(c), key, firmware);
  }

  /**
   * Looks up what a client has begun to download.
   *
   * @param c A request for further bytes.
   * @param key Of the query: the device, and what it asks for.
   * @returns What this client got bytes of last, on this connection or else from this address.
   */
  recallBegun(c: Context, key: string): FirmwareName | undefined {
    return this.#begun.get(clientOf(c), key);
  }

  /**
   * Frees a client from what it was told and has begun: it gets the newest from now on.
   *
   * @param c A request for bytes that can no longer be had.
   * @param key Of the query: the device, and what it asks for.
   */
  forget(c: Context, key: string): void {
    const client = clientOf(c);
    this.#told.delete(client, key);
    this.#begun.delete(client, key);
  }
}

/** One firmware for each client and query: the last one. */
class ClientMemory {
  readonly #now: () => number;
  readonly #byAddress: LRUCache<string, FirmwareName>;
  readonly #byConnection: LRUCache<string, FirmwareName>;

  constructor({ holdMs, now }: Required<AnnouncementsOptions>) {
    this.#now = now;
    // Resolution 0: an injected clock is asked each time, and no timer is left running.
    const common = { max: ANNOUNCEMENTS_LIMIT, perf: { now }, ttlResolution: 0 };
    this.#byAddress = new LRUCache({ ...common, ttl: holdMs });
    this.#byConnection = new LRUCache({ ...common, ttl: CONNECTION_MS });
  }

  /** Keeps the name alone, without what else a firmware holds. */
  set(
    { address, connection }: Client,
    key: string,
    { tag, version, digest }: FirmwareName,
  ): void {
    const name = { tag, version, digest };
    const now = { start: this.#now() };
    this.#byAddress.set(`${address} ${key}`, name, now);
    if (connection !== undefined) this.#byConnection.set(`${connection} ${key}`, name, now);
  }

  get({ address, connection }: Client, key: string): FirmwareName | undefined {
    const onConnection = connection && this.#byConnection.get(`${connection} ${key}`);
    return onConnection || this.#byAddress.get(`${address} ${key}`);
  }

  delete({ address, connection }: Client, key: string): void {
    this.#byAddress.delete(`${address} ${key}`);
    if (connection !== undefined) this.#byConnection.delete(`${connection} ${key}`);
  }
}

/** Some proxies add the client's port (RFC 7239, 6), which differs from connection to connection. */
function withoutPorts(forwarded: string): string {
  return forwarded.slice(0, FORWARDED_LENGTH).replaceAll(/(\d+(?:\.\d+){3}|\]):\d+/g, "$1");
}

/** A forged header only misleads whoever forges it. */
function clientOf(c: Context): Client {
  const peer = (c.env as Partial<Deno.ServeHandlerInfo> | undefined)?.remoteAddr;
  const [hostname, port] = peer?.transport === "tcp" ? [peer.hostname, peer.port] : ["local", 0];
  const forwarded = c.req.header("x-forwarded-for") ?? c.req.header("forwarded");
  return forwarded === undefined
    ? { address: hostname, connection: `${hostname} ${port}` }
    : { address: `${hostname} ${withoutPorts(forwarded)}`, connection: undefined };
}
