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

/** What an answer or a message says of a firmware; members that it does not say are undefined. */
export type Claim = { readonly [Member in keyof Offer]?: Offer[Member] | undefined };

/** Knows what was offered, and which device ids were ever served. */
export class Catalogue {
  readonly #offers = new Map<string, Offer[]>();
  readonly #served = new Set<string>();

  /** Takes down what is about to be pushed. */
  offer(
    id: string,
    { version, digest, bytes }: Pick<Offer, "version" | "digest"> & { readonly bytes: Uint8Array },
  ): Offer {
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const offer = { version, digest, size: bytes.length, crc32: crc32Reference(bytes), sha256 };
    const offers = this.#offers.get(id);
    if (offers === undefined) this.#offers.set(id, [offer]);
    else offers.push(offer);
    return offer;
  }

  /** Whether one firmware that was offered for an id is all that is claimed, at once. */
  has(id: string, claim: Claim): boolean {
    const claims = Object.entries(claim).filter(([, value]) => value !== undefined);
    return this.#offers.get(id)?.some((offer) =>
      claims.every(([member, value]) => offer[member as keyof Offer] === value)
    ) ?? false;
  }

  /** What was offered under a version and a digest. */
  find(id: string, name: Pick<Offer, "version" | "digest">): Offer | undefined {
    return this.#offers.get(id)?.find((offer) =>
      offer.version === name.version && offer.digest === name.digest
    );
  }

  /** Notes that the service has this id's firmware in its folder from now on. */
  served(id: string): void {
    this.#served.add(id);
  }

  /** Whether the service has to serve this id, whoever of the others is away. */
  isServed(id: string): boolean {
    return this.#served.has(id);
  }
}
