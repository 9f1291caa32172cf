/**
 * Which firmware its publisher has approved, remembered.
 *
 * @module
 */

import { LRUCache } from "lru-cache";
import { describeError, isServiceError } from "../errors.ts";
import { logger } from "../log.ts";
import type { Artifact } from "./artifact.ts";
import type { FirmwareObserver, FirmwareVerifier } from "./firmware.ts";
import type { VersionTag } from "./version.ts";

/** So many are remembered, of each kind; a forgotten one costs the source a few requests. */
const REMEMBERED_LIMIT = 10_000;

const log = logger("firmware");

/** Options of {@linkcode Approval}. */
export interface ApprovalOptions {
  /** Decides; without one everything is approved. */
  readonly verifier?: FirmwareVerifier | undefined;
  /** Told of verifications. */
  readonly observer: Pick<FirmwareObserver, "verified">;
}

/** Asks the verifier once for each firmware that is approved, and each time for what is not. */
export class Approval {
  readonly #verifier: FirmwareVerifier | undefined;
  readonly #observer: ApprovalOptions["observer"];
  /** A digest is for ever, and so is a policy as long as the process lives. */
  readonly #approved = new LRUCache<string, true>({ max: REMEMBERED_LIMIT });
  /** What was logged last of each device: checks come again and again. */
  readonly #refused = new LRUCache<string, string>({ max: REMEMBERED_LIMIT });

  /**
   * Knows no firmware yet.
   *
   * @param options Who decides, and who is told.
   */
  constructor({ verifier, observer }: ApprovalOptions) {
    this.#verifier = verifier;
    this.#observer = observer;
  }

  /** The policy that firmware is verified under; undefined where none is. */
  get policy(): string | undefined {
    return this.#verifier?.policy;
  }

  /**
   * Lets approved firmware pass.
   *
   * @param device A device id.
   * @param name The tag that it was found by, and its version.
   * @param artifact What was found; nothing of it needs to be downloaded.
   * @returns The policy that it was verified under.
   * @throws {ServiceError} `signature-invalid`, or what hindered the verification.
   */
  async check(
    device: string,
    { tag, version }: VersionTag,
    { digest, manifests, part }: Artifact,
  ): Promise<string | undefined> {
    const verifier = this.#verifier;
    if (verifier === undefined) return undefined;
    // Of one index each device may mean another manifest.
    const key = JSON.stringify([device, tag, part, digest]);
    if (this.#approved.has(key)) return verifier.policy;
    try {
      await verifier.verify(device, { tag, version, part, documents: manifests });
    } catch (error) {
      const isRefused = isServiceError(error, "signature-invalid");
      this.#observer.verified(device, isRefused ? "invalid" : "error");
      if (isRefused) this.#tell(device, { version, digest, reason: describeError(error) });
      throw error;
    }
    this.#approved.set(key, true);
    this.#refused.delete(device);
    this.#observer.verified(device, "valid");
    return verifier.policy;
  }

  #tell(
    device: string,
    refusal: { readonly version: string; readonly digest: string; readonly reason: string },
  ): void {
    const told = JSON.stringify(refusal);
    if (this.#refused.get(device) === told) return;
    this.#refused.set(device, told);
    log.warn("Firmware is refused", { device, ...refusal });
  }
}
