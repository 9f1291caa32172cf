/**
 * The oracle: all firmware that was ever offered, taken down before the registry hears of it. What
 * a device gets has to be in here, whole, under the name that it was given.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { crc32Reference } from "../helpers/firmware_bytes.ts";

/** A firmware as it was offered for a device id. */
export interface Offer {
  /** The version, as devices see it. */
  readonly version: string;
  /** Of the document that the tag points to. */
  readonly digest: string;
  /** Length in bytes. */
  readonly size: number;
  /** CRC-32, unsigned. */
  readonly crc32: number;
  /** SHA-256 in hex. */
  readonly sha256: string;
}

/** What is about to be offered. */
export interface Offering {
  readonly version: string;
  readonly digest: string;
  /** The firmware. */
  readonly bytes: Uint8Array;
  /** Digests of all that the store may keep of it: a layer, beside the firmware in it. */
  readonly blobs: Iterable<string>;
}

/** What an answer or a message says of a firmware; members that it does not say are undefined. */
export type Claim = { readonly [Member in keyof Offer]?: Offer[Member] | undefined };

/** Knows what was offered, which of it the service has, and which it had to part with. */
export class Catalogue {
  readonly #offers = new Map<string, Offer[]>();
  /** What each device id was told of last. */
  readonly #told = new Map<string, Offer>();
  /** Who was offered a content, by its SHA-256. */
  readonly #offeredBy = new Map<string, { readonly id: string; readonly offer: Offer }[]>();
  /** What had to go, since there was no room for it, and was not fetched since. */
  readonly #evicted = new Set<Offer>();

  /** Takes down what is about to be pushed. */
  offer(id: string, { version, digest, bytes, blobs }: Offering): void {
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const offer = { version, digest, size: bytes.length, crc32: crc32Reference(bytes), sha256 };
    const offers = this.#offers.get(id);
    if (offers === undefined) this.#offers.set(id, [offer]);
    else offers.push(offer);
    for (const content of new Set([sha256, ...[...blobs].map(hexOf)])) {
      const others = this.#offeredBy.get(content) ?? [];
      this.#offeredBy.set(content, [...others, { id, offer }]);
    }
  }

  /** Whether one firmware that was offered for an id is all that is claimed, at once. */
  has(id: string, claim: Claim): boolean {
    return this.#offers.get(id)?.some((offer) => isOf(offer, claim)) ?? false;
  }

  /** What was offered under a version and a digest. */
  find(id: string, name: Pick<Offer, "version" | "digest">): Offer | undefined {
    return this.#offers.get(id)?.find((offer) =>
      offer.version === name.version && offer.digest === name.digest
    );
  }

  /** Notes what the service has told of an id: from now on it has that in its folder. */
  told(id: string, claim: Claim): void {
    const offer = this.#offers.get(id)?.findLast((offer) => isOf(offer, claim));
    if (offer !== undefined) this.#told.set(id, offer);
  }

  /** Notes that a content had to go. */
  evicted(sha256: string): void {
    for (const { offer } of this.#offeredBy.get(sha256) ?? []) this.#evicted.add(offer);
  }

  /** Notes that the service has got something again. */
  fetched(id: string, digest: string): void {
    for (const offer of this.#offers.get(id) ?? []) {
      if (offer.digest === digest) this.#evicted.delete(offer);
    }
  }

  /**
   * Whether the service has to serve this id, whoever of the others is away.
   *
   * @param version What is asked for by its name. @default what was told of last
   */
  isKept(id: string, version?: string): boolean {
    const told = this.#told.get(id);
    if (told === undefined) return false;
    const wanted = version === undefined
      ? [told]
      : this.#offers.get(id)?.filter((offer) => offer.version === version) ?? [];
    return !wanted.some((offer) => this.#evicted.has(offer));
  }
}

function isOf(offer: Offer, claim: Claim): boolean {
  return Object.entries(claim).every(([member, value]) =>
    value === undefined || offer[member as keyof Offer] === value
  );
}

function hexOf(digest: string): string {
  return digest.slice(digest.indexOf(":") + 1);
}
