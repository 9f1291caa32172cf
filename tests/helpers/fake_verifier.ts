/**
 * A verifier that does as it is told.
 *
 * @module
 */

import { ServiceError } from "../../src/errors.ts";
import type { FirmwareCandidate, FirmwareVerifier } from "../../src/firmware/firmware.ts";

/** Approves what was signed by {@linkcode FakeVerifier.sign}, and records every question. */
export class FakeVerifier implements FirmwareVerifier {
  readonly policy: string;
  /** What was asked: device, version and the digests of the documents. */
  readonly asked: (readonly string[])[] = [];
  /** Thrown instead of an answer while it is set. */
  failure: Error | undefined;
  readonly #signed = new Set<string>();

  /** @param policy Its name. */
  constructor(policy = "policy") {
    this.policy = policy;
  }

  /** Approves a firmware from now on. */
  sign(...digests: readonly string[]): this {
    for (const digest of digests) this.#signed.add(digest);
    return this;
  }

  verify(device: string, { version, documents }: FirmwareCandidate): Promise<void> {
    const digests = documents.map(({ digest }) => digest);
    this.asked.push([device, version, ...digests]);
    if (this.failure !== undefined) return Promise.reject(this.failure);
    return digests.some((digest) => this.#signed.has(digest))
      ? Promise.resolve()
      : Promise.reject(unsigned(device, version));
  }
}

/** What a verifier throws. */
export function unsigned(device: string, version: string): ServiceError {
  const message = `Firmware ${version} of device '${device}' is not signed`;
  return new ServiceError("signature-invalid", message, { cause: "found nothing, want a key" });
}
