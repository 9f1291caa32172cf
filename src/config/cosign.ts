/**
 * How firmware must be signed.
 *
 * @module
 */

import type { SettingValues } from "./settings.ts";
import { type FileAccess, invalid, listFolder, readFile, UsageError } from "./usage.ts";

/** A file of a public key. */
export interface KeyFile {
  /** Its path. */
  readonly path: string;
  /** Its text, not looked into. */
  readonly pem: string;
}

/** Whose certificates count. */
export interface KeylessConfig {
  /** The identity: exactly this, or what the anchored expression matches. */
  readonly identity: string | RegExp;
  /** Who must have told it to the authority. */
  readonly issuer: string;
  /** The trusted root's file. */
  readonly trustedRootPath: string;
  /** Its text, not looked into. */
  readonly trustedRoot: string;
}

/** How firmware must be signed. */
export interface CosignConfig {
  /** Keys of which any may sign. */
  readonly keys: readonly KeyFile[];
  /** Whoever may sign without a key; nobody without. */
  readonly keyless: KeylessConfig | undefined;
  /** What every signature must note. */
  readonly annotations: Readonly<Record<string, string>>;
  /** How many must have signed. */
  readonly minSignatures: number;
  /** Whether the version must be signed. */
  readonly requireVersion: boolean;
}

/**
 * Decides whether firmware must be signed, and by whom.
 *
 * @param values All settings.
 * @param files Access to files.
 * @returns What is wanted; undefined where nothing is.
 * @throws {UsageError} For the first thing that is wrong: nothing is ignored that was meant.
 */
export function resolveCosign(
  values: SettingValues,
  files: FileAccess,
): CosignConfig | undefined {
  const { cosignMinSignatures: minSignatures, cosignRequireVersion: requireVersion } = values;
  const annotations = Object.fromEntries(values.cosignAnnotation);
  const keys = values.cosignPubKeyPath.flatMap((path) => readKeys(path, files));
  const keyless = resolveKeyless(values, files);
  if (keys.length > 0 || keyless !== undefined) {
    return { keys, keyless, annotations, minSignatures, requireVersion };
  }
  if (requireVersion) throw without("--cosign-require-version");
  if (minSignatures > 1) throw without("--cosign-min-signatures");
  if (values.cosignAnnotation.length > 0) throw without("--cosign-annotation");
  return undefined;
}

function without(flag: string): UsageError {
  return new UsageError(
    `${flag} says nothing without a key, want --cosign-pub-key-path or ` +
      "--cosign-certificate-identity as well",
  );
}

function readKeys(path: string, files: FileAccess): KeyFile[] {
  const flag = "--cosign-pub-key-path";
  if (!files.isDirectory(path)) return [{ path, pem: readFile(flag, path, files) }];
  const folder = path.replace(/\/+$/, "");
  const listed = listFolder(path, files);
  if (listed === undefined) throw invalid(flag, path, "a folder that can be read");
  const names = listed.filter((name) => name.endsWith(".pub")).toSorted();
  if (names.length === 0) throw invalid(flag, path, "a public key, or a folder of .pub files");
  return names.map((name) => `${folder}/${name}`)
    .map((path) => ({ path, pem: readFile(flag, path, files) }));
}

function resolveKeyless(values: SettingValues, files: FileAccess): KeylessConfig | undefined {
  const { cosignCertificateIdentity: exact, cosignCertificateIdentityRegexp: pattern } = values;
  const { cosignCertificateOidcIssuer: issuer, cosignTrustedRootPath: trustedRootPath } = values;
  if (exact !== undefined && pattern !== undefined) {
    throw new UsageError(
      "--cosign-certificate-identity and --cosign-certificate-identity-regexp exclude each other",
    );
  }
  const identity = exact ?? pattern;
  const given = [identity, issuer, trustedRootPath];
  if (given.every((value) => value === undefined)) return undefined;
  if (!identity || !issuer || trustedRootPath === undefined) {
    throw new UsageError(
      "Signatures without a key need all of --cosign-certificate-identity (or -regexp), " +
        "--cosign-certificate-oidc-issuer and --cosign-trusted-root-path",
    );
  }
  const trustedRoot = readFile("--cosign-trusted-root-path", trustedRootPath, files);
  return { identity, issuer, trustedRootPath, trustedRoot };
}
