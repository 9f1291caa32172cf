/**
 * From the texts of key files to a policy that can be used.
 *
 * @module
 */

import { describeError } from "../errors.ts";
import { readPublicKey, UnusableKey, type VerificationKey } from "./keys.ts";
import type { KeylessIdentity } from "./keyless.ts";
import type { SigningPolicy } from "./policy.ts";
import { loadSigstore, UnusableRoot } from "./sigstore.ts";

/** What an operator has configured. */
export interface PolicyTexts extends Omit<SigningPolicy, "keys" | "keyless"> {
  /** Public keys in PEM, and where they were found. */
  readonly keys: readonly { readonly path: string; readonly pem: string }[];
  /** Whose certificates count, and the trusted root that they are verified with. */
  readonly keyless:
    | KeylessIdentity & { readonly trustedRootPath: string; readonly trustedRoot: string }
    | undefined;
}

/** The operator has configured what cannot be used; the message says it in one line. */
export class UnusablePolicy extends Error {
  /** Always `UnusablePolicy`. */
  override readonly name = "UnusablePolicy";
}

/**
 * Reads keys and trusted root.
 *
 * @param texts What was configured.
 * @returns The policy.
 * @throws {UnusablePolicy} For the first thing that cannot be used.
 * @throws {Error} The verifier of certificates does not work in this program.
 */
export async function loadPolicy(texts: PolicyTexts): Promise<SigningPolicy> {
  const keys = texts.keys.map(readKey);
  const keyless = await loadKeyless(texts.keyless);
  const signers = new Set(keys.map(({ id }) => id)).size;
  if (keyless === undefined && signers < texts.minSignatures) {
    throw new UnusablePolicy(
      `--cosign-min-signatures: ${texts.minSignatures} cannot be met by ${signers} different keys`,
    );
  }
  return { ...texts, keys, keyless };
}

function readKey({ path, pem }: PolicyTexts["keys"][number]): VerificationKey {
  try {
    return readPublicKey(pem, path.slice(path.lastIndexOf("/") + 1));
  } catch (error) {
    if (!(error instanceof UnusableKey)) throw error;
    throw new UnusablePolicy(`--cosign-pub-key-path: ${JSON.stringify(path)} ${error.message}`);
  }
}

async function loadKeyless(texts: PolicyTexts["keyless"]): Promise<SigningPolicy["keyless"]> {
  if (texts === undefined) return undefined;
  try {
    return { ...texts, sigstore: await loadSigstore(texts.trustedRoot) };
  } catch (error) {
    if (!(error instanceof UnusableRoot)) throw error;
    const path = JSON.stringify(texts.trustedRootPath);
    throw new UnusablePolicy(`--cosign-trusted-root-path: ${path} ${describeError(error)}`);
  }
}
